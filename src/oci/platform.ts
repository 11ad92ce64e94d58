import { DrayError, quote } from '../errors.ts'
import type { Platform } from './descriptor.ts'

export type { Platform } from './descriptor.ts'

const aliases = new Map<string, { architecture: string; variant?: string }>([
  ['x86_64', { architecture: 'amd64' }],
  ['x86-64', { architecture: 'amd64' }],
  ['aarch64', { architecture: 'arm64' }],
  ['i386', { architecture: '386' }],
  ['i686', { architecture: '386' }],
  ['armhf', { architecture: 'arm', variant: 'v7' }],
  ['armel', { architecture: 'arm', variant: 'v6' }],
])

/** Node's names for processors, where they are not those of Go, which images use. */
const goArchitectures = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
  ['ppc64', 'ppc64le'],
])

/**
 * Reads `os/arch[/variant][:osversion]`, with the usual aliases (`linux/x86_64`, `linux/aarch64`).
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parsePlatform(text: string): Platform {
  const match = /^([\w.-]+)\/([\w.-]+)(?:\/([\w.-]+))?(?::([\w.-]+))?$/.exec(text)
  const [, os, architecture, variant, osVersion] = match ?? []
  if (os === undefined || architecture === undefined) {
    throw new DrayError(
      'INVALID_REFERENCE',
      `invalid platform ${quote(text)}: it must be os/arch[/variant][:osversion]`,
      { hint: 'for example linux/amd64, linux/arm/v7 or windows/amd64:10.0.20348.2402' },
    )
  }
  return normalizePlatform({
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
  })
}

/**
 * The platform with aliases resolved and defaults taken away (`arm64/v8` is `arm64`, `amd64/v1` is `amd64`,
 * `arm/7` is `arm/v7`).
 */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: given, ...rest } = platform
  const name = platform.architecture.toLowerCase()
  const { architecture, variant: implied } = aliases.get(name) ?? { architecture: name }
  const variant = (given || implied || '').toLowerCase().replace(/^(?=\d)/, 'v')
  const isDefault = ['arm64/v8', 'amd64/v1'].includes(`${architecture}/${variant}`)
  return {
    ...rest,
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant === '' || isDefault ? {} : { variant }),
  }
}

/** `linux/arm/v7`, `windows/amd64:10.0.20348.2402`; unknown parts are `unknown`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform)
  const version = platform['os.version']
  return `${os || 'unknown'}/${architecture || 'unknown'}${variant ? `/${variant}` : ''}${version ? `:${version}` : ''}`
}

/**
 * True when `offered` is what was asked for. What the question leaves open (variant, OS version) matches all;
 * an OS version matches by its parts from the left (`10.0.20348` matches `10.0.20348.2402`).
 */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  const want = normalizePlatform(wanted)
  const have = normalizePlatform(offered)
  if (want.os !== have.os || want.architecture !== have.architecture) return false
  if (want.variant !== undefined && want.variant !== have.variant) return false
  const version = want['os.version']
  if (!version) return true
  return `${have['os.version'] ?? ''}.`.startsWith(`${version}.`)
}

/** The platform that images of this machine's engine have; containers on macOS and Windows are Linux by default. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return { os: 'linux', architecture: goArchitectures.get(architecture) ?? architecture }
}

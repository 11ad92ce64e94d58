import { z } from 'zod/mini'
import { DrayError } from '../errors.ts'

/** The platform of an image in an index (image-spec v1.1, image-index.md). */
export const platformSchema = z.looseObject({
  architecture: z._default(z.string(), ''),
  os: z._default(z.string(), ''),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': z.optional(z.array(z.string())),
})

export type Platform = Readonly<z.infer<typeof platformSchema>>

const architectureAliases: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  i686: '386',
  armhf: 'arm',
  armel: 'arm',
}

const aliasVariants: Record<string, string> = { armhf: 'v7', armel: 'v6' }

/**
 * Reads `os/arch[/variant][:osversion]`, with the usual aliases (`linux/x86_64`, `linux/aarch64`).
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9_.-]+)\/([a-z0-9_.-]+)(?:\/([a-z0-9_.-]+))?(?::([A-Za-z0-9_.-]+))?$/i.exec(text)
  if (!match?.[1] || !match[2]) {
    throw new DrayError(
      'INVALID_REFERENCE',
      `invalid platform "${text}": it must be os/arch[/variant][:osversion]`,
      {
        hint: 'for example linux/amd64, linux/arm/v7 or windows/amd64:10.0.20348.2402',
      },
    )
  }
  const [, os, architecture, variant, osVersion] = match
  return normalizePlatform({
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
  })
}

/** The platform with aliases resolved and defaults taken away (`arm64/v8` is `arm64`, `amd64/v1` is `amd64`). */
export function normalizePlatform(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase()
  const architecture = architectureAliases[given] ?? given
  const variant = platform.variant?.toLowerCase() ?? aliasVariants[given]
  const isDefault =
    (architecture === 'arm64' && variant === 'v8') || (architecture === 'amd64' && variant === 'v1')
  const { variant: _, ...rest } = platform
  return {
    ...rest,
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant === undefined || variant === '' || isDefault ? {} : { variant }),
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
  if (version === undefined) return true
  const offeredVersion = have['os.version'] ?? ''
  return offeredVersion === version || offeredVersion.startsWith(`${version}.`)
}

/** The platform that images of this machine's engine have; containers on macOS and Windows are Linux by default. */
export function hostPlatform(architecture: string = process.arch): Platform {
  const names: Record<string, string> = {
    x64: 'amd64',
    ia32: '386',
    arm: 'arm',
    arm64: 'arm64',
    ppc64: 'ppc64le',
  }
  return { os: 'linux', architecture: names[architecture] ?? architecture }
}

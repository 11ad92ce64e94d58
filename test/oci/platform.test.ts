import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  normalizePlatform,
  parsePlatform,
} from '../../src/oci/platform.ts'

describe('parsePlatform', () => {
  it.each([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['Linux/AMD64', { os: 'linux', architecture: 'amd64' }],
    [
      'windows/amd64:10.0.20348.2402',
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2402' },
    ],
    ['linux/arm/v6:6.1', { os: 'linux', architecture: 'arm', variant: 'v6', 'os.version': '6.1' }],
    ['linux/x86_64', { os: 'linux', architecture: 'amd64' }],
    ['linux/x86-64', { os: 'linux', architecture: 'amd64' }],
    ['linux/amd64/v1', { os: 'linux', architecture: 'amd64' }],
    ['linux/amd64/v3', { os: 'linux', architecture: 'amd64', variant: 'v3' }],
    ['linux/aarch64', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm64/v8', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm64/8', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm64/v9', { os: 'linux', architecture: 'arm64', variant: 'v9' }],
    ['linux/arm/7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['linux/arm/v8', { os: 'linux', architecture: 'arm', variant: 'v8' }],
    ['linux/armhf', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['linux/armel', { os: 'linux', architecture: 'arm', variant: 'v6' }],
    ['linux/armhf/v6', { os: 'linux', architecture: 'arm', variant: 'v6' }],
    ['linux/i386', { os: 'linux', architecture: '386' }],
    ['linux/i686', { os: 'linux', architecture: '386' }],
    ['linux/constructor', { os: 'linux', architecture: 'constructor' }],
    ['linux/__proto__', { os: 'linux', architecture: '__proto__' }],
    ['unknown/unknown', { os: 'unknown', architecture: 'unknown' }],
  ])('reads %s', (text, platform) => {
    expect(parsePlatform(text)).toEqual(platform)
  })

  it.each([
    '',
    '/',
    'linux',
    'amd64',
    'linux/',
    '/amd64',
    'linux/amd64/',
    'linux/arm/v7/x',
    'linux/amd64:',
    'linux//v7',
    'linux /amd64',
    'linux/amd64\n',
    'linux/amd64,linux/arm64',
    'linux/amd64:10:0',
    'a'.repeat(100_000),
  ])('refuses %j with an example of what is right', text => {
    expect(() => parsePlatform(text)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REFERENCE',
        message: expect.stringMatching(/^invalid platform "[^\n]{0,300}": it must be os\/arch/),
        hint: expect.stringContaining('linux/amd64'),
      }),
    )
  })

  it('throws nothing but a DrayError, and reads again what it formats', () => {
    const words = fc.array(fc.constantFrom('linux', 'arm', 'arm64', 'V8', '7', '/', ':', '10.0', '\u001b'), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          words.map(parts => parts.join('')),
        ),
        text => {
          try {
            const platform = parsePlatform(text)
            expect(parsePlatform(formatPlatform(platform))).toEqual(platform)
          } catch (error) {
            if (!(error instanceof DrayError)) throw error
          }
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('normalizePlatform', () => {
  it('keeps the fields that it does not know and drops an empty variant', () => {
    const platform = { os: 'Linux', architecture: 'x86_64', variant: '', 'os.features': ['a'], extra: 1 }
    expect(normalizePlatform(platform)).toEqual({
      os: 'linux',
      architecture: 'amd64',
      'os.features': ['a'],
      extra: 1,
    })
  })
})

describe('formatPlatform', () => {
  it.each([
    [{ os: 'linux', architecture: 'arm', variant: 'v7' }, 'linux/arm/v7'],
    [{ os: 'linux', architecture: 'arm64', variant: 'v8' }, 'linux/arm64'],
    [{ os: 'windows', architecture: 'amd64', 'os.version': '10.0.1' }, 'windows/amd64:10.0.1'],
    [{ os: '', architecture: '' }, 'unknown/unknown'],
  ])('writes %j as %s', (platform, text) => {
    expect(formatPlatform(platform)).toBe(text)
  })
})

describe('matchesPlatform', () => {
  it.each([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }, true],
    ['linux/amd64', { os: 'linux', architecture: 'x86_64' }, true],
    ['linux/amd64', { os: 'windows', architecture: 'amd64' }, false],
    ['linux/amd64', { os: 'linux', architecture: 'arm64' }, false],
    ['linux/arm64', { os: 'linux', architecture: 'arm64', variant: 'v8' }, true],
    ['linux/arm64/v8', { os: 'linux', architecture: 'arm64' }, true],
    ['linux/arm64', { os: 'linux', architecture: 'arm64', variant: 'v9' }, true],
    ['linux/arm', { os: 'linux', architecture: 'arm', variant: 'v6' }, true],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: 'v7' }, true],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: '7' }, true],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: 'v6' }, false],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm' }, false],
    ['windows/amd64', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' }, true],
    [
      'windows/amd64:10.0.20348',
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
      true,
    ],
    ['windows/amd64:10.0.20348', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348' }, true],
    [
      'windows/amd64:10.0.2034',
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
      false,
    ],
    [
      'windows/amd64:10.0.20348.1',
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348' },
      false,
    ],
    ['windows/amd64:10.0', { os: 'windows', architecture: 'amd64' }, false],
    ['linux/amd64', { os: '', architecture: '' }, false],
    ['linux/amd64', { os: 'unknown', architecture: 'unknown' }, false],
  ])('answers whether %s takes %j: %s', (wanted, offered, answer) => {
    expect(matchesPlatform(parsePlatform(wanted), offered)).toBe(answer)
  })
})

describe('hostPlatform', () => {
  it.each([
    ['x64', 'amd64'],
    ['ia32', '386'],
    ['arm', 'arm'],
    ['arm64', 'arm64'],
    ['ppc64', 'ppc64le'],
    ['riscv64', 'riscv64'],
    ['s390x', 's390x'],
  ])('calls %s linux/%s', (architecture, name) => {
    expect(hostPlatform(architecture)).toEqual({ os: 'linux', architecture: name })
  })
})

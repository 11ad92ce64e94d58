import { describe, expect, test } from 'vitest'
import type { ImageIndex } from '../../src/oci/manifest.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { choosePlatformStrictly, findPlatform, offeredPlatforms } from '../../src/transfer/platform-choice.ts'
import { addAttestation, addImage, addIndex, stores } from './images.ts'

function indexOf(...names: string[]): ImageIndex {
  const { source } = stores()
  return { manifests: names.map(platform => addImage(source, { platform })) }
}

describe('choosing a platform', () => {
  test.each([
    { offered: ['linux/arm64', 'linux/amd64'], wanted: 'linux/amd64', chosen: 1 },
    { offered: ['linux/arm/v6', 'linux/arm/v7'], wanted: 'linux/arm', chosen: 0 },
    { offered: ['linux/arm/v7', 'linux/arm'], wanted: 'linux/arm', chosen: 1 },
    { offered: ['linux/arm/v6', 'linux/arm/v7'], wanted: 'linux/arm/v7', chosen: 1 },
    { offered: ['linux/amd64/v3', 'linux/amd64'], wanted: 'linux/amd64', chosen: 1 },
    { offered: ['linux/arm64/v9', 'linux/arm64'], wanted: 'linux/arm64/v8', chosen: 1 },
    {
      offered: ['windows/amd64:10.0.17763.1', 'windows/amd64:10.0.20348.2'],
      wanted: 'windows/amd64:10.0.20348',
      chosen: 1,
    },
    {
      offered: ['windows/amd64:10.0.17763.1', 'windows/amd64:10.0.20348.2'],
      wanted: 'windows/amd64',
      chosen: 0,
    },
  ])('takes entry $chosen of $offered for $wanted', ({ offered, wanted, chosen }) => {
    const index = indexOf(...offered)
    expect(findPlatform(index, parsePlatform(wanted))).toBe(index.manifests[chosen])
  })

  test('never takes an attestation, whatever platform it claims, nor an entry without platform', () => {
    const { source } = stores()
    const image = addImage(source, { platform: 'linux/amd64' })
    const attestation = addAttestation(source, image)
    const [claims, unmarked] = [
      { ...attestation, platform: image.platform },
      { ...attestation, annotations: {} },
    ]
    const index = { manifests: [claims, unmarked, addIndex(source, []), image] }
    expect(findPlatform(index, parsePlatform('linux/amd64'))).toBe(image)
    expect(() => choosePlatformStrictly(index.manifests, parsePlatform('unknown/unknown'), 'app')).toThrow(
      'there is linux/amd64',
    )
  })

  test('tells by the name of the index what there is instead', () => {
    const index = indexOf('linux/amd64', 'linux/arm/v7', 'linux/amd64')
    expect(() =>
      choosePlatformStrictly(index.manifests, parsePlatform('linux/s390x'), 'ghcr.io/org/app:1'),
    ).toThrow(
      expect.objectContaining({
        code: 'NOT_FOUND',
        message: 'ghcr.io/org/app:1: there is no image for linux/s390x; there is linux/amd64, linux/arm/v7',
      }),
    )
    expect(() => choosePlatformStrictly([], parsePlatform('linux/s390x'), 'a')).toThrow(
      'there is no platform at all',
    )
  })

  test('lists each platform once, in order, without what is no image', () => {
    const { source } = stores()
    const arm64 = addImage(source, { platform: 'linux/arm64' })
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const entries = [arm64, addAttestation(source, arm64), amd64, arm64]
    expect(offeredPlatforms(entries)).toEqual(['linux/arm64', 'linux/amd64'])
  })
})

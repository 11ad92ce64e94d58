import { describe, expect, test } from 'vitest'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { addBlob, addImage, addIndex, addManifest, copyFrom, stores } from './images.ts'

describe('an image for one platform only', () => {
  test.each([
    { config: { os: 'linux', architecture: 'amd64' }, fits: true },
    { config: { os: 'linux', architecture: 'arm64' }, fits: false },
    { config: { os: 'windows', architecture: 'amd64' }, fits: false },
    { config: {}, fits: true },
    { config: { os: '', architecture: '' }, fits: true },
  ])('with the config $config fits linux/amd64: $fits', async ({ config, fits }) => {
    const { source } = stores()
    const image = addImage(source, { config })
    const { destination, copied } = copyFrom(source, image, { only: ['linux/amd64'] })
    if (fits) {
      expect(await copied).toMatchObject({ digest: image.digest, changed: false })
      expect(destination.tags.get('1.0')).toBe(image.digest)
    } else {
      await expect(copied).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining(`${config.os}/${config.architecture}, not for linux/amd64`),
      })
      expect(destination.callsOf()).toEqual([])
    }
  })

  test('fits a wish for a variant that its config leaves open, and not one for another', async () => {
    const { source } = stores()
    const open = addImage(source, { config: { os: 'linux', architecture: 'arm' } })
    const v6 = addImage(source, { config: { os: 'linux', architecture: 'arm', variant: 'v6' } })
    const wish = { only: ['linux/arm/v7'] }
    expect(await copyFrom(source, open, wish).copied).toMatchObject({ digest: open.digest })
    await expect(copyFrom(source, v6, wish).copied).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('is not asked for its platform when it is an artifact', async () => {
    const { source } = stores()
    const config = addBlob(source, '{}', mediaTypes.ociEmpty)
    const artifact = addManifest(source, { mediaType: mediaTypes.ociManifest, config, layers: [] })
    expect(await copyFrom(source, artifact, { only: ['linux/amd64'] }).copied).toMatchObject({
      digest: artifact.digest,
    })
  })

  test('is copied as it is when it is to be unpacked', async () => {
    const { source } = stores()
    const image = addImage(source, { config: { os: 'linux', architecture: 'amd64' } })
    const result = await copyFrom(source, image, { unpack: 'linux/amd64' }).copied
    expect(result).toMatchObject({ digest: image.digest, changed: false })
  })
})

describe('unpacking', () => {
  test("copies the platform's own manifest and nothing of the others", async () => {
    const { source } = stores()
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const root = addIndex(source, [addImage(source, { platform: 'linux/arm64' }), amd64])
    const { destination, copied } = copyFrom(source, root, { unpack: 'linux/amd64' })
    const result = await copied
    expect(result).toMatchObject({ digest: amd64.digest, sourceDigest: root.digest, changed: true })
    expect(result).not.toHaveProperty('platforms')
    expect([...destination.manifests.keys()]).toEqual([amd64.digest])
    expect(destination.tags.get('1.0')).toBe(amd64.digest)
  })

  test('takes the exact variant before others that match', async () => {
    const { source } = stores()
    const plain = addImage(source, { platform: 'linux/arm' })
    const root = addIndex(source, [addImage(source, { platform: 'linux/arm/v7' }), plain])
    expect((await copyFrom(source, root, { unpack: 'linux/arm' }).copied).digest).toBe(plain.digest)
  })

  test('lists the candidates when it is not clear which is meant', async () => {
    const { source } = stores()
    const root = addIndex(source, [
      addImage(source, { platform: 'linux/arm/v6' }),
      addImage(source, { platform: 'linux/arm/v7' }),
    ])
    const { destination, copied } = copyFrom(source, root, { unpack: 'linux/arm' })
    await expect(copied).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/linux\/arm\/v6 \(sha256:.*linux\/arm\/v7 \(sha256:/),
      hint: expect.any(String),
    })
    expect(destination.callsOf()).toEqual([])
  })

  test('finds the image in an index within the index, whether its entry names the platform or not', async () => {
    const { source } = stores()
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const inner = addIndex(source, [amd64, addImage(source, { platform: 'linux/arm64' })])
    const unnamed = addIndex(source, [inner])
    const named = addIndex(source, [{ ...inner, platform: amd64.platform }])
    for (const root of [unnamed, named]) {
      expect((await copyFrom(source, root, { unpack: 'linux/amd64' }).copied).digest).toBe(amd64.digest)
    }
  })

  test('lists what there is when the platform is missing', async () => {
    const { source } = stores()
    const root = addIndex(source, [addImage(source, { platform: 'linux/arm64' })])
    await expect(copyFrom(source, root, { unpack: 'linux/amd64' }).copied).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('there is linux/arm64'),
    })
  })
})

import { describe, expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { addBlob, addImage, blobsOf, bytesOf, give, instantSleep, stores, twoPlatforms } from './images.ts'

describe('options', () => {
  test.each([
    { options: { tags: ['not a tag'] }, code: 'INVALID_REFERENCE' },
    { options: { jobs: 0 }, code: 'USAGE' },
    { options: { retries: -1 }, code: 'USAGE' },
    { options: { bytesPerSecond: 0 }, code: 'USAGE' },
    { options: { bytesPerSecond: Number.NaN }, code: 'USAGE' },
    { options: { unpack: true }, code: 'USAGE' },
  ])('that make no sense are refused before any request: $options', async ({ options, code }) => {
    const { source, destination } = stores()
    twoPlatforms(source)
    const { sleep } = instantSleep()
    const failed = copyImage({ source, from: '1.0', destination, tags: ['1.0'], sleep, ...options })
    await expect(failed).rejects.toMatchObject({ name: 'DrayError', code })
    expect([...source.calls, ...destination.calls]).toEqual([])
  })

  test('that name a tag twice write it once', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['a', 'a'] })
    expect(result.tags).toEqual(['a'])
    expect(destination.callsOf('putManifest').at(-1)).toBe(`putManifest ${index.digest} a`)
  })
})

describe('a digest that must be', () => {
  test('lets the copy pass when the tag stands for it, also in another algorithm', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    const bytes = source.manifests.get(index.digest)?.bytes ?? new Uint8Array()
    const options = { source, from: '1.0', destination, tags: ['1.0'] }
    await copyImage({ ...options, expectedDigest: index.digest })
    await copyImage({ ...options, expectedDigest: digestOf(bytes, 'sha512') })
    expect(destination.tags.get('1.0')).toBe(index.digest)
  })

  test.each(['sha256', 'sha512'] as const)(
    'stops the copy before anything is written (%s)',
    async algorithm => {
      const { source, destination } = stores()
      twoPlatforms(source)
      const expectedDigest = digestOf('another', algorithm)
      const failed = copyImage({ source, from: '1.0', destination, tags: ['1.0'], expectedDigest })
      await expect(failed).rejects.toMatchObject({
        code: 'INTEGRITY',
        message: expect.stringContaining(expectedDigest),
      })
      expect(destination.callsOf()).toEqual([])
    },
  )

  test('is the one asked for: a source that answers with another is not believed', async () => {
    const { source, destination } = stores()
    const { index, amd64 } = twoPlatforms(source)
    source.resolve = async () => index
    const failed = copyImage({ source, from: amd64.digest, destination, tags: ['1.0'] })
    await expect(failed).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(destination.callsOf()).toEqual([])
  })
})

describe('a dry run', () => {
  test('says for each blob and manifest what would be done, and does none of it', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64, shared } = twoPlatforms(source)
    give(source, destination, amd64)
    destination.blobs.set(shared.digest, bytesOf(5000))
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'], dryRun: true })
    const [config, , own] = blobsOf(source, arm64)
    const facts = ({ digest, mediaType, size }: Descriptor) => ({ digest, mediaType, size })
    expect(result.plan).toEqual([
      { kind: 'blob', how: 'copied', digest: own?.digest, mediaType: own?.mediaType, size: 9000 },
      { kind: 'blob', how: 'present', ...facts(shared) },
      { kind: 'blob', how: 'copied', ...(config && facts(config)) },
      { kind: 'manifest', how: 'present', ...facts(amd64), tags: [] },
      { kind: 'manifest', how: 'copied', ...facts(arm64), tags: [] },
      { kind: 'manifest', how: 'copied', ...facts(index), tags: ['1.0'] },
    ])
    expect(result).toMatchObject({ dryRun: true, bytes: 9000 + (config?.size ?? 0) })
    expect(destination.callsOf()).toEqual([])
    expect(source.callsOf('getBlob')).toEqual([])
  })

  test('tells mounts and foreign layers apart', async () => {
    const { source, destination } = stores()
    const foreign = addBlob(source, 'away', 'application/vnd.oci.image.layer.nondistributable.v1.tar')
    const image = addImage(source, { layers: [foreign] })
    destination.mountable.add(source)
    const result = await copyImage({ source, from: image.digest, destination, tags: ['1'], dryRun: true })
    expect(result.blobs).toEqual({ copied: 0, mounted: 1, present: 0, foreign: 1 })
    expect(destination.callsOf('putBlob', 'putManifest', 'hasBlob')).toEqual([])
  })

  test('says that nothing would be done when nothing is missing', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'], dryRun: true })
    expect(result.plan).toMatchObject([{ kind: 'manifest', how: 'present', digest: index.digest, tags: [] }])
  })
})

import { describe, expect, test } from 'vitest'
import { isDrayError } from '../../src/errors.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { ManifestReader } from '../../src/transfer/manifest-reader.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { addBlob, addImage, addIndex, stores } from './images.ts'

describe('a source that contradicts itself', () => {
  const failCopy = async (source: MemoryStore, root: Descriptor) => {
    const { destination } = stores()
    const failed = await copyImage({ source, from: root.digest, destination, tags: ['1'] }).catch(
      error => error,
    )
    expect(destination.callsOf()).toEqual([])
    if (!isDrayError(failed)) throw new Error('the copy did not fail as it should', { cause: failed })
    return failed
  }

  test('with a sparse index is told by the platform that is missing, and what to do', async () => {
    const { source } = stores()
    const missing = addImage(source, { platform: 'linux/s390x' })
    const index = addIndex(source, [addImage(source, { platform: 'linux/amd64' }), missing])
    source.manifests.delete(missing.digest)
    const error = await failCopy(source, index)
    expect(error).toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('--platform') })
    expect(error.message).toContain(`linux/s390x (${missing.digest})`)
  })

  test('with two sizes for one digest is refused', async () => {
    const { source } = stores()
    const layer = addBlob(source, 'layer')
    const index = addIndex(source, [
      addImage(source, { platform: 'linux/amd64', layers: [layer] }),
      addImage(source, { platform: 'linux/arm64', layers: [{ ...layer, size: 6 }] }),
    ])
    const error = await failCopy(source, index)
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(layer.digest) })
  })

  test('with another size for a manifest than its index says is refused', async () => {
    const { source } = stores()
    const image = addImage(source, { platform: 'linux/amd64' })
    const error = await failCopy(source, addIndex(source, [{ ...image, size: image.size + 1 }]))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(image.digest) })
  })

  test('with indexes too deep within one another is refused', async () => {
    const { source, destination } = stores()
    let index = addIndex(source, [addImage(source)])
    for (let depth = 0; depth < 8; depth++) index = addIndex(source, [index])
    await copyImage({ source, from: index.digest, destination, tags: ['deep'] })
    expect(destination.manifests.size).toBe(10)
    expect(await failCopy(source, addIndex(source, [index]))).toMatchObject({ code: 'INTEGRITY' })
  })

  test('with an index that is within itself comes to an end', async () => {
    const { source } = stores()
    const leaf = addImage(source)
    const index = addIndex(source, [leaf])
    const liar = addIndex(source, [index])
    const manifest = source.manifests.get(liar.digest)
    // No digest can do this; a store that does not check them could.
    if (manifest !== undefined) source.manifests.set(index.digest, { ...manifest, digest: index.digest })
    expect(await failCopy(source, index)).toMatchObject({ code: 'INTEGRITY' })
  })
})

test('a copy reads no more manifests than any image has', () => {
  const { source } = stores()
  const reader = new ManifestReader(source)
  const images = Array.from({ length: 10_001 }, (_, at) => addImage(source, { more: { at } }))
  const manifests = images.flatMap(({ digest }) => source.manifests.get(digest) ?? [])
  for (const manifest of manifests.slice(0, 10_000)) reader.add(manifest)
  for (const manifest of manifests.slice(0, 10)) reader.add(manifest)
  expect(() => manifests.slice(10_000).forEach(manifest => void reader.add(manifest))).toThrow(
    /10000 manifests/,
  )
})

test('a copy holds no more bytes of manifests than any image has, each counted once', () => {
  const { source } = stores()
  const reader = new ManifestReader(source)
  const [one, other] = [addImage(source), addImage(source, { layers: [] })].map(({ digest }) => {
    const manifest = source.manifests.get(digest)
    if (manifest === undefined) throw new Error('no manifest')
    return { ...manifest, bytes: new Uint8Array(100 * 1024 * 1024) }
  })
  if (one === undefined || other === undefined) throw new Error('no manifests')
  reader.add(one)
  reader.add(one)
  expect(() => reader.add(other)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
})

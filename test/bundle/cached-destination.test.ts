import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CachedDestination } from '../../src/bundle/cached-destination.ts'
import type { Layout } from '../../src/layout/layout.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { newLayout } from './layouts.ts'

const blob = sampleBlob('a blob that is kept')
const { descriptor } = blob

describe('a destination whose blobs are kept', () => {
  let folder: TempDir
  let cache: Layout
  let opened = 0
  const open = async () => {
    opened += 1
    return chunksOf('a blob', ' that is kept')
  }
  beforeEach(async () => {
    folder = await makeTempDir()
    cache = await newLayout(folder.path, 'cache')
    opened = 0
  })
  afterEach(() => folder.remove())

  const put = async (store = new MemoryStore('store')) => ({
    how: await new CachedDestination(store, cache).putBlob(descriptor, open),
    bytes: store.blobs.get(descriptor.digest)?.toString(),
  })
  const path = () => join(cache.dir, 'blobs/sha256', hexOf(descriptor.digest))

  it('reads a blob once, however many want it', async () => {
    expect(await put()).toEqual({ how: 'copied', bytes: blob.bytes.toString() })
    expect(await put()).toEqual({ how: 'mounted', bytes: blob.bytes.toString() })
    expect(opened).toBe(1)
  })

  it('does not ask for what the destination has', async () => {
    const store = new MemoryStore('store')
    await put(store)
    await rm(path())
    expect(await put(store)).toMatchObject({ how: 'present' })
    expect(opened).toBe(1)
  })

  it.each([
    ['of the same length', 'A BLOB THAT IS KEPT'],
    ['cut off', 'a blob'],
  ])('reads a blob again whose kept content is damaged: %s', async (_, damaged) => {
    await put()
    await writeFile(path(), damaged)
    const folderStore = await newLayout(folder.path, 'verifying')
    const how = await new CachedDestination(folderStore, cache).putBlob(descriptor, open)
    expect(how).toBe('copied')
    expect(opened).toBe(2)
    expect(await folderStore.hasBlob(descriptor)).toBe(true)
    expect(await put()).toMatchObject({ how: 'mounted', bytes: blob.bytes.toString() })
  })

  it('keeps nothing that is not what its digest says', async () => {
    const cached = new CachedDestination(new MemoryStore('store'), cache)
    await expect(cached.putBlob(descriptor, async () => chunksOf('other'))).rejects.toMatchObject({
      code: 'INTEGRITY',
    })
    expect(await cache.hasBlob(descriptor)).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'
import { MountingDestination, type PlacesOfBlobs } from '../../src/bundle/mounting-destination.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'

describe('one of several repositories', () => {
  it('takes a blob from the one that got it before', async () => {
    const blob = sampleBlob('shared')
    const [first, second] = [new MemoryStore('first'), new MemoryStore('second')]
    second.mountable.add(first)
    const places: PlacesOfBlobs = new Map()
    let opened = 0
    const open = async () => {
      opened += 1
      return chunksOf(blob.bytes)
    }
    const put = (store: MemoryStore) => new MountingDestination(store, places).putBlob(blob.descriptor, open)
    expect(await put(first)).toBe('copied')
    expect(await put(second)).toBe('mounted')
    expect(opened).toBe(1)
  })
})

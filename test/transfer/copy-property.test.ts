import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import type { Chunks } from '../../src/flow.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { addBlob, addImage, addIndex, addManifest, stores, tag } from './images.ts'

interface Tree {
  readonly layers?: readonly Uint8Array[]
  readonly children?: readonly Tree[]
  readonly indent: number
}

/** Images and indexes of any shape; short blobs from a small alphabet, so that many are listed more than once. */
const { tree } = fc.letrec<{ tree: Tree; image: Tree; index: Tree }>(tie => ({
  tree: fc.oneof({ maxDepth: 4 }, tie('image'), tie('index')),
  image: fc.record({
    layers: fc.array(fc.uint8Array({ max: 2, maxLength: 3 }), { maxLength: 4 }),
    indent: fc.nat(4),
  }),
  index: fc.record({
    children: fc.array(tie('tree'), { maxLength: 3 }),
    indent: fc.nat(4),
  }),
}))

function plant(store: MemoryStore, { layers, children, indent }: Tree): Descriptor {
  const plain =
    children === undefined
      ? addImage(store, { layers: (layers ?? []).map(bytes => addBlob(store, bytes)) })
      : addIndex(
          store,
          children.map(child => plant(store, child)),
        )
  // Other bytes for the same content: whoever writes a manifest anew gives itself away.
  const content = store.manifests.get(plain.digest)?.content ?? {}
  store.manifests.delete(plain.digest)
  return addManifest(store, `${JSON.stringify(content, undefined, indent)}\n`)
}

/** Breaks a stream after a byte, once for each place. */
function breakOnce(chunks: Chunks, start: number): Chunks {
  async function* broken() {
    for await (const chunk of chunks) {
      yield chunk.subarray(0, 1)
      if (chunk.length > 1) throw new DrayError('NETWORK', `broken after ${start + 1}`)
    }
  }
  return broken()
}

const wish = fc.record({
  jobs: fc.integer({ min: 1, max: 5 }),
  breaks: fc.boolean(),
  chunk: fc.integer({ min: 1, max: 3 }),
})

test('any image comes over byte for byte, whatever its shape, and each blob once', async () => {
  await fc.assert(
    fc.asyncProperty(tree, wish, async (shape, { jobs, breaks, chunk }) => {
      const { source, destination } = stores()
      tag(source, '1', plant(source, shape))
      source.chunkBytes = chunk
      if (breaks) source.faults.getBlob = (chunks, _, { start }) => breakOnce(chunks, start)
      const sleep = async () => {}
      const result = await copyImage({ source, from: '1', destination, tags: ['1'], jobs, sleep })
      expect(destination.manifests).toEqual(source.manifests)
      expect(destination.blobs).toEqual(source.blobs)
      expect(destination.tags).toEqual(source.tags)
      expect(destination.callsOf('putBlob')).toHaveLength(destination.blobs.size)
      expect(destination.callsOf('putManifest')).toHaveLength(destination.manifests.size)
      expect(result.bytes).toBe([...destination.blobs.values()].reduce((sum, blob) => sum + blob.length, 0))
    }),
  )
})

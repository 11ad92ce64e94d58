import { describe, expect, it } from 'vitest'
import { exportImage } from '../../src/filesystem/export-image.ts'
import type { ImageLayers } from '../../src/filesystem/image-layers.ts'
import type { Chunks } from '../../src/flow.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { layerOf } from './layers.ts'

const mebi = 1024 * 1024

describe('an export', () => {
  it('holds no more than a few pieces of its layers, however large they are and however slowly it is taken', async () => {
    const contentBytes = 64 * mebi
    const small = await layerOf({ name: 'large', content: Buffer.alloc(1) })
    const head = small.subarray(0, 512)
    head.write(contentBytes.toString(8).padStart(11, '0'), 124)
    const sum = head.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0)
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const piece = Buffer.alloc(256 * 1024)
    let given = 0
    async function* blob(): Chunks {
      yield head
      for (given = 0; given < contentBytes; given += piece.length) yield piece
      yield Buffer.alloc(1024)
    }
    const size = contentBytes + 1536
    const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(''), size }
    const image: ImageLayers = {
      source: {
        name: 'endless',
        getBlob: async () => blob(),
        resolve: () => Promise.reject(new Error('not asked')),
        getManifest: () => Promise.reject(new Error('not asked')),
      },
      layers: [{ number: 1, descriptor }],
    }
    let taken = 0
    let most = 0
    const exporting = exportImage(image).pour(async ({ length }) => {
      taken += length
      most = Math.max(most, given - taken)
      await Promise.resolve()
    })
    await expect(exporting).rejects.toMatchObject({ code: 'INTEGRITY' }) // the digest is not that of so many zeros
    expect(taken).toBeGreaterThan(contentBytes - mebi)
    expect(most).toBeLessThan(2 * mebi)
  })
})

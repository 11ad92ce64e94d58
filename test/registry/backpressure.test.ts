import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { type Handler, startFront } from './front.ts'

const piece = Buffer.alloc(1024 * 1024, 'layer ')
const pieces = 300
/** What the buffers of two sockets and of the streams around them may hold. */
const underWay = 24 * piece.length

let descriptor: Descriptor
beforeAll(() => {
  const hash = createHash('sha256')
  for (let at = 0; at < pieces; at += 1) hash.update(piece)
  const digest = `sha256:${hash.digest('hex')}` as Digest
  descriptor = { mediaType: 'application/octet-stream', digest, size: piece.length * pieces }
})

describe('a blob of 300 MiB is never held as a whole', () => {
  it('on its way up: the source is read no faster than the registry takes', async () => {
    let given = 0
    let taken = 0
    let most = 0
    async function* content(): Chunks {
      for (let at = 0; at < pieces; at += 1) {
        given += piece.length
        most = Math.max(most, given - taken)
        yield piece
      }
    }
    const takes: Handler = async ({ method, message }, response) => {
      if (method === 'POST') return response.writeHead(202, { location: '/upload' }).end()
      for await (const chunk of message) taken += chunk.length
      return response.writeHead(201).end()
    }
    await using front = await startFront(takes)
    await front.repository.putBlob(descriptor, async () => content())
    expect(taken).toBe(descriptor.size)
    expect(most).toBeLessThan(underWay)
  })

  it('on its way down: the registry is read no faster than the reader takes', async () => {
    let given = 0
    let taken = 0
    let most = 0
    await using front = await startFront(async (_, response) => {
      for (let at = 0; at < pieces; at += 1) {
        await new Promise(resolve => response.write(piece, resolve))
        given += piece.length
        most = Math.max(most, given - taken)
      }
      response.end()
    })
    for await (const chunk of await front.repository.getBlob(descriptor)) taken += chunk.length
    expect(taken).toBe(descriptor.size)
    expect(most).toBeLessThan(underWay)
  })
})

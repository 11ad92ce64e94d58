import { createCipheriv } from 'node:crypto'
import { type Flow, flow } from '../../src/flow.ts'

/** Always the same bytes for a size, and no two pieces of them alike. */
export function contentOf(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(bytes))
}

export interface PiecesOptions {
  /** In bytes; 50,000 if not given, which divides nothing. */
  readonly length?: number | undefined
  /** Comes behind the last piece; may wait, or throw. */
  readonly atEnd?: (() => Promise<unknown>) | undefined
}

/** Hands bytes over in pieces that all lie in the same memory, as a connection does. */
export function piecesOf(bytes: Uint8Array, { length = 50_000, atEnd }: PiecesOptions = {}): Flow {
  return flow(async take => {
    const memory = Buffer.alloc(length)
    for (let start = 0; start < bytes.length; start += length) {
      const piece = bytes.subarray(start, start + length)
      memory.set(piece)
      await take(memory.subarray(0, piece.length))
      memory.fill(0xff)
    }
    await atEnd?.()
  })
}

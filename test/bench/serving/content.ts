import { createHash, randomBytes } from 'node:crypto'
import type { Body } from './connection.ts'

/** Content to be sent, and what it is named by. */
export interface NamedContent extends Body {
  readonly digest: string
  /** The bytes from `start` to before `end`, both multiples of `pieceBytes` or the end. */
  part(start: number, end: number): Body
}

/** The pieces in which a blob is sent. */
export const pieceBytes = 1024 * 1024

/** A few bytes. */
export function small(content: Uint8Array | string): NamedContent {
  const bytes = Buffer.from(content)
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  return {
    digest,
    bytes: bytes.length,
    pieces: [bytes],
    part: () => ({ bytes: bytes.length, pieces: [bytes] }),
  }
}

/**
 * Makes big blobs, each another: one random piece over and over, and one of the blob's own at the end. So a blob costs the
 * memory and the hashing of that one piece.
 * @param bytes of each blob, a multiple of `pieceBytes`
 */
export function bigBlobs(bytes: number): () => NamedContent {
  const common = randomBytes(pieceBytes)
  const count = bytes / pieceBytes
  const begun = createHash('sha256')
  for (let piece = 1; piece < count; piece += 1) begun.update(common)
  return () => {
    const last = randomBytes(pieceBytes)
    const digest = `sha256:${begun.copy().update(last).digest('hex')}`
    const pieces = [...Array<Buffer>(count - 1).fill(common), last]
    const part = (start: number, end: number) => ({
      bytes: end - start,
      pieces: pieces.slice(start / pieceBytes, end / pieceBytes),
    })
    return { digest, bytes, pieces, part }
  }
}

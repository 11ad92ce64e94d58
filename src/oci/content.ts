import { DrayError } from '../errors.ts'
import { type Chunks, type Flow, flow, pour } from '../flow.ts'
import type { Descriptor } from './descriptor.ts'
import { algorithmOf, DigestCounter } from './digest.ts'

/** What is known of content before it is read. */
export interface VerifyOptions {
  /** Has counted what comes before. */
  readonly counter?: DigestCounter | undefined
  /** Told how far the counting is, after each piece. */
  readonly onCounted?: ((counter: DigestCounter) => void) | undefined
}

/**
 * Passes content through while counting and hashing it. The last piece is only given out when size and digest are
 * right, so whoever stores the stream never holds the whole of a wrong blob.
 * @throws DrayError `INTEGRITY`
 */
export function verified(
  chunks: Chunks,
  descriptor: Descriptor,
  name: string,
  { counter = new DigestCounter(algorithmOf(descriptor.digest)), onCounted }: VerifyOptions = {},
): Flow {
  return flow(async take => {
    await pour(chunks, piece => {
      if (piece.length === 0) return undefined
      counter.add(piece)
      checkSize(counter.bytes, descriptor, name)
      if (counter.bytes === descriptor.size) checkDigest(counter, descriptor, name)
      onCounted?.(counter)
      return take(piece)
    })
    checkEnd(counter.bytes, descriptor, name)
    if (descriptor.size === 0) checkDigest(counter, descriptor, name)
  })
}

/**
 * Collects a stream of at most `limit` bytes.
 * @throws DrayError `INTEGRITY` when there is more
 */
export async function collect(chunks: Chunks, limit: number, name: string): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0
  await pour(chunks, piece => {
    length += piece.length
    if (length > limit)
      throw new DrayError('INTEGRITY', `${name}: more than ${limit} bytes, which is the limit`)
    parts.push(Buffer.from(piece))
    return undefined
  })
  return Buffer.concat(parts, length)
}

/** @throws DrayError `INTEGRITY` when a stream ended with fewer bytes than the descriptor says */
export function checkEnd(bytes: number, descriptor: Descriptor, name: string): void {
  if (bytes >= descriptor.size) return
  throw new DrayError('INTEGRITY', `${name}: ended after ${bytes} of ${descriptor.size} bytes`)
}

/** @throws DrayError `INTEGRITY` when more bytes came than the descriptor says */
export function checkSize(bytes: number, descriptor: Descriptor, name: string): void {
  if (bytes <= descriptor.size) return
  throw new DrayError('INTEGRITY', `${name}: more than the ${descriptor.size} bytes that its descriptor says`)
}

/** @throws DrayError `INTEGRITY` when the content is not what the descriptor says */
export function checkDigest(counter: DigestCounter, descriptor: Descriptor, name: string): void {
  const digest = counter.digest()
  if (digest !== descriptor.digest) {
    throw new DrayError('INTEGRITY', `${name}: the content has digest ${digest}, not ${descriptor.digest}`)
  }
}

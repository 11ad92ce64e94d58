import type { FileHandle } from 'node:fs/promises'
import { onDisk } from './io-error.ts'

const bufferBytes = 64 * 1024

export interface PourFileOptions {
  /** What the file is called in messages. */
  readonly path: string
  /** The first and the last byte, both inclusive; the whole file where left out. */
  readonly start?: number | undefined
  readonly end?: number | undefined
}

/**
 * Hands the bytes of a file over in pieces, whose memory is used again as soon as they are taken; where `take` answers
 * with a promise, the next piece comes when it is kept.
 * @throws DrayError `IO`, and what `take` throws
 */
export async function pourFile(
  file: FileHandle,
  take: (piece: Uint8Array) => undefined | Promise<unknown>,
  { path, start = 0, end = Number.POSITIVE_INFINITY }: PourFileOptions,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  let position = start
  while (position <= end) {
    const length = Math.min(bufferBytes, end - position + 1)
    const { bytesRead } = await onDisk(path, file.read(buffer, 0, length, position))
    if (bytesRead === 0) return
    position += bytesRead
    const taken = take(buffer.subarray(0, bytesRead))
    if (taken !== undefined) await taken
  }
}

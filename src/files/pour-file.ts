import type { FileHandle } from 'node:fs/promises'
import { onDisk } from './io-error.ts'

const defaultPieceBytes = 128 * 1024

export interface PourFileOptions {
  /** What the file is called in messages. */
  readonly path: string
  /** The first and the last byte, both inclusive; the whole file where left out. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  /** The largest piece, of which two are in memory; 128 KiB when absent. */
  readonly pieceBytes?: number | undefined
}

/**
 * Hands the bytes of a file over in pieces, whose memory is used again as soon as they are taken; where `take` answers
 * with a promise, the next piece comes when it is kept. While a piece is taken, the next one is read.
 * @throws DrayError `IO`, and what `take` throws
 */
export async function pourFile(
  file: FileHandle,
  take: (piece: Uint8Array) => undefined | Promise<unknown>,
  { path, start = 0, end = Number.POSITIVE_INFINITY, pieceBytes = defaultPieceBytes }: PourFileOptions,
): Promise<void> {
  let position = start
  const read = async (buffer: Buffer): Promise<Buffer> => {
    const length = Math.max(Math.min(buffer.length, end - position + 1), 0)
    const { bytesRead } =
      length === 0 ? { bytesRead: 0 } : await onDisk(path, file.read(buffer, 0, length, position))
    position += bytesRead
    return buffer.subarray(0, bytesRead)
  }
  let buffer: Buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, Math.max(end - start + 1, 1)))
  let spare: Buffer | undefined
  let piece = await read(buffer)
  // A small file is done with its first piece, and has no use for a second buffer.
  while (piece.length === buffer.length && position <= end) {
    const taken = piece
    spare ??= Buffer.allocUnsafeSlow(pieceBytes)
    ;[piece] = await Promise.all([read(spare), (async () => take(taken))()])
    ;[buffer, spare] = [spare, buffer]
  }
  // The end of the file, or close to it: nothing is worth reading ahead.
  for (; piece.length > 0; piece = await read(buffer)) await take(piece)
}

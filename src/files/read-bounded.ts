import { type FileHandle, open } from 'node:fs/promises'
import { DrayError, type ErrorCode } from '../errors.ts'
import { onDisk } from './io-error.ts'

/**
 * Reads a file or a pipe of at most `limit` bytes.
 * @param absence the code where nothing is there
 * @throws DrayError `absence`, `IO`, and `INTEGRITY` for more bytes
 */
export async function readBounded(path: string, limit: number, absence?: ErrorCode): Promise<Buffer> {
  const bytes = await onDisk(path, readStart(path, limit + 1), absence)
  return checkBounded(bytes, path, limit)
}

/** @throws DrayError `INTEGRITY` for more bytes than the limit */
export function checkBounded(bytes: Buffer, path: string, limit: number): Buffer {
  if (bytes.length <= limit) return bytes
  throw new DrayError('INTEGRITY', `${path}: more than ${limit} bytes, which is the limit`)
}

const firstPieceBytes = 64 * 1024
const largestPieceBytes = 1024 * 1024

async function readStart(path: string, length: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  return await readOn(file, length)
}

/**
 * Reads on to the end of an open file or pipe, or `length` bytes. Not by the size that stat tells, which is 0 for a pipe;
 * and without a stream, which takes longer to load than to read.
 */
export async function readOn(file: FileHandle, length: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let left = length, pieceBytes = firstPieceBytes; left > 0; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(left, pieceBytes)))
    if (bytesRead === 0) break
    pieces.push(buffer.subarray(0, bytesRead))
    left -= bytesRead
    // What comes in small pieces, as from a pipe, is not to hold much larger buffers.
    if (bytesRead === pieceBytes) pieceBytes = Math.min(2 * pieceBytes, largestPieceBytes)
  }
  return Buffer.concat(pieces)
}

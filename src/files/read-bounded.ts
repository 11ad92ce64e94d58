import { open } from 'node:fs/promises'
import { DrayError, type ErrorCode } from '../errors.ts'
import { onDisk } from './io-error.ts'

/**
 * Reads a file or a pipe of at most `limit` bytes.
 * @param absence the code where nothing is there
 * @throws DrayError `absence`, `IO`, and `INTEGRITY` for more bytes
 */
export async function readBounded(path: string, limit: number, absence?: ErrorCode): Promise<Buffer> {
  const bytes = await onDisk(path, readStart(path, limit + 1), absence)
  if (bytes.length <= limit) return bytes
  throw new DrayError('INTEGRITY', `${path}: more than ${limit} bytes, which is the limit`)
}

/** Not by the size that stat tells, which is 0 for a pipe. */
async function readStart(path: string, length: number): Promise<Buffer> {
  await using file = await open(path, 'r')
  const chunks: Buffer[] = []
  for await (const chunk of file.createReadStream({ end: length - 1, autoClose: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

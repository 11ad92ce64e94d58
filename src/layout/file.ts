import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DrayError } from '../errors.ts'
import { onDisk } from './io-error.ts'

/**
 * Reads a regular file of at most `limit` bytes.
 * @throws DrayError `NOT_FOUND`, `IO`, and `INTEGRITY` for a larger file
 */
export async function readBounded(path: string, limit: number): Promise<Buffer> {
  const file = await onDisk(path, open(path, 'r'))
  try {
    const { size } = await onDisk(path, file.stat())
    if (size > limit) {
      throw new DrayError('INTEGRITY', `${path}: ${size} bytes are over the limit of ${limit}`)
    }
    return await onDisk(path, file.readFile())
  } finally {
    await file.close()
  }
}

/**
 * Writes a file under a temporary name beside its own, flushes it to disk and renames it, so that a reader sees the
 * old content or the whole of the new. When `fill` fails, nothing is left.
 * @throws DrayError `IO`, and what `fill` throws
 */
export async function replaceFile(path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${randomUUID()}.tmp`)
  await onDisk(folder, mkdir(folder, { recursive: true }))
  const file = await onDisk(temporary, open(temporary, 'wx'))
  try {
    try {
      await fill(file)
      await onDisk(temporary, file.sync())
    } finally {
      await file.close()
    }
    await onDisk(path, rename(temporary, path))
  } catch (error) {
    await onDisk(temporary, rm(temporary, { force: true }))
    throw error
  }
}

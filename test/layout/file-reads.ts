import { type FileHandle, open } from 'node:fs/promises'
import { vi } from 'vitest'

/** What was read from files since the counting began. */
export interface FileReads extends Disposable {
  readonly count: number
  readonly bytes: number
}

/** Counts the reads of all files that are, or will be, open. */
export async function countFileReads(): Promise<FileReads> {
  await using probe = await open(import.meta.filename)
  const prototype: FileHandle = Object.getPrototypeOf(probe)
  const reads = { count: 0, bytes: 0, [Symbol.dispose]: () => spy.mockRestore() }
  const read = prototype.read
  const spy = vi.spyOn(prototype, 'read').mockImplementation(async function (
    this: FileHandle,
    ...args: unknown[]
  ) {
    const result = await Reflect.apply(read, this, args)
    reads.count += 1
    reads.bytes += result.bytesRead
    return result
  })
  return reads
}

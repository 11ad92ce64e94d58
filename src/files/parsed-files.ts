import type { BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { ifThere, onDisk } from './io-error.ts'
import { checkBounded, readOn } from './read-bounded.ts'

/** What is read of a kind of file. */
export interface ParsedFilesOptions<Value> {
  /** The largest file that is read, in bytes. */
  readonly limit: number
  readonly parse: (bytes: Buffer, path: string) => Value
  /**
   * After how long another change of a file is sure to give it another stamp, in milliseconds; 2.5 s when absent, since a
   * file may be written twice within one tick of its file system's clock, the coarsest of which has 2 s (FAT).
   */
  readonly settledMs?: number | undefined
  /** Now, in milliseconds since 1970. */
  readonly clock?: (() => number) | undefined
}

interface Kept<Value> {
  /** Undefined while the file is so young that the same stamp could be that of other content. */
  readonly stamp: string | undefined
  readonly bytes: Buffer
  readonly value: Value
}

/** How much is read at once of a file that was not read before. */
const firstBytes = 64 * 1024
/** What is kept of all files together, counted in the bytes that they have on disk. */
const maxKeptBytes = 32 * 1024 * 1024

/**
 * Files of one kind with what they say kept in memory, which is used as long as the file is the same: changes by other
 * processes are seen at once. That it is the same is said by `stat`, once its last change is so long ago that the next
 * one will have another time, and by its bytes before.
 */
export class ParsedFiles<Value> {
  readonly #options: ParsedFilesOptions<Value>
  /** The longest unused first. */
  readonly #kept = new Map<string, Kept<Value>>()
  #bytes = 0

  constructor(options: ParsedFilesOptions<Value>) {
    this.#options = options
  }

  /**
   * What the file says: the same object as long as the file stays the same. Undefined where there is no file.
   * @throws DrayError `IO`, `INTEGRITY` when it is too large, and what parsing it throws
   */
  async read(path: string): Promise<Value | undefined> {
    const { limit, parse, settledMs = 2500, clock = Date.now } = this.#options
    const now = clock()
    const kept = this.#kept.get(path)
    if (kept?.stamp !== undefined && (await this.#stampOf(path)) === kept.stamp) {
      this.#keep(path, kept)
      return kept.value
    }
    const read = await ifThere(onDisk(path, readWithStatus(path, limit, kept?.bytes.length)))
    if (read === undefined) {
      this.#forget(path)
      return undefined
    }
    const bytes = checkBounded(read.bytes, path, limit)
    const value = kept?.bytes.equals(bytes) ? kept.value : parse(bytes, path)
    // What changes between its bytes and its stamp, whichever is taken first, is too young for the stamp to be kept.
    const stamp = now - changedMs(read.status) > settledMs ? stampOf(read.status) : undefined
    this.#keep(path, { stamp, bytes, value })
    return value
  }

  /** Spares whoever wrote a file its parsing, as long as these are its bytes. */
  written(path: string, bytes: Buffer, value: Value): void {
    this.#keep(path, { stamp: undefined, bytes, value })
  }

  async #stampOf(path: string): Promise<string | undefined> {
    const status = await ifThere(onDisk(path, stat(path, { bigint: true })))
    return status && stampOf(status)
  }

  #keep(path: string, kept: Kept<Value>): void {
    this.#forget(path)
    this.#kept.set(path, kept)
    this.#bytes += kept.bytes.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxKeptBytes) return
      this.#forget(oldest)
    }
  }

  #forget(path: string): void {
    this.#bytes -= this.#kept.get(path)?.bytes.length ?? 0
    this.#kept.delete(path)
  }
}

interface ReadFile {
  readonly status: BigIntStats
  readonly bytes: Buffer
}

/** One byte more than the limit at most. A file that is no longer than `expected` takes a single piece. */
async function readWithStatus(path: string, limit: number, expected = firstBytes): Promise<ReadFile> {
  await using file = await open(path, 'r')
  const [status, { buffer, bytesRead }] = await Promise.all([
    file.stat({ bigint: true }),
    file.read(Buffer.allocUnsafe(Math.min(expected, limit) + 1)),
  ])
  const bytes = buffer.subarray(0, bytesRead)
  if (status.isFile() && status.size === BigInt(bytesRead)) return { status, bytes }
  return { status, bytes: Buffer.concat([bytes, await readOn(file, limit + 1 - bytesRead)]) }
}

function changedMs({ ctimeMs, mtimeMs }: BigIntStats): number {
  return Number(ctimeMs > mtimeMs ? ctimeMs : mtimeMs)
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

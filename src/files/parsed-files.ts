import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { ifThere, onDisk } from './io-error.ts'
import { readBounded } from './read-bounded.ts'

/** What is read of a kind of file. */
export interface ParsedFilesOptions<Value> {
  /** The largest file that is read, in bytes. */
  readonly limit: number
  readonly parse: (bytes: Buffer, path: string) => Value
  /** Now, in milliseconds since 1970. */
  readonly clock?: (() => number) | undefined
}

interface Kept<Value> {
  /** Undefined while the file is so young that the same stamp could be that of other content. */
  readonly stamp: string | undefined
  readonly bytes: Buffer
  readonly value: Value
}

/** A file may be written twice within one tick of its file system's clock, the coarsest of which has 2 s (FAT). */
const settledMs = 2500
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
    const { limit, parse, clock = Date.now } = this.#options
    const now = clock()
    const status = await ifThere(onDisk(path, stat(path, { bigint: true })))
    const kept = this.#kept.get(path)
    this.#forget(path)
    if (status === undefined) return undefined
    const stamp = stampOf(status)
    if (kept?.stamp === stamp) {
      this.#keep(path, kept)
      return kept.value
    }
    // Read after the stamp was taken: what is newer than its stamp is only read once more.
    const bytes = await ifThere(readBounded(path, limit))
    if (bytes === undefined) return undefined
    const value = kept?.bytes.equals(bytes) ? kept.value : parse(bytes, path)
    const changedMs = Number(status.ctimeMs > status.mtimeMs ? status.ctimeMs : status.mtimeMs)
    this.#keep(path, { stamp: now - changedMs > settledMs ? stamp : undefined, bytes, value })
    return value
  }

  /** Spares whoever wrote a file its parsing, as long as these are its bytes. */
  written(path: string, bytes: Buffer, value: Value): void {
    this.#keep(path, { stamp: undefined, bytes, value })
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

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

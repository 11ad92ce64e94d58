import { type FileHandle, open } from 'node:fs/promises'
import { quote } from '../errors.ts'
import { onDisk } from '../files/io-error.ts'
import { pourFile } from '../files/pour-file.ts'
import { type Flow, flow, pour } from '../flow.ts'
import { aborted } from './aborted.ts'
import { ArchiveTree } from './archive-tree.ts'
import { filledUp } from './real-content.ts'
import type { TarFileEntry } from './tar-header.ts'
import { indexTar } from './tar-index.ts'
import { type TarLimits, tarFault } from './tar-limits.ts'

/** Which bytes of an entry's content to read. */
export interface ReadEntryOptions {
  /** The first and the last byte, both inclusive; the whole content where left out. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an uncompressed archive that is a file. Its headers are read and its contents are not, so that an archive of
 * large files costs little.
 * @throws DrayError `NOT_FOUND`, `IO`; `INTEGRITY` as `readTar`
 */
export async function openTarFile(path: string, limits: TarLimits = {}): Promise<TarFile> {
  return indexedTarFile(await onDisk(path, open(path, 'r')), path, limits)
}

/**
 * The archive in a file that is open already, and that is closed with it, or at once where this fails.
 * @param name what the archive is called in messages
 * @throws DrayError `IO`; `INTEGRITY` as `readTar`
 */
export async function indexedTarFile(file: FileHandle, name: string, limits: TarLimits): Promise<TarFile> {
  try {
    const { size } = await onDisk(name, file.stat())
    const oddities: string[] = []
    const onOddity = (text: string) => oddities.push(text)
    const entries = await indexTar({ file, size }, { ...limits, name, onOddity })
    return new TarFile({ file, name, size, entries, oddities })
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What a TarFile is made of. */
interface IndexedFile {
  readonly file: FileHandle
  readonly name: string
  readonly size: number
  readonly entries: readonly TarFileEntry[]
  readonly oddities: readonly string[]
}

/** An uncompressed archive in a file, whose entries are read in any order: see `openTarFile` and `openArchive`. */
export class TarFile implements AsyncDisposable {
  /** What the archive is called in messages. */
  readonly name: string
  /** All entries in the order of the archive, also those that a later one of the same name replaces. */
  readonly entries: readonly TarFileEntry[]
  /** What is wrong with the archive and does no harm to its entries, as sentences. */
  readonly oddities: readonly string[]
  readonly #file: FileHandle
  readonly #size: number
  readonly #tree: ArchiveTree<TarFileEntry>

  constructor({ file, name, size, entries, oddities }: IndexedFile) {
    this.name = name
    this.entries = entries
    this.oddities = oddities
    this.#file = file
    this.#size = size
    this.#tree = new ArchiveTree(entries, name)
  }

  /** The last entry of this name, where `./a/` and `a` are one name. A name that leaves the tree is no entry's. */
  find(name: string): TarFileEntry | undefined {
    return this.#tree.find(name)
  }

  /**
   * The entry that a name leads to, through symlinks (of folders too) and hard links within the archive.
   * @throws DrayError `INTEGRITY` for links that leave the archive or lead in a circle
   */
  follow(name: string): TarFileEntry | undefined {
    return this.#tree.follow(name)
  }

  /**
   * The content of an entry as it is unpacked, a sparse file's holes as zeros. Can be read again, and side by side.
   * @throws DrayError as it flows: `INTEGRITY` when the file is not as long as it was any more, `ABORTED`, `IO`
   */
  read(entry: TarFileEntry, { start = 0, end = entry.size - 1, signal }: ReadEntryOptions = {}): Flow {
    if (entry.sparse === undefined) return this.#stored(entry, { start, end, signal })
    return filledUp(entry, this.#stored(entry, { signal }), { archive: this.name, start, end })
  }

  /**
   * The whole content of an entry.
   * @throws DrayError `INTEGRITY` when it is more than `limit` bytes; else as `read`
   */
  async readBytes(entry: TarFileEntry, limit: number, signal?: AbortSignal): Promise<Buffer> {
    if (entry.size > limit) {
      throw tarFault(this.name, `entry ${quote(entry.name)} is more than ${limit} bytes, which is the limit`)
    }
    const bytes = Buffer.alloc(entry.size)
    let length = 0
    await pour(this.read(entry, { signal }), piece => {
      bytes.set(piece, length)
      length += piece.length
      return undefined
    })
    return bytes
  }

  /** Closes the file; nothing can be read after that. */
  async close(): Promise<void> {
    await onDisk(this.name, this.#file.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #stored(entry: TarFileEntry, { start = 0, end = entry.storedSize - 1, signal }: ReadEntryOptions): Flow {
    return flow(async take => {
      await this.#checkSize()
      const last = Math.min(end, entry.storedSize - 1)
      const range = { path: this.name, start: entry.contentOffset + start, end: entry.contentOffset + last }
      const takeOne = (piece: Uint8Array) => {
        if (signal?.aborted) throw aborted(this.name, signal)
        return take(piece)
      }
      await pourFile(this.#file, takeOne, range)
      await this.#checkSize()
    })
  }

  async #checkSize(): Promise<void> {
    const { size } = await onDisk(this.name, this.#file.stat())
    if (size !== this.#size)
      throw tarFault(this.name, `the file was changed: ${size} bytes, no longer ${this.#size}`)
  }
}

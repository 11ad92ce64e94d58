import { join } from 'node:path'
import { withFileLock } from '../files/file-lock.ts'
import { ifThere } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'
import { formatIndex, type IndexDocument, maxIndexBytes, parseIndex } from './index-document.ts'
import type { IndexEntry } from './index-entries.ts'
import type { KeyedLock } from './keyed-lock.ts'

/** index.json of a layout in a folder. What it holds beside `manifests` is kept. */
export class IndexFile {
  readonly path: string
  readonly #locks: KeyedLock

  constructor(dir: string, locks: KeyedLock) {
    this.path = join(dir, 'index.json')
    this.#locks = locks
  }

  /** @throws DrayError `INTEGRITY` when it is missing, too large or malformed, `IO` */
  async read(): Promise<IndexDocument> {
    return parseIndex(await this.#readBytes(), this.path)
  }

  /**
   * Reads, changes and replaces the file, one change at a time: changes by several processes that use this too happen
   * one after the other, so none is lost.
   * @throws DrayError `INTEGRITY`, `IO`, or `TIMEOUT` when another process keeps the file's lock
   */
  async update(
    change: (entries: readonly IndexEntry[]) => IndexEntry[] | Promise<IndexEntry[]>,
  ): Promise<void> {
    await this.#alone(async () => {
      const document = await this.read()
      await this.#write({ ...document, manifests: await change(document.manifests ?? []) })
    })
  }

  /** Writes the file where there is none yet. */
  async create(document: IndexDocument): Promise<void> {
    await this.#alone(async () => {
      if ((await this.#readBytes()) === undefined) await this.#write(document)
    })
  }

  /** In this process by waiting for one's turn, which costs less than asking for the file's lock again and again. */
  #alone(work: () => Promise<void>): Promise<void> {
    return this.#locks.run(this.path, () => withFileLock(this.path, work))
  }

  #readBytes(): Promise<Buffer | undefined> {
    return ifThere(readBounded(this.path, maxIndexBytes))
  }

  async #write(document: IndexDocument): Promise<void> {
    await replaceFile(this.path, formatIndex(document))
  }
}

import { join } from 'node:path'
import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import { withFileLock } from '../files/file-lock.ts'
import { ifThere } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { type IndexEntry, indexEntrySchema } from './index-entries.ts'
import type { KeyedLock } from './keyed-lock.ts'

/** The largest index.json that is read, in bytes. */
export const maxIndexFileBytes = 64 * 1024 * 1024

/** Go programs write an empty list as null. */
const indexFileSchema = z.looseObject({ manifests: z.nullable(z.array(indexEntrySchema)) })

type IndexFileDocument = z.infer<typeof indexFileSchema>

/** index.json of a layout (image-spec v1.1, image-layout.md#indexjson-file). What it holds beside `manifests` is kept. */
export class IndexFile {
  readonly #path: string
  readonly #locks: KeyedLock

  constructor(dir: string, locks: KeyedLock) {
    this.#path = join(dir, 'index.json')
    this.#locks = locks
  }

  /** @throws DrayError `INTEGRITY` when it is missing, too large or malformed, `IO` */
  async entries(): Promise<readonly IndexEntry[]> {
    return (await this.#read()).manifests ?? []
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
      const document = await this.#read()
      await this.#write({ ...document, manifests: await change(document.manifests ?? []) })
    })
  }

  /** Writes an index without manifests where there is no file yet. */
  async create(): Promise<void> {
    await this.#alone(async () => {
      if ((await this.#readBytes()) !== undefined) return
      await this.#write({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] })
    })
  }

  /** In this process by waiting for one's turn, which costs less than asking for the file's lock again and again. */
  #alone(work: () => Promise<void>): Promise<void> {
    return this.#locks.run(this.#path, () => withFileLock(this.#path, work))
  }

  async #read(): Promise<IndexFileDocument> {
    const bytes = await this.#readBytes()
    if (bytes === undefined) {
      throw new DrayError('INTEGRITY', `${this.#path}: the layout has no index.json`)
    }
    let document: unknown
    try {
      document = JSON.parse(bytes.toString('utf8'))
    } catch (cause) {
      throw new DrayError('INTEGRITY', `${this.#path}: not JSON`, { cause })
    }
    const result = indexFileSchema.safeParse(document)
    // The document itself and not zod's copy of it, which has its keys in another order.
    if (result.success) return document as IndexFileDocument
    const where = result.error.issues[0]?.path.map(String).join('.') || 'index'
    throw new DrayError('INTEGRITY', `${this.#path}: malformed at "${where}"`)
  }

  #readBytes(): Promise<Buffer | undefined> {
    return ifThere(readBounded(this.#path, maxIndexFileBytes))
  }

  async #write(document: IndexFileDocument): Promise<void> {
    await replaceFile(this.#path, `${JSON.stringify(document)}\n`)
  }
}

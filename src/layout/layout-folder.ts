import { join } from 'node:path'
import { makeFolder } from '../files/make-folder.ts'
import { BlobStore } from './blob-store.ts'
import { emptyIndex, type IndexDocument } from './index-document.ts'
import { IndexFile } from './index-file.ts'
import { KeyedLock } from './keyed-lock.ts'
import type { LayoutCache } from './layout-cache.ts'
import { writeLayoutFile } from './layout-file.ts'
import type { LayoutFiles } from './layout-files.ts'
import { PartialFolder } from './partial-folder.ts'

export interface LayoutFolderOptions {
  /** What the layout is called in messages. */
  readonly name: string
  /** Whether the folder is a layout already. */
  readonly isThere: boolean
  /** Shared by all who write to the same folder in this process. */
  readonly locks?: KeyedLock | undefined
  readonly cache?: LayoutCache | undefined
  /** Where parts of large blobs are kept; `.partial` in the folder when absent. */
  readonly partials?: PartialFolder | undefined
  /** What a new layout's index.json begins with; an empty list when absent. */
  readonly firstIndex?: IndexDocument | undefined
  /** Permissions of the folder where it is made; what the umask leaves when absent. */
  readonly mode?: number | undefined
}

/** The files of a layout in a folder, which are made with the first write. */
export class LayoutFolder implements LayoutFiles {
  readonly dir: string
  readonly blobs: BlobStore
  readonly indexFile: IndexFile
  readonly #firstIndex: IndexDocument
  readonly #mode: number | undefined
  #isThere: boolean

  constructor(dir: string, options: LayoutFolderOptions) {
    this.dir = dir
    this.blobs = new BlobStore(
      join(dir, 'blobs'),
      options.name,
      options.partials ?? new PartialFolder(join(dir, '.partial')),
    )
    this.indexFile = new IndexFile(dir, options.locks ?? new KeyedLock(), options.cache)
    this.#firstIndex = options.firstIndex ?? emptyIndex
    this.#mode = options.mode
    this.#isThere = options.isThere
  }

  /** False until something was written. */
  get isThere(): boolean {
    return this.#isThere
  }

  get indexPath(): string {
    return this.indexFile.path
  }

  async index(): Promise<IndexDocument> {
    return this.#isThere ? this.indexFile.read() : this.#firstIndex
  }

  /** Writes what makes the folder a layout, where it is missing. @throws DrayError `IO` */
  async create(): Promise<void> {
    if (this.#isThere) return
    await makeFolder(this.dir, this.#mode)
    await this.indexFile.create(this.#firstIndex)
    await writeLayoutFile(this.dir)
    this.#isThere = true
  }
}

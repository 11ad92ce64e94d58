import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ifThere, onDisk } from './io-error.ts'
import { inFolder } from './make-folder.ts'
import { removeFile } from './remove-file.ts'
import { temporaryPath } from './temporary-name.ts'

export interface StagedFileOptions {
  /** The permissions of the new file, such as `0o600` for its owner alone; what the umask leaves when absent. */
  readonly mode?: number | undefined
  /** Gives the new file to the owner of the old one; only root may do that. */
  readonly keepOwner?: boolean | undefined
  /** Makes the folder where it is missing. */
  readonly makeFolder?: boolean | undefined
}

/**
 * A file that is written under a temporary name, in the folder where it belongs, and flushed to disk: it has only to be
 * given its name. It is begun at once; whoever has it open disposes of it, after which nothing is left of what was not put
 * in its place.
 */
export class StagedFile implements AsyncDisposable {
  readonly #path: string
  readonly #temporary: string
  readonly #written: Promise<void>
  #closed: Promise<void> | undefined
  #isInPlace = false

  /** @param content a text, or what writes to the file */
  constructor(
    path: string,
    content: string | ((file: FileHandle) => Promise<void>),
    options: StagedFileOptions = {},
  ) {
    this.#path = path
    this.#temporary = temporaryPath(dirname(path))
    this.#written = this.#write(content, options)
    // Whoever puts the file in its place is told, and who does not need not know.
    this.#written.catch(() => {})
  }

  /**
   * Gives the file its name, in the place of what has it, when all is written.
   * @param check is asked right before, and prevents it by throwing
   * @throws DrayError `IO`, and what `content` and `check` throw
   */
  async putInPlace(check?: () => Promise<void>): Promise<void> {
    await this.#written
    await check?.()
    await onDisk(this.#path, rename(this.#temporary, this.#path), 'IO')
    this.#isInPlace = true
    await this.#closed
  }

  /** @throws DrayError `IO` */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isInPlace) return
    await Promise.allSettled([this.#written])
    await this.#closed
    await removeFile(this.#temporary)
  }

  async #write(
    content: string | ((file: FileHandle) => Promise<void>),
    { mode, keepOwner, makeFolder = false }: StagedFileOptions,
  ): Promise<void> {
    const path = this.#path
    const owner = keepOwner ? await ifThere(onDisk(path, stat(path))) : undefined
    const folder = dirname(path)
    const create = () => open(this.#temporary, 'wx', mode)
    const file = await onDisk(folder, makeFolder ? inFolder(folder, create) : create(), 'IO')
    try {
      if (typeof content === 'string') await onDisk(path, file.writeFile(content))
      else await content(file)
      if (owner !== undefined) await onDisk(path, file.chown(owner.uid, owner.gid))
      await onDisk(path, file.sync())
    } finally {
      // Beside what comes next: what has been flushed has nothing left to be done by it.
      this.#closed = onDisk(path, file.close())
      this.#closed.catch(() => {})
    }
  }
}

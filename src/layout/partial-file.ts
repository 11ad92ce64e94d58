import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { FileAppender } from '../files/file-appender.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { pourFile } from '../files/pour-file.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { OpenFile } from './blob-writer.ts'

/** At the end of the name of a part that has a writer, or had one that was killed. */
export const openSuffix = '.open'

/**
 * A part of a blob, and its only writer: nobody else writes to a file of that name. Others may read it, and take the
 * name away when they have a copy of what it holds, or the whole blob; what is written here is not lost by that.
 */
export class PartialFile implements OpenFile, AsyncDisposable {
  readonly path: string
  readonly file: FileHandle
  #hasEnded = false

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.file = file
  }

  /**
   * Makes an empty part.
   * @param prefix of its path
   * @throws DrayError `NOT_FOUND` when the folder is gone, `IO`
   */
  static async create(prefix: string): Promise<PartialFile> {
    const path = `${prefix}${randomUUID()}${openSuffix}`
    return new PartialFile(path, await onDisk(path, open(path, 'wx+')))
  }

  /**
   * Takes over a part that has no writer; of several who try, one is the new writer.
   * @throws DrayError `NOT_FOUND` for the others, `IO`
   */
  static async takeOver(left: string): Promise<PartialFile> {
    const path = `${left}${openSuffix}`
    await onDisk(left, rename(left, path))
    const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)
    return new PartialFile(path, await onDisk(path, open(path, flags)))
  }

  /**
   * Flushes the file to disk and puts it in its place.
   * @param isThere whether somebody else has put the same content there
   * @throws DrayError `IO`
   */
  async publish(path: string, isThere: () => Promise<boolean>): Promise<void> {
    // Its last byte may have come long ago, and what is old and not listed yet is collected.
    await onDisk(this.path, this.file.utimes(new Date(), new Date()))
    await onDisk(this.path, this.file.sync())
    const isRenamed = await renamed(this.path, path)
    if (!isRenamed && !(await isThere())) await replaceFile(path, copy => this.#copyTo(copy, path))
    await this.#close()
  }

  /** Throws away what there is. @throws DrayError `IO` */
  async discard(): Promise<void> {
    await this.#close()
    await onDisk(this.path, rm(this.path, { force: true }))
  }

  /** Leaves what there is to the next writer, unless it was published or discarded. @throws DrayError `IO` */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return
    const { size } = await onDisk(this.path, this.file.stat())
    if (size === 0) return this.discard()
    await this.#close()
    await renamed(this.path, this.path.slice(0, -openSuffix.length))
  }

  async #close(): Promise<void> {
    this.#hasEnded = true
    await onDisk(this.path, this.file.close())
  }

  async #copyTo(copy: FileHandle, path: string): Promise<void> {
    const appender = new FileAppender(copy, { path, position: 0 })
    await pourFile(this.file, piece => appender.add(piece), { path: this.path })
    await appender.end()
  }
}

/** False when there is no file of the old name any more. */
async function renamed(from: string, to: string): Promise<boolean> {
  const done = await ifThere(onDisk(from, rename(from, to)).then(() => true))
  return done ?? false
}

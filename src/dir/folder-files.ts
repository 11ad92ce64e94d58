import { constants } from 'node:fs'
import { lstat, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DrayError } from '../errors.ts'
import { FileAppender } from '../files/file-appender.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { pourFile } from '../files/pour-file.ts'
import { replaceFile } from '../files/replace-file.ts'
import { type Chunks, flow, pour } from '../flow.ts'
import type { BlobRange } from '../image-store.ts'
import { untilAborted } from '../until-aborted.ts'

/** The files of one folder. A symbolic link is as good as absent, so no name leads out of it. */
export class FolderFiles {
  readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  /** The names of all files; none where there is no folder. @throws DrayError `IO` */
  async list(): Promise<string[]> {
    return (await ifThere(onDisk(this.dir, readdir(this.dir)))) ?? []
  }

  /** The size of a file in bytes, or undefined where it is absent. @throws DrayError `IO` */
  async size(name: string): Promise<number | undefined> {
    const path = this.#path(name)
    const status = await ifThere(onDisk(path, lstat(path)))
    return status?.isFile() ? status.size : undefined
  }

  /**
   * The bytes of a file. It is opened when they begin to flow.
   * @throws DrayError as they flow: `NOT_FOUND`, `ABORTED`, `IO`
   */
  read(name: string, { start, signal }: Partial<BlobRange> = {}): Chunks {
    const path = this.#path(name)
    return flow(async take => {
      await using file = await onDisk(path, open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)))
      const takeOne = (piece: Uint8Array) => {
        if (signal?.aborted) throw aborted(signal)
        return take(piece)
      }
      await pourFile(file, takeOne, { path, start })
    })
  }

  /**
   * Gives a file new content, all at once or not at all.
   * @throws DrayError `ABORTED`, `IO`, and what the content throws
   */
  async write(name: string, content: Chunks, signal?: AbortSignal): Promise<void> {
    const path = this.#path(name)
    await replaceFile(path, async file => {
      const appender = new FileAppender(file, { path, position: 0 })
      try {
        await untilAborted(
          pour(content, piece => appender.add(piece)),
          signal,
          aborted,
        )
      } finally {
        await appender.end()
      }
    })
  }

  /** Removes files; one that is not there is no error. @throws DrayError `IO` */
  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) await onDisk(this.#path(name), rm(this.#path(name), { force: true }))
  }

  #path(name: string): string {
    return join(this.dir, name)
  }
}

function aborted(signal: AbortSignal): DrayError {
  return new DrayError('ABORTED', 'the transfer was cancelled', { cause: signal.reason })
}

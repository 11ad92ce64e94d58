import { stat } from 'node:fs/promises'
import { ifThere, onDisk } from '../files/io-error.ts'

/** Tells whether files have changed, by what `stat` says of them: links of links that are swapped are seen too. */
export class FileStamps {
  readonly #files: readonly string[]
  #seen: string

  private constructor(files: readonly string[], seen: string) {
    this.#files = files
    this.#seen = seen
  }

  /** Taken before the files are read, so that no change is missed. */
  static async of(files: readonly string[]): Promise<FileStamps> {
    return new FileStamps(files, await stampOf(files))
  }

  /** True once for each change since the last time. */
  async haveChanged(): Promise<boolean> {
    const now = await stampOf(this.#files)
    const isOther = now !== this.#seen
    this.#seen = now
    return isOther
  }
}

async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map(async file => {
      const status = await ifThere(onDisk(file, stat(file, { bigint: true })))
      return status && `${status.ino} ${status.size} ${status.mtimeNs} ${status.ctimeNs}`
    }),
  )
  return stamps.join('\n')
}

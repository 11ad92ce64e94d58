import { stat } from 'node:fs/promises'
import { isDrayError } from '../errors.ts'
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

  /**
   * Reads the files where they have changed since they were read last. Where the disk failed, they are read again the next
   * time; where what they hold is wrong, when they change again.
   */
  async readIfChanged<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
    const now = await stampOf(this.#files)
    if (now === this.#seen) return undefined
    try {
      const value = await read()
      this.#seen = now
      return value
    } catch (error) {
      if (!isDrayError(error, 'IO')) this.#seen = now
      throw error
    }
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

import type { FileHandle } from 'node:fs/promises'
import { onDisk } from '../files/io-error.ts'
import type { ByteSource } from './byte-source.ts'

/** Enough for the headers of several small files; what is skipped beyond it is not read. */
const windowBytes = 16 * 1024

/** Reads a file in steps, with the bytes around each step in memory; to skip costs nothing. */
export class FileReader implements ByteSource {
  readonly #file: FileHandle
  readonly #path: string
  readonly #size: number
  readonly #window = Buffer.allocUnsafeSlow(windowBytes)
  #windowStart = 0
  #windowEnd = 0
  #position = 0

  constructor(file: FileHandle, path: string, size: number) {
    this.#file = file
    this.#path = path
    this.#size = size
  }

  get position(): number {
    return this.#position
  }

  async take(length: number): Promise<Buffer> {
    const start = this.#position
    const end = Math.min(start + length, this.#size)
    const bytes =
      start >= this.#windowStart && end <= this.#windowEnd
        ? this.#copy(start, end)
        : await this.#read(start, end)
    this.#position += bytes.length
    return bytes
  }

  async skip(length: number): Promise<number> {
    const skipped = Math.min(length, this.#size - this.#position)
    this.#position += skipped
    return skipped
  }

  #copy(start: number, end: number): Buffer {
    return Buffer.from(this.#window.subarray(start - this.#windowStart, end - this.#windowStart))
  }

  async #read(start: number, end: number): Promise<Buffer> {
    if (end - start > windowBytes) return this.#readAt(Buffer.allocUnsafeSlow(end - start), start)
    const filled = await this.#readAt(this.#window, start)
    this.#windowStart = start
    this.#windowEnd = start + filled.length
    return this.#copy(start, Math.min(end, this.#windowEnd))
  }

  /** Fills the buffer, or as much of it as there is in the file. */
  async #readAt(buffer: Buffer, start: number): Promise<Buffer> {
    let filled = 0
    while (filled < buffer.length) {
      const left = buffer.length - filled
      const { bytesRead } = await onDisk(this.#path, this.#file.read(buffer, filled, left, start + filled))
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  }
}

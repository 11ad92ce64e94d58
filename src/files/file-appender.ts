import type { FileHandle } from 'node:fs/promises'
import { onDisk } from './io-error.ts'

/**
 * So much is written at a time; a copy has two buffers for each transfer. Measured: half of it takes a twelfth more time, twice of
 * it a twentieth less and 4 MB more.
 */
export const bufferBytes = 512 * 1024

export interface FileAppenderOptions {
  /** What the file is called in messages. */
  readonly path: string
  /** Where the first piece belongs, in bytes. */
  readonly position: number
  /** How many bytes will come, where that is known; a small file then has a small buffer. */
  readonly length?: number | undefined
}

/**
 * Writes pieces to a file one behind the other. One buffer is filled while another is written, so that the caller and
 * the disk work side by side; what is in the file is at all times a beginning of what was added.
 */
export class FileAppender {
  readonly #file: FileHandle
  readonly #path: string
  #position: number
  #buffer: Buffer
  #filled = 0
  #spare: Buffer | undefined
  #writing: Promise<void> | undefined
  #hasEnded = false

  constructor(file: FileHandle, { path, position, length = bufferBytes }: FileAppenderOptions) {
    this.#file = file
    this.#path = path
    this.#position = position
    // One byte more, so that a small file is written at its end and needs no second buffer.
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(length + 1, bufferBytes))
  }

  /**
   * Takes the next piece, whose memory may be used again as soon as it is taken. Answers with a promise only while the
   * disk is behind; the next piece may come when it is kept.
   * @throws DrayError `IO`, perhaps for an earlier piece
   */
  add(piece: Uint8Array): undefined | Promise<void> {
    if (this.#hasEnded) throw new Error(`${this.#path}: a piece came after the end`)
    const fitting = piece.subarray(0, this.#buffer.length - this.#filled)
    this.#buffer.set(fitting, this.#filled)
    this.#filled += fitting.length
    if (this.#filled < this.#buffer.length) return undefined
    const rest = piece.subarray(fitting.length)
    if (this.#writing !== undefined) return this.#addLater(this.#writing, rest)
    this.#startWriting()
    return rest.length === 0 ? undefined : this.add(rest)
  }

  /**
   * Writes what is still in memory. A piece that is not taken yet is left out, and none may come any more.
   * @throws DrayError `IO`
   */
  async end(): Promise<void> {
    this.#hasEnded = true
    await this.#writing
    if (this.#filled > 0) this.#startWriting()
    await this.#writing
  }

  async #addLater(writing: Promise<void>, rest: Uint8Array): Promise<void> {
    await writing
    if (this.#hasEnded) return
    this.#startWriting()
    await this.add(rest)
  }

  #startWriting(): void {
    const full = this.#buffer.subarray(0, this.#filled)
    const writing = onDisk(this.#path, this.#write(full), 'IO').then(() => {
      this.#spare = full
      this.#writing = undefined
    })
    // A failure stays where the next piece or the end finds it.
    writing.catch(() => {})
    this.#writing = writing
    this.#buffer = this.#spare ?? Buffer.allocUnsafeSlow(bufferBytes)
    this.#filled = 0
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const left = bytes.length - written
      const { bytesWritten } = await this.#file.write(bytes, written, left, this.#position)
      written += bytesWritten
      this.#position += bytesWritten
    }
  }
}

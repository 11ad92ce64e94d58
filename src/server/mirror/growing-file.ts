import type { FileHandle } from 'node:fs/promises'
import { onDisk } from '../../files/io-error.ts'
import type { Take } from '../../flow.ts'

const defaultPieceBytes = 128 * 1024

/** The first and last byte, both inclusive, and the largest piece that suits who asks. */
export interface FileRange {
  readonly start: number
  readonly end: number
  readonly pieceBytes?: number | undefined
}

/** A file that is written from its beginning on and read by many while it grows. */
export class GrowingFile {
  readonly #file: FileHandle
  readonly #path: string
  #bytes = 0
  #ended: { readonly error?: unknown } | undefined
  #readers = 0
  #wake: (() => void)[] = []

  /** @param file to read from, which is closed when it has ended and nobody reads any more */
  constructor(file: FileHandle, path: string) {
    this.#file = file
    this.#path = path
  }

  /** How much may be read, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** So many bytes may be read from now on. */
  grow(bytes: number): void {
    this.#bytes = bytes
    this.#wakeAll()
  }

  /** There will be no more. What is there can still be read, and who wants more meets the error. */
  async end(how: { readonly error?: unknown } = {}): Promise<void> {
    this.#ended = how
    this.#wakeAll()
    if (this.#readers === 0) await this.#file.close()
  }

  /** Waits until there is a byte at `position`, or the end. @throws what the file ended with */
  async reached(position: number): Promise<void> {
    while (this.#bytes <= position && this.#ended === undefined) {
      await new Promise<void>(wake => this.#wake.push(wake))
    }
    if (this.#bytes <= position && this.#ended !== undefined && 'error' in this.#ended)
      throw this.#ended.error
  }

  /**
   * Hands bytes over, waiting for those that have not come yet. False when it is too late to begin.
   * @throws what the file ended with, when it comes to what is not there
   */
  async pour({ start, end, pieceBytes = defaultPieceBytes }: FileRange, take: Take): Promise<boolean> {
    if (this.#ended !== undefined && this.#readers === 0) return false
    this.#readers += 1
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, Math.max(end - start + 1, 1)))
      for (let position = start; position <= end; ) {
        await this.reached(position)
        const length = Math.min(this.#bytes - position, end - position + 1, buffer.length)
        const { bytesRead } = await onDisk(this.#path, this.#file.read(buffer, 0, length, position))
        if (bytesRead === 0) throw new Error(`${this.#path}: it is shorter than what was written to it`)
        await take(buffer.subarray(0, bytesRead))
        position += bytesRead
      }
      return true
    } finally {
      this.#readers -= 1
      if (this.#ended !== undefined && this.#readers === 0) await this.#file.close()
    }
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

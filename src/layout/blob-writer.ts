import type { FileHandle } from 'node:fs/promises'
import { DrayError } from '../errors.ts'
import { FileAppender } from '../files/file-appender.ts'
import { pourFile } from '../files/pour-file.ts'
import { type Chunks, pour } from '../flow.ts'
import { algorithmOf, type Digest, DigestCounter } from '../oci/digest.ts'
import { untilAborted } from '../until-aborted.ts'
import { throwIfAborted, transferAborted } from './transfer-aborted.ts'

/** What a blob that is written must be. */
export interface ExpectedBlob {
  readonly digest: Digest
  /** In bytes, where it is known; more is refused as soon as it comes. */
  readonly size?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A file that is open, and what it is called in messages. */
export interface OpenFile {
  readonly path: string
  readonly file: FileHandle
}

/** Writes a blob's content to a file and hashes it on its way. */
export class BlobWriter {
  readonly #target: OpenFile
  readonly #expected: ExpectedBlob
  readonly #name: string
  readonly #counter: DigestCounter

  /** @param name what the blob is called in messages */
  constructor(target: OpenFile, expected: ExpectedBlob, name: string) {
    this.#target = target
    this.#expected = expected
    this.#name = name
    this.#counter = new DigestCounter(algorithmOf(expected.digest))
  }

  /** How much of the blob there is, in bytes. */
  get bytes(): number {
    return this.#counter.bytes
  }

  /**
   * Counts and hashes what is in the file already; comes before `append`.
   * @throws DrayError `ABORTED`, `IO`
   */
  async readBack(): Promise<void> {
    const { file, path } = this.#target
    const take = (piece: Uint8Array) => {
      throwIfAborted(this.#expected.signal)
      this.#counter.add(piece)
      return undefined
    }
    await pourFile(file, take, { path })
  }

  /**
   * Adds content. However it ends, what came is in the file.
   * @throws DrayError `INTEGRITY` for more than the blob has, `ABORTED`, `IO`, and what the content throws
   */
  async append(chunks: Chunks): Promise<void> {
    const { size, signal } = this.#expected
    const { file, path } = this.#target
    const appender = new FileAppender(file, { path, position: this.bytes, length: size })
    const take = (piece: Uint8Array) => {
      if (size !== undefined && this.bytes + piece.length > size) throw this.#otherSize('more')
      // The file first: its disk is busy while the piece is hashed.
      const written = appender.add(piece)
      this.#counter.add(piece)
      return written
    }
    try {
      await untilAborted(pour(chunks, take), signal, transferAborted)
    } finally {
      await appender.end()
    }
  }

  /** True when all of a blob is there, but of another one. */
  isOther(): boolean {
    return !this.#isShort() && this.#counter.digest() !== this.#expected.digest
  }

  /** @throws DrayError `INTEGRITY` when there is too little, or the digest is another */
  check(): void {
    if (this.#isShort()) throw this.#otherSize(`${this.bytes} bytes`)
    if (!this.isOther()) return
    throw new DrayError('INTEGRITY', `${this.#name}: the content has digest ${this.#counter.digest()}`)
  }

  #isShort(): boolean {
    return this.bytes < (this.#expected.size ?? 0)
  }

  #otherSize(found: string): DrayError {
    const { size } = this.#expected
    return new DrayError('INTEGRITY', `${this.#name}: ${found} came instead of ${size} bytes`)
  }
}

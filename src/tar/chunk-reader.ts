import type { Chunks } from '../flow.ts'
import type { ByteSource } from './byte-source.ts'

const nothing = Buffer.alloc(0)

/** Reads chunks by demand. Nothing is copied but what is taken from two chunks at once. */
export class ChunkReader implements ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>
  #piece: Buffer = nothing
  #position = 0

  constructor(chunks: Chunks) {
    this.#iterator = chunks[Symbol.asyncIterator]()
  }

  get position(): number {
    return this.#position
  }

  /** The next bytes in whatever length they came, `most` at most; none at the end. */
  async some(most = Number.POSITIVE_INFINITY): Promise<Buffer> {
    while (this.#piece.length === 0) {
      const next = await this.#iterator.next()
      if (next.done) return nothing
      this.#piece = asBuffer(next.value)
    }
    const part = this.#piece.subarray(0, most)
    this.#piece = this.#piece.subarray(part.length)
    this.#position += part.length
    return part
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let missing = length
    while (missing > 0) {
      const part = await this.some(missing)
      if (part.length === 0) break
      parts.push(part)
      missing -= part.length
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }

  async skip(length: number): Promise<number> {
    const start = this.#position
    while (this.#position < start + length) {
      const part = await this.some(start + length - this.#position)
      if (part.length === 0) break
    }
    return this.#position - start
  }

  /** Tells the chunks that no more is wanted. */
  async close(): Promise<void> {
    await this.#iterator.return?.()
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Enough for most answers to uploads, and for a record of TLS (RFC 8446, section 5.1). */
export const smallBytes = 16 * 1024
/** For long bodies without TLS. Larger ones make no difference (64 KiB to 1 MiB measured). */
export const largeBytes = 64 * 1024

/** One that is lent to the system, and one that a slow taker may hold. */
const maxSpare = 2

/** The memory that the bytes of one connection come in, used again and again. */
export class Buffers {
  readonly #largestBytes: number
  #bytes = smallBytes
  #spare: Buffer[] = []

  constructor(largestBytes: number) {
    this.#largestBytes = largestBytes
  }

  /** One to be filled. */
  lend(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bytes)
  }

  /** Tells how much came into one that was lent; when it was filled to the brim, the next ones are larger. */
  filled(buffer: Buffer, bytes: number): void {
    if (bytes < buffer.length || this.#bytes === this.#largestBytes) return
    this.#bytes = this.#largestBytes
    this.#spare = []
  }

  /** One whose content is of no use any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === this.#bytes && this.#spare.length < maxSpare) this.#spare.push(buffer)
  }
}

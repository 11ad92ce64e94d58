/** Enough for most answers to uploads, and for a record of TLS (RFC 8446, section 5.1). */
export const smallBytes = 16 * 1024
/** For long bodies without TLS. Larger ones make no difference (64 KiB to 1 MiB measured). */
export const largeBytes = 64 * 1024

/** For one that is lent to the system and one that a slow taker holds; of records of TLS, some come at once. */
const maxSpareBytes = 128 * 1024

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
    const hasRoom = (this.#spare.length + 1) * this.#bytes <= maxSpareBytes
    if (buffer.length === this.#bytes && hasRoom) this.#spare.push(buffer)
  }
}

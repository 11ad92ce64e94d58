import { MalformedAnswer } from './head.ts'

/** Gathers lines that end in CRLF (RFC 9112, section 2.2), in whatever pieces they come. */
export class LineReader {
  readonly #what: string
  readonly #maxBytes: number
  /** The part of a line that has come. */
  #line = ''
  #bytes = 0

  /** @param options what the lines belong to, for messages; how long they may be all together */
  constructor({ what, maxBytes }: { readonly what: string; readonly maxBytes: number }) {
    this.#what = what
    this.#maxBytes = maxBytes
  }

  /** Counts anew from here on. */
  restart(): void {
    this.#bytes = 0
  }

  /**
   * Takes what `input` has of a line from `start` on: the line without its end when it is whole, and where to go on.
   * @throws MalformedAnswer
   */
  read(input: Uint8Array, start: number): { readonly line?: string; readonly next: number } {
    const end = input.indexOf(0x0a, start)
    const next = end < 0 ? input.length : end + 1
    this.#bytes += next - start
    if (this.#bytes > this.#maxBytes) throw new MalformedAnswer(`${this.#what} is too long`)
    this.#line += Buffer.from(input.buffer, input.byteOffset + start, next - start).toString('latin1')
    if (end < 0) return { next }
    const line = this.#line
    this.#line = ''
    if (!line.endsWith('\r\n')) throw new MalformedAnswer(`a line of ${this.#what} does not end in CRLF`)
    return { line: line.slice(0, -2), next }
  }
}

import { type Framing, MalformedAnswer } from './head.ts'
import { LineReader } from './line-reader.ts'

/** The most that is read around a chunk, in bytes: its size with extensions, or all trailers. */
const maxAroundBytes = 16 * 1024

/** Where a chunked body stands (RFC 9112, section 7.1). */
type Expecting = 'size' | 'data' | 'end-of-data' | 'trailer'

/** Takes the framing off a body, in whatever pieces it comes. */
export class Deframer {
  readonly #framing: Framing
  /** Bytes that are left of the body, or of the current chunk. */
  #left: number
  #expecting: Expecting = 'size'
  readonly #lines = new LineReader({ what: 'the frame of a chunk', maxBytes: maxAroundBytes })
  #isDone: boolean
  #hasSurplus = false

  constructor(framing: Framing) {
    this.#framing = framing
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.#isDone = framing.kind === 'length' && framing.bytes === 0
  }

  /** True when the body has ended, as far as its framing tells. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** True when bytes came that do not belong to the body any more. */
  get hasSurplus(): boolean {
    return this.#hasSurplus
  }

  /**
   * The content in `input`, as parts of the same memory.
   * @throws MalformedAnswer for a chunked body that is none
   */
  *pieces(input: Uint8Array): Generator<Uint8Array, void> {
    let at = 0
    while (at < input.length) {
      if (this.#isDone) {
        this.#hasSurplus = true
        return
      }
      if (this.#framing.kind === 'close') {
        yield input
        return
      }
      if (this.#framing.kind === 'chunked' && this.#expecting !== 'data') {
        at = this.#readLine(input, at)
        continue
      }
      const piece = input.subarray(at, at + this.#left)
      at += piece.length
      this.#left -= piece.length
      if (this.#left === 0) this.#endOfData()
      yield piece
    }
  }

  #endOfData(): void {
    if (this.#framing.kind === 'chunked') this.#expecting = 'end-of-data'
    else this.#isDone = true
  }

  /** Takes what is there of a line, and acts on it when it is whole. Returns where to go on. */
  #readLine(input: Uint8Array, start: number): number {
    const { line, next } = this.#lines.read(input, start)
    if (line !== undefined) this.#actOn(line)
    return next
  }

  #actOn(line: string): void {
    if (this.#expecting === 'end-of-data') {
      if (line !== '') throw new MalformedAnswer('a chunk is longer than its size')
      this.#expecting = 'size'
    } else if (this.#expecting === 'size') {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1]
      if (size === undefined)
        throw new MalformedAnswer(`the size of a chunk is ${JSON.stringify(line.slice(0, 80))}`)
      this.#left = Number.parseInt(size, 16)
      this.#expecting = this.#left === 0 ? 'trailer' : 'data'
      this.#lines.restart()
    } else if (line === '') {
      this.#isDone = true
    }
  }
}

/** Reads one answer of an HTTP/1.1 server, piece by piece, and counts its body without keeping it. */
export class AnswerReader {
  readonly #isHead: boolean
  #head: string | undefined = ''
  #left = 0
  #isChunked = false
  #tail = ''
  #bytes = 0
  #status = 0
  #location: string | undefined

  /** @param method of the request: the answer to a HEAD has no body, whatever its length says */
  constructor(method: string) {
    this.#isHead = method === 'HEAD'
  }

  get status(): number {
    return this.#status
  }

  /** The header of that name. */
  get location(): string | undefined {
    return this.#location
  }

  /** The bytes of the body so far; with the marks of its chunks, where it comes in chunks. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes what came next, whose memory may be used again; true when this was the end of the answer. */
  take(piece: Buffer): boolean {
    if (this.#head === undefined) return this.#takeBody(piece)
    this.#head += piece.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return false
    const rest = this.#head.length - end - 4
    this.#readHead(this.#head.slice(0, end + 2))
    this.#head = undefined
    return this.#takeBody(piece.subarray(piece.length - rest))
  }

  #readHead(head: string): void {
    this.#status = Number(head.slice(9, 12))
    this.#location = /\r\nlocation: *(.*?)\r\n/i.exec(head)?.[1]
    this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    this.#isChunked = /\r\ntransfer-encoding: *chunked/i.test(head)
    if (this.#isHead || this.#status === 204 || this.#status === 304)
      [this.#left, this.#isChunked] = [0, false]
  }

  #takeBody(piece: Buffer): boolean {
    this.#bytes += piece.length
    this.#left -= piece.length
    if (!this.#isChunked) return this.#left <= 0
    // What comes in chunks is JSON, which has no bare line break of this kind: here only the end looks so.
    this.#tail = (this.#tail + piece.subarray(-5).toString('latin1')).slice(-5)
    return this.#tail === '0\r\n\r\n'
  }
}

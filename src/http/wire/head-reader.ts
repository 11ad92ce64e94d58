import { MalformedAnswer, NotHttp, parseHead, type ResponseHead } from './head.ts'
import { LineReader } from './line-reader.ts'

/** The longest head that is read, in bytes. */
const maxHeadBytes = 64 * 1024

const protocol = 'HTTP/1.'

/** Gathers the head of an answer, in whatever pieces it comes. */
export class HeadReader {
  readonly #method: string
  readonly #lines = new LineReader({ what: 'its head', maxBytes: maxHeadBytes })
  #head: string[] = []
  /** The first characters of a head, until they are as many as those of the protocol. */
  #start = ''

  /** @param method of the request that is answered */
  constructor(method: string) {
    this.#method = method
  }

  /**
   * Takes `input`; once the head is whole, gives it and what of `input` comes after it. Heads that only say that the
   * answer is still to come (RFC 9110, section 15.2) are passed over.
   * @throws MalformedAnswer, NotHttp
   */
  read(input: Uint8Array): { readonly head: ResponseHead; readonly rest: Uint8Array } | undefined {
    let at = 0
    while (at < input.length) {
      if (this.#start.length < protocol.length) this.#checkStart(input, at)
      const { line, next } = this.#lines.read(input, at)
      at = next
      if (line === '') {
        const head = this.#parse()
        if (head.status >= 200) return { head, rest: input.subarray(at) }
      } else if (line !== undefined) {
        this.#head.push(line)
      }
    }
    return undefined
  }

  /** A server of another kind may have said all that it will say before it hears more. */
  #checkStart(input: Uint8Array, at: number): void {
    const end = at + protocol.length - this.#start.length
    this.#start += Buffer.from(input.subarray(at, end)).toString('latin1')
    if (!protocol.startsWith(this.#start)) throw new NotHttp(this.#start)
  }

  #parse(): ResponseHead {
    const head = parseHead(this.#head.join('\r\n'), this.#method)
    if (head.status === 101) throw new MalformedAnswer('it switches to another protocol')
    this.#head = []
    this.#start = ''
    this.#lines.restart()
    return head
  }
}

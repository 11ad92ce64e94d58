import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answer-reader.ts'

const readBytes = 256 * 1024

/** The body of a request, whose pieces may be the same memory again and again. */
export interface Body {
  readonly bytes: number
  readonly pieces: Iterable<Uint8Array>
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Body | undefined
  /** The status that the answer must have. */
  readonly status: number
}

export type Answer = Pick<AnswerReader, 'location' | 'bytes'>

interface Waiting {
  readonly reader: AnswerReader
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

/**
 * A connection to a server that is kept, for one request after the other: a bare socket and one buffer, so that what is
 * measured is the server and not its client.
 */
export class Connection implements Disposable {
  /** How many answers came. */
  requests = 0
  readonly #socket: Socket
  #waiting: Waiting | undefined

  /** @throws Error when nobody listens */
  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port)
    await once(connection.#socket, 'connect')
    return connection
  }

  private constructor(port: number) {
    const callback = (length: number, buffer: Uint8Array) => this.#take(Buffer.from(buffer.buffer, 0, length))
    this.#socket = connect({
      ...{ host: '127.0.0.1', port, noDelay: true },
      onread: { buffer: Buffer.allocUnsafeSlow(readBytes), callback },
    })
    this.#socket.on('error', error => this.#waiting?.reject(error))
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the server hung up')))
  }

  /** Sends a request and waits for its whole answer. @throws Error when it has another status or none comes */
  async ask(request: Request): Promise<Answer> {
    const { method, path, status, body } = request
    const reader = new AnswerReader(method)
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting = { reader, resolve, reject }
    })
    await Promise.all([answered, this.#send(headOf(request), body)])
    this.requests += 1
    if (reader.status === status) return reader
    throw new Error(`${method} ${path} was answered with ${reader.status} instead of ${status}`)
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  /** The head together with the first piece; each other piece when the system has taken the one before. */
  async #send(head: string, body: Body | undefined): Promise<void> {
    this.#socket.cork()
    process.nextTick(() => this.#socket.uncork())
    this.#socket.write(head)
    for (const piece of body?.pieces ?? []) {
      await new Promise<void>((resolve, reject) => {
        this.#socket.write(piece, error => (error ? reject(error) : resolve()))
      })
    }
  }

  #take(piece: Buffer): boolean {
    const waiting = this.#waiting
    if (waiting?.reader.take(piece) === true) {
      this.#waiting = undefined
      waiting.resolve()
    }
    return true
  }
}

function headOf({ method, path, headers = {}, body }: Request): string {
  const length = body === undefined ? (method === 'POST' ? 0 : undefined) : body.bytes
  const all = { Host: '127.0.0.1', ...headers, ...(length === undefined ? {} : { 'Content-Length': length }) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

import { type Flow, flow, pour, type Take } from '../../flow.ts'
import { type HttpResponse, isStreamBody, maxDiscardBytes, type StreamBody } from '../message.ts'
import { aborted, networkError } from '../network-error.ts'
import { settleable } from '../settleable.ts'
import type { Connection, ConnectionUser } from './connection.ts'
import { Deadline } from './deadline.ts'
import { Deframer } from './deframer.ts'
import { MalformedAnswer, type ResponseHead } from './head.ts'
import { HeadReader } from './head-reader.ts'
import { type OutgoingRequest, requestHead } from './request-head.ts'
import { WireFault, type WireFaultCode } from './wire-fault.ts'

export interface ExchangeOptions {
  /** Bounds the wait for an answer, once the request is sent, in milliseconds. */
  readonly answerTimeoutMs: number
  /** Bounds each wait for a body to go on, either way, in milliseconds. */
  readonly bodyTimeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** The exchange is over; the connection is as good as before, or gone. */
  readonly onEnd: (connection: Connection | undefined) => void
}

/** More is written in parts: each may take its time, and an answer may make the rest superfluous. */
const maxWriteBytes = 1024 * 1024

/** One request and its answer over a connection (RFC 9112). */
export class Exchange implements ConnectionUser {
  readonly #connection: Connection
  readonly #request: OutgoingRequest
  readonly #options: ExchangeOptions
  readonly #answer = settleable<ResponseHead>()
  readonly #body = settleable<void>()
  readonly #reader = settleable<Take>()
  readonly #headReader: HeadReader
  #deadline: Deadline
  #head: ResponseHead | undefined
  #deframer: Deframer | undefined
  #take: Take | undefined
  #isAsked = false
  #isSent = false
  #isOver = false
  /** A byte of an answer has come: the request did not meet a connection that was closed already. */
  hasBegun = false

  constructor(connection: Connection, request: OutgoingRequest, options: ExchangeOptions) {
    this.#connection = connection
    this.#request = request
    this.#options = options
    this.#headReader = new HeadReader(request.method)
    this.#deadline = new Deadline(options.bodyTimeoutMs, () => this.failed(new WireFault('UPLOAD_TIMEOUT')))
    options.signal?.addEventListener('abort', this.#abort, { once: true })
    connection.serve(this)
  }

  /**
   * Sends the request and resolves when the head of the answer is there, which may be before all was sent.
   * @throws DrayError `NETWORK`, `TIMEOUT`, `ABORTED`; what the body's source throws
   */
  async run(): Promise<HttpResponse> {
    if (this.#options.signal?.aborted) this.#abort()
    else this.#send()
    const { status, headers } = await this.#answer.promise
    const { url } = this.#request
    return { status, headers, url, body: this.#content(), discard: () => this.#discard() }
  }

  received(bytes: Uint8Array): undefined | Promise<unknown> {
    if (!this.#isAsked) throw new MalformedAnswer('it answers before it is asked')
    this.hasBegun = true
    if (this.#head === undefined) return this.#receivedHead(bytes)
    return this.#receivedBody(bytes)
  }

  ended(): void {
    if (this.#head?.framing.kind === 'close') this.#end()
    else this.failed(new WireFault(this.hasBegun ? 'ENDED_EARLY' : 'CONNECTION_CLOSED'))
  }

  failed(error: unknown): void {
    this.#end(networkError(error, this.#request.url))
  }

  readonly #abort = () => {
    const { signal } = this.#options
    if (signal !== undefined) this.#end(aborted(signal))
  }

  async #send(): Promise<void> {
    const { body } = this.#request
    try {
      const head = Buffer.from(requestHead(this.#request), 'latin1')
      if (isStreamBody(body)) await this.#sendStream(head, body)
      else await (body === undefined ? this.#write(head) : this.#write(body, head))
    } catch (error) {
      // Once there is an answer, nobody is interested in what became of the rest of the request.
      if (this.#head === undefined) this.#end(error)
      return
    }
    this.#isSent = true
    if (this.#head === undefined && !this.#isOver)
      this.#bound(this.#options.answerTimeoutMs, 'ANSWER_TIMEOUT')
  }

  /** The head goes out with the first piece; an answer that comes before the end makes the rest superfluous. */
  async #sendStream(head: Buffer, body: StreamBody): Promise<void> {
    let isFirst = true
    let sentBytes = 0
    await pour(await body.open(), piece => {
      sentBytes += piece.length
      if (sentBytes > body.length) throw new Error(`the body is longer than its ${body.length} bytes`)
      const first = isFirst ? head : undefined
      isFirst = false
      return this.#write(piece, first)
    })
    if (sentBytes < body.length) throw new Error(`the body ended after ${sentBytes} of ${body.length} bytes`)
    if (isFirst) await this.#write(head)
  }

  #write(bytes: Uint8Array, head?: Uint8Array): undefined | Promise<void> {
    if (bytes.length > maxWriteBytes) return this.#writeParts(bytes, head)
    if (this.#head !== undefined || this.#isOver) throw new Superfluous()
    this.#isAsked = true
    const written = this.#connection.write(bytes, head)
    return written === undefined ? undefined : this.#flushed(written)
  }

  async #writeParts(bytes: Uint8Array, head?: Uint8Array): Promise<void> {
    await this.#write(bytes.subarray(0, maxWriteBytes), head)
    for (let at = maxWriteBytes; at < bytes.length; at += maxWriteBytes) {
      await this.#write(bytes.subarray(at, at + maxWriteBytes))
    }
  }

  /** A write that the other side holds back is a wait; while the source is waited for, the source bounds that. */
  async #flushed(written: Promise<void>): Promise<void> {
    // The wait for the answer's body may have begun before this one is over.
    const deadline = this.#deadline
    deadline.start()
    try {
      await written
    } catch (error) {
      throw networkError(error, this.#request.url)
    }
    deadline.stop()
  }

  #bound(ms: number, fault: WireFaultCode): void {
    this.#deadline.end()
    this.#deadline = new Deadline(ms, () => this.failed(new WireFault(fault)))
    this.#deadline.start()
  }

  #receivedHead(bytes: Uint8Array): undefined | Promise<unknown> {
    const { head, rest } = this.#headReader.read(bytes) ?? {}
    if (head === undefined || rest === undefined) return undefined
    this.#head = head
    this.#deframer = new Deframer(head.framing)
    this.#deadline.stop()
    this.#answer.resolve(head)
    if (rest.length > 0) return this.#receivedBody(rest)
    if (this.#deframer.isDone) this.#end()
    return undefined
  }

  #receivedBody(bytes: Uint8Array): undefined | Promise<unknown> {
    if (this.#take !== undefined) return this.#deliver(bytes, this.#take)
    return this.#reader.promise.then(take => this.#deliver(bytes, take))
  }

  /** Hands the content in `bytes` over, with a promise only where a piece has to be waited for. */
  #deliver(bytes: Uint8Array, take: Take): undefined | Promise<void> {
    this.#deadline.stop()
    const pieces = this.#deframer?.pieces(bytes) ?? [][Symbol.iterator]()
    try {
      for (let next = pieces.next(); !next.done && !this.#isOver; next = pieces.next()) {
        const taken = take(next.value)
        if (taken !== undefined) return this.#deliverRest(taken, pieces, take)
      }
      this.#delivered()
    } catch (error) {
      this.#refused(error)
    }
    return undefined
  }

  async #deliverRest(taken: Promise<unknown>, pieces: Iterator<Uint8Array, void>, take: Take): Promise<void> {
    try {
      await taken
      for (let next = pieces.next(); !next.done && !this.#isOver; next = pieces.next()) await take(next.value)
      this.#delivered()
    } catch (error) {
      this.#refused(error)
    }
  }

  #delivered(): void {
    if (this.#deframer?.isDone) this.#end()
    else this.#deadline.start()
  }

  /** What a taker throws is its own affair, and not a fault of this connection. */
  #refused(error: unknown): void {
    if (error instanceof MalformedAnswer) this.failed(error)
    else this.#end(error)
  }

  #content(): Flow {
    return flow(async take => {
      if (this.#take !== undefined) throw new Error('the body of an answer can be read once')
      this.#read(take)
      await this.#body.promise
    })
  }

  #read(take: Take): void {
    if (this.#take !== undefined) return
    this.#take = take
    if (this.#isOver) return
    this.#bound(this.#options.bodyTimeoutMs, 'BODY_TIMEOUT')
    this.#reader.resolve(take)
  }

  async #discard(): Promise<void> {
    let left = maxDiscardBytes
    this.#read(piece => {
      left -= piece.length
      if (left < 0) throw new Superfluous()
      return undefined
    })
    // What is wrong with a body that nobody wants is of no interest.
    await this.#body.promise.catch(() => undefined)
  }

  /** The end, good or bad, of all that is still under way; only the first call counts. */
  #end(error?: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deadline.end()
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#connection.serve(undefined)
    const isReusable =
      error === undefined &&
      this.#isSent &&
      this.#head?.keepsAlive === true &&
      this.#deframer?.hasSurplus === false
    if (!isReusable) this.#connection.destroy()
    this.#options.onEnd(isReusable ? this.#connection : undefined)
    if (error === undefined) {
      this.#body.resolve()
    } else {
      this.#answer.reject(error)
      this.#body.reject(error)
    }
  }
}

/** Ends the sending or reading of what is of no use any more. */
class Superfluous extends Error {}

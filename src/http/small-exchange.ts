import { type HttpResponse, headersFrom, maxDiscardBytes } from './message.ts'
import { aborted, networkError } from './network-error.ts'
import { settleable } from './settleable.ts'
import type { OutgoingRequest } from './wire/request-head.ts'

/** What holds a request of undici's: its connection, once it has one. */
interface Controller {
  abort(reason: Error): void
  pause(): void
  resume(): void
}

/** The part of undici's Dispatcher that is used here. */
export interface Dispatcher {
  dispatch(options: DispatchOptions, handler: SmallExchange): boolean
}

interface DispatchOptions {
  readonly origin: string
  readonly path: string
  readonly method: OutgoingRequest['method']
  readonly headers: Record<string, string>
  readonly body: Uint8Array | null
  readonly reset: boolean
}

/** So much of an answer may wait for its reader before the other side is held back. */
const maxWaitingBytes = 64 * 1024

/** A request without a stream, and its answer, as undici tells of it. */
export class SmallExchange {
  readonly #request: OutgoingRequest
  readonly #signal: AbortSignal | undefined
  readonly #answer = settleable<HttpResponse>()
  readonly #pieces: Uint8Array[] = []
  #waitingBytes = 0
  #controller: Controller | undefined
  #ending: { readonly error?: unknown } | undefined
  #wake: () => void = () => undefined

  /** @param signal ends the exchange, where the request has none of its own */
  constructor(request: OutgoingRequest, signal: AbortSignal | undefined) {
    this.#request = request
    this.#signal = request.signal ?? signal
  }

  /**
   * Sends the request and resolves when the head of the answer is there.
   * @throws DrayError `NETWORK`, `TIMEOUT`, `ABORTED`; `USAGE` for a header that cannot be sent
   */
  async run(dispatcher: Dispatcher): Promise<HttpResponse> {
    if (this.#signal?.aborted) throw aborted(this.#signal)
    this.#signal?.addEventListener('abort', this.#abort, { once: true })
    const { url, target = `${url.pathname}${url.search}`, method, body } = this.#request
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: target,
        method,
        headers: requestHeaders(this.#request),
        body: body instanceof Uint8Array ? body : null,
        // undici would close the connection behind every answer to a HEAD, for servers that send a body with it; what comes
        // on an idle connection ends it all the same.
        reset: false,
      },
      this,
    )
    return this.#answer.promise
  }

  /** For undici: there is a connection, and the request goes out. */
  onRequestStart(controller: Controller): void {
    this.#controller = controller
    if (this.#ending !== undefined) controller.abort(new Error('the request is not wanted any more'))
  }

  /** For undici: the head of an answer. */
  onResponseStart(
    _: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.#answer.resolve({
      status,
      headers: headersFrom(headers),
      url: this.#request.url,
      body: this.#content(),
      discard: () => this.#discard(),
    })
  }

  /** For undici: a piece of the body, in memory of its own. */
  onResponseData(controller: Controller, piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#waitingBytes += piece.length
    if (this.#waitingBytes > maxWaitingBytes) controller.pause()
    this.#wake()
  }

  /** For undici: the answer has ended. */
  onResponseEnd(): void {
    // undici offers the connection to others with the next turn of the event loop; who asks before that opens a new one.
    queueMicrotask(() => setImmediate(() => this.#end({})))
  }

  /** For undici: the request has failed, or was aborted. */
  onResponseError(_: Controller | undefined, error: Error): void {
    this.#end({ error: networkError(error, this.#request.url) })
  }

  readonly #abort = () => {
    if (this.#signal !== undefined) this.#leave(aborted(this.#signal))
  }

  async *#content(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#ending !== undefined && 'error' in this.#ending) throw this.#ending.error
        const piece = this.#pieces.shift()
        if (piece !== undefined) {
          this.#waitingBytes -= piece.length
          yield piece
        } else {
          if (this.#ending !== undefined) return
          await this.#more()
        }
      }
    } finally {
      this.#leave(new Error('the reader has left'))
    }
  }

  async #more(): Promise<void> {
    const more = new Promise<void>(wake => {
      this.#wake = wake
    })
    this.#controller?.resume()
    await more
  }

  async #discard(): Promise<void> {
    let left = maxDiscardBytes
    try {
      for await (const piece of this.#content()) {
        left -= piece.length
        if (left < 0) break
      }
    } catch {
      // What is wrong with a body that nobody wants is of no interest.
    }
  }

  /** Ends the exchange, and with it the connection, unless it is over. */
  #leave(error: Error): void {
    if (this.#ending !== undefined) return
    this.#end({ error })
    this.#controller?.abort(error)
  }

  /** Only the first call counts. */
  #end(ending: { readonly error?: unknown }): void {
    this.#ending ??= ending
    this.#signal?.removeEventListener('abort', this.#abort)
    if ('error' in this.#ending) this.#answer.reject(this.#ending.error)
    this.#wake()
  }
}

function requestHeaders({ method, headers, body }: OutgoingRequest): Record<string, string> {
  const isWrite = method === 'POST' || method === 'PUT' || method === 'PATCH'
  const length = body?.length ?? (isWrite ? 0 : undefined)
  return { ...headers, ...(length === undefined ? {} : { 'content-length': String(length) }) }
}

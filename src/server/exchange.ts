import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { collect } from '../oci/content.ts'
import { faultBody, RegistryFault, toFault } from './errors.ts'

/** One request and its answer, with the bytes of both bodies counted. */
export class Exchange {
  readonly request: IncomingMessage
  readonly method: string
  /** As it was sent, not decoded and not normalised, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Who asks, once that is known. */
  user: string | undefined
  readonly #response: ServerResponse
  #bytes = 0

  constructor(request: IncomingMessage, response: ServerResponse) {
    const url = request.url ?? '/'
    const mark = url.indexOf('?')
    this.request = request
    this.method = request.method ?? 'GET'
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
    this.#response = response
    response.setHeader('Docker-Distribution-API-Version', 'registry/2.0')
  }

  /** The bytes of both bodies so far, without headers. */
  get bytes(): number {
    return this.#bytes
  }

  /** The status that was sent. */
  get status(): number {
    return this.#response.statusCode
  }

  /** The length that the client says its body has, in bytes, or undefined where it does not. */
  get contentLength(): number | undefined {
    const length = this.request.headers['content-length']
    return length === undefined ? undefined : Number(length)
  }

  /** The request's body. @throws RegistryFault when the client breaks off, at which point no answer reaches it */
  async *body(): Chunks {
    try {
      // Kept open when the reader gives up, so that the answer that says why can still be sent.
      for await (const chunk of this.request.iterator({ destroyOnReturn: false })) {
        this.#bytes += chunk.length
        yield chunk
      }
    } catch (cause) {
      throw new RegistryFault('BLOB_UPLOAD_INVALID', 'the body broke off', { cause })
    }
  }

  /** Lets the connection be silent while we work; with the next request on it, it is watched again. */
  allowSilence(): void {
    this.request.setTimeout(0)
  }

  /** The whole body in memory. @throws RegistryFault 413 `SIZE_INVALID` when it is larger than `limit` bytes */
  async collectBody(limit: number): Promise<Buffer> {
    const tooLarge = `the body is over the limit of ${limit} bytes`
    if ((this.contentLength ?? 0) > limit) throw new RegistryFault('SIZE_INVALID', tooLarge, { status: 413 })
    try {
      return await collect(this.body(), limit, 'body')
    } catch (cause) {
      if (!isDrayError(cause, 'INTEGRITY')) throw cause
      throw new RegistryFault('SIZE_INVALID', tooLarge, { status: 413, cause })
    }
  }

  /** Answers with the bytes, or with their headers only where the request is a HEAD. */
  send(status: number, headers: OutgoingHttpHeaders = {}, bytes: Uint8Array = Buffer.alloc(0)): void {
    this.#response.writeHead(status, {
      ...headers,
      ...(status === 204 ? {} : { 'Content-Length': bytes.length }),
    })
    if (this.method === 'HEAD') {
      this.#response.end()
      return
    }
    this.#bytes += bytes.length
    this.#response.end(bytes)
  }

  sendJson(status: number, document: unknown, headers: OutgoingHttpHeaders = {}): void {
    const bytes = Buffer.from(JSON.stringify(document))
    this.send(status, { 'Content-Type': 'application/json', ...headers }, bytes)
  }

  /** Answers with a stream; `headers` hold its Content-Length. A client that hangs up is no error. */
  async stream(status: number, headers: OutgoingHttpHeaders, chunks: Chunks): Promise<void> {
    this.#response.writeHead(status, headers)
    try {
      await pipeline(this.#counted(chunks), this.#response)
    } catch (error) {
      if (!isPrematureClose(error)) throw error
    }
  }

  /** Answers with what went wrong; cuts the connection where an answer is already under way. */
  fail(error: unknown): void {
    if (this.#response.headersSent) {
      this.#response.destroy()
      return
    }
    const fault = toFault(error)
    this.sendJson(fault.status, faultBody(fault), fault.headers)
  }

  async *#counted(chunks: Chunks): Chunks {
    for await (const chunk of chunks) {
      this.#bytes += chunk.length
      yield chunk
    }
  }
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { collect } from '../oci/content.ts'
import type { Grant } from './auth/policy.ts'
import { faultBody, RegistryFault, toFault } from './errors.ts'
import { sendContent } from './send-content.ts'
import type { Client } from './trusted-proxies.ts'

/** One request and its answer, with the bytes of both bodies counted. */
export class Exchange {
  readonly request: IncomingMessage
  readonly method: string
  /** As it was sent, not decoded and not normalised, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly client: Client
  /** Names this request in the log and in the answer, where it failed. */
  readonly id = randomUUID()
  /** Who asks, once that is known. */
  user: string | undefined
  /** What they may do besides what they ask for; nothing until they are let in. */
  grant: Grant = { mayPull: () => false, maySee: () => false }
  readonly #response: ServerResponse
  #awaitsLeave: boolean
  #received = 0
  #sent = 0

  constructor(request: IncomingMessage, response: ServerResponse, client: Client) {
    // A client may send the whole URL, as to a proxy (RFC 9112, 3.2.2).
    const url = (request.url ?? '/').replace(/^https?:\/\/[^/?]*\/?/i, '/')
    const mark = url.indexOf('?')
    this.request = request
    this.client = client
    this.method = request.method ?? 'GET'
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
    this.#response = response
    this.#awaitsLeave = /^100-continue$/i.test(request.headers.expect ?? '')
    response.setHeader('Docker-Distribution-API-Version', 'registry/2.0')
  }

  /** The bytes of the request's body so far. */
  get received(): number {
    return this.#received
  }

  /** The bytes of the answer's body so far. */
  get sent(): number {
    return this.#sent
  }

  /** The status that was sent; 499, as nginx has it, where the client left before. */
  get status(): number {
    return this.#response.headersSent ? this.#response.statusCode : 499
  }

  /** The length that the client says its body has, in bytes, or undefined where it does not. */
  get contentLength(): number | undefined {
    const length = this.request.headers['content-length']
    return length === undefined ? undefined : Number(length)
  }

  /** The request's body. @throws RegistryFault when the client breaks off, at which point no answer reaches it */
  async *body(): Chunks {
    // Only now, so that a request that is refused never sends it (RFC 9110, 10.1.1).
    if (this.#awaitsLeave) this.#response.writeContinue()
    this.#awaitsLeave = false
    try {
      // Kept open when the reader gives up, so that the answer that says why can still be sent.
      for await (const chunk of this.request.iterator({ destroyOnReturn: false })) {
        this.#received += chunk.length
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
      ...(hasNoContent(status) ? {} : { 'Content-Length': bytes.length }),
    })
    if (this.method === 'HEAD') {
      this.#response.end()
      return
    }
    this.#sent += bytes.length
    this.#response.end(bytes)
  }

  sendJson(status: number, document: unknown, headers: OutgoingHttpHeaders = {}): void {
    const bytes = Buffer.from(JSON.stringify(document))
    this.send(status, { 'Content-Type': 'application/json', ...headers }, bytes)
  }

  /**
   * Answers with content of a length that is known before, or with its headers only where the request is a HEAD. A
   * client that hangs up is no error.
   * @throws Error when it turns out to be shorter, and what the content throws
   */
  async stream(status: number, headers: OutgoingHttpHeaders & ContentLength, chunks: Chunks): Promise<void> {
    this.#response.writeHead(status, headers)
    if (this.method !== 'HEAD') {
      const { sent, isCut } = await sendContent(this.#response, chunks)
      this.#sent += sent
      const length = headers['Content-Length']
      if (!isCut && sent < length) throw new Error(`${this.path}: ${sent} bytes instead of ${length}`)
    }
    this.#response.end()
  }

  /** Answers with what went wrong; cuts the connection where an answer is already under way. */
  fail(error: unknown): void {
    if (this.#response.headersSent) {
      this.#response.destroy()
      return
    }
    const fault = toFault(error, this.id)
    this.sendJson(fault.status, faultBody(fault), fault.headers)
  }
}

/** Neither has a body to tell the length of (RFC 9110, 8.6). */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304
}

/** In bytes. */
interface ContentLength {
  readonly 'Content-Length': number
}

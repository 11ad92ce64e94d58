import type { Chunks } from '../flow.ts'

/** A body that is read while it is sent; it can be opened again when a request has to be repeated. */
export interface StreamBody {
  /** In bytes; sent as Content-Length. */
  readonly length: number
  readonly open: () => Promise<Chunks>
}

/** A request as the layers of this folder pass it on. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | StreamBody | undefined
  /** What the request needs in the words of the token protocol: `repository:org/app:pull,push`. */
  readonly scopes?: readonly string[] | undefined
  /** True when the answer must be had with the stored credential, never anonymously (a login's check). */
  readonly requireCredential?: boolean
  /** Its body, or that of the answer, may be large; a stream always may. */
  readonly isBulk?: boolean
  readonly signal?: AbortSignal | undefined
}

/** An answer, as soon as its headers are there. */
export interface HttpResponse {
  readonly status: number
  readonly headers: HttpHeaders
  /** Where the answer came from, after redirects. */
  readonly url: URL
  /** The registry that was asked, as in references; what it redirects to may answer for it. */
  readonly registry?: string
  /** Must be read to its end, left early by `return`, or given up with `discard`. */
  readonly body: Chunks
  /** Gives the body up, so that its connection is free again. */
  discard(): Promise<void>
}

/** What `discard` reads of a body to reach its end, in bytes: up to here that is cheaper than a new connection. */
export const maxDiscardBytes = 64 * 1024

/** The headers of an answer; names are asked for in lower case. */
export interface HttpHeaders {
  /** The value of a header, several joined by ", "; the name is in lower case. */
  get(name: string): string | undefined
  /** Every line of a header. */
  all(name: string): readonly string[]
}

/** Carries out one request. Rejects with a DrayError (`NETWORK`, `TIMEOUT`, `ABORTED`, `USAGE`); any status is an answer. */
export type Send = (request: HttpRequest) => Promise<HttpResponse>

/** A Send around a Send: authentication, retry, redirects, trace. */
export type Middleware = (next: Send) => Send

/** Stacks middleware around a Send; the first is the outermost. */
export function stack(send: Send, ...middleware: readonly Middleware[]): Send {
  return middleware.reduceRight((next, wrap) => wrap(next), send)
}

/** True for a body that is opened anew for each time it is sent. */
export function isStreamBody(body: HttpRequest['body']): body is StreamBody {
  return body !== undefined && !(body instanceof Uint8Array)
}

/** The request with headers added; undefined values are left out. */
export function withHeaders(request: HttpRequest, headers: Record<string, string | undefined>): HttpRequest {
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...request, headers: { ...request.headers, ...Object.fromEntries(given) } }
}

/** Makes headers from a plain record, as test servers and undici give them. */
export function headersFrom(record: Readonly<Record<string, string | string[] | undefined>>): HttpHeaders {
  const lines = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(record)) {
    if (value !== undefined) lines.set(name.toLowerCase(), typeof value === 'string' ? [value] : value)
  }
  return headersOf(lines)
}

/** Makes headers from their values by name, in lower case. */
export function headersOf(lines: ReadonlyMap<string, readonly string[]>): HttpHeaders {
  return {
    get: name => lines.get(name)?.join(', '),
    all: name => lines.get(name) ?? [],
  }
}

import { DrayError } from '../errors.ts'
import type { HttpProxy } from './proxy.ts'
import { explainTls, wantsTls } from './tls-fault.ts'

/**
 * How a request failed below HTTP:
 * - `broken`: a connection was there and broke; asking again may help
 * - `unreachable`: no connection came about, or not to an HTTP server
 * - `refused-tls`: the other side's certificate or TLS version was not accepted
 * - `timeout`: a wait took too long
 */
export type NetworkFault = 'broken' | 'unreachable' | 'refused-tls' | 'timeout'

/** A DrayError (`NETWORK` or `TIMEOUT`) of the connection, not of what was said over it. */
export class NetworkError extends DrayError {
  readonly fault: NetworkFault

  constructor(
    fault: NetworkFault,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(fault === 'timeout' ? 'TIMEOUT' : 'NETWORK', message, options)
    this.fault = fault
  }
}

/** What to throw once `signal` is aborted: its reason where that is a DrayError, else one with code `ABORTED`. */
export function aborted({ reason }: AbortSignal): DrayError {
  return reason instanceof DrayError ? reason : new DrayError('ABORTED', 'interrupted', { cause: reason })
}

interface Explanation {
  readonly fault: NetworkFault
  readonly why: string
  readonly hint?: string
}

const explanations: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: {
    fault: 'unreachable',
    why: 'connection refused',
    hint: 'is the registry running, and is the port right?',
  },
  ENOTFOUND: {
    fault: 'unreachable',
    why: 'the host name is not known',
    hint: 'check the name, the DNS and the proxy settings',
  },
  EAI_AGAIN: {
    fault: 'unreachable',
    why: 'the name service does not answer',
    hint: 'check the network and the DNS',
  },
  EHOSTUNREACH: { fault: 'unreachable', why: 'the host cannot be reached' },
  ENETUNREACH: { fault: 'unreachable', why: 'the network cannot be reached' },
  ETIMEDOUT: { fault: 'timeout', why: 'the connection timed out' },
  CONNECT_TIMEOUT: {
    fault: 'timeout',
    why: 'connecting took too long',
    hint: 'check the network and proxy, or raise --timeout',
  },
  ANSWER_TIMEOUT: {
    fault: 'timeout',
    why: 'no answer came in time',
    hint: 'raise --timeout if the registry is slow',
  },
  BODY_TIMEOUT: {
    fault: 'timeout',
    why: 'the answer stalled',
    hint: 'raise --timeout if the connection is slow',
  },
  UPLOAD_TIMEOUT: {
    fault: 'timeout',
    why: 'the upload stalled',
    hint: 'raise --timeout if the connection is slow',
  },
  NOT_HTTP: { fault: 'unreachable', why: 'it does not answer in HTTP', hint: 'is it a registry?' },
  SPEAKS_TLS: { fault: 'refused-tls', ...wantsTls },
  CONNECTION_CLOSED: { fault: 'broken', why: 'the other side closed the connection' },
  ECONNRESET: { fault: 'broken', why: 'the connection was reset' },
  EPIPE: { fault: 'broken', why: 'the connection broke' },
  ENDED_EARLY: { fault: 'broken', why: 'the answer ended early' },
}

/** The names that undici has for what is explained above. */
const synonyms: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_TIMEOUT: 'ANSWER_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'BODY_TIMEOUT',
  UND_ERR_SOCKET: 'CONNECTION_CLOSED',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'ENDED_EARLY',
  HPE_INVALID_EOF_STATE: 'ENDED_EARLY',
  HPE_INVALID_CONSTANT: 'NOT_HTTP',
}

/** What will not be sent: a header that is malformed, or (by undici) one that only it may set. */
const unsendable = new Set(['UNSENDABLE', 'UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])

/**
 * Turns whatever the transport threw into an error that names the host and says why; `USAGE` for a request that cannot
 * be sent, to which asking again makes no difference.
 */
export function networkError(error: unknown, url: URL): DrayError {
  if (error instanceof DrayError) return error
  if (unsendable.has(codeOf(error))) {
    const why = error instanceof Error ? error.message : String(error)
    return new DrayError('USAGE', `cannot send the request to ${url.host}: ${why}`, { cause: error })
  }
  const { fault, why, hint } = explain(error)
  return new NetworkError(fault, `cannot reach ${url.host}: ${why}`, { hint, cause: error })
}

/** The same for what befell on the way to a proxy, which is then what the error names, with the variable it is from. */
export function proxyError(error: unknown, proxy: HttpProxy): DrayError {
  if (error instanceof DrayError) return error
  const { fault, why } = explain(error)
  return new NetworkError(fault, `cannot reach ${proxyName(proxy)}: ${why}`, {
    hint: `check ${proxy.variable}; hosts that need no proxy belong in NO_PROXY`,
    cause: error,
  })
}

/** How errors name a proxy. */
export function proxyName({ url, variable }: HttpProxy): string {
  const host = url.port === '' ? `${url.host}:${url.protocol === 'https:' ? 443 : 80}` : url.host
  return `the proxy ${host} (${variable})`
}

function explain(error: unknown): Explanation {
  const code = nameOf(error)
  const text = error instanceof Error ? error.message : String(error)
  const tls = explainTls(error, code)
  if (tls !== undefined) return { fault: 'refused-tls', ...tls }
  const known = explanations[code]
  if (known !== undefined) return known
  if (code === 'MALFORMED_ANSWER' || code.startsWith('HPE_')) {
    return { fault: 'broken', why: `it answers in malformed HTTP: ${text}` }
  }
  return { fault: 'broken', why: text || 'the connection failed' }
}

/** The name under which an error is explained above. */
function nameOf(error: unknown): string {
  const code = codeOf(error)
  const name = synonyms[code] ?? code
  // undici's parser does not always set its code.
  const isHttp = name !== 'NOT_HTTP' && !(error instanceof Error && /\bExpected HTTP\//.test(error.message))
  if (isHttp) return name
  // What came instead: an alert of TLS (RFC 8446, section 5.1), or something else.
  const came = error instanceof Error && 'data' in error ? String(error.data) : ''
  return came.startsWith('\x15\x03') ? 'SPEAKS_TLS' : 'NOT_HTTP'
}

/** The code of an error or of what caused it; several attempts at one name come as an AggregateError. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return codeOf(error.cause)
}

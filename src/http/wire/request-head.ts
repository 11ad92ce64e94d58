import type { HttpRequest } from '../message.ts'
import { networkError } from '../network-error.ts'

// RFC 9110, section 5.5
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Said here, or by nobody: said twice, the request could be read in two ways. */
const reserved = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'expect'])

/** A request as it goes out. */
export interface OutgoingRequest extends HttpRequest {
  /** What stands in the first line instead of the path: the whole URL, for a proxy that forwards (RFC 9112, section 3.2.2). */
  readonly target?: string | undefined
}

/** The head of a request, in latin1 (RFC 9112, section 3). @throws DrayError `USAGE` for a header that cannot be sent */
export function requestHead({ method, url, headers = {}, body, target }: OutgoingRequest): string {
  const lines = [`${method} ${target ?? url.pathname + url.search} HTTP/1.1`, `host: ${url.host}`]
  for (const [name, value] of Object.entries(headers)) {
    const isSendable = headerName.test(name) && headerValue.test(value) && !reserved.has(name.toLowerCase())
    if (!isSendable) throw networkError(new UnsendableHeader(name), url)
    lines.push(`${name}: ${value}`)
  }
  const hasNoBody = body === undefined && (method === 'GET' || method === 'HEAD' || method === 'DELETE')
  if (!hasNoBody) lines.push(`content-length: ${body?.length ?? 0}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Put into words by `networkError`. */
class UnsendableHeader extends Error {
  readonly code = 'UNSENDABLE'

  constructor(name: string) {
    super(`invalid ${name.replace(/[^\x21-\x7e]/g, '?')} header`)
  }
}

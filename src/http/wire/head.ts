import { type HttpHeaders, headersOf } from '../message.ts'

/** How the end of a body is told (RFC 9112, section 6.3). */
export type Framing =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** It ends where the connection does. */
  | { readonly kind: 'close' }

/** What comes before an answer's body. */
export interface ResponseHead {
  readonly status: number
  readonly headers: HttpHeaders
  readonly framing: Framing
  /** The connection may be used for another request when the body has ended. */
  readonly keepsAlive: boolean
}

/** What came is not HTTP/1.1; the message says why. */
export class MalformedAnswer extends Error {
  readonly code = 'MALFORMED_ANSWER'
}

/** What came does not even begin as HTTP/1 does. */
export class NotHttp extends Error {
  readonly code = 'NOT_HTTP'
  /** Its first characters. */
  readonly data: string

  constructor(data: string) {
    super(`it begins with ${JSON.stringify(data)}`)
    this.data = data
  }
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?$/
// RFC 9110, section 5.5: a value holds visible characters, blanks and what is beyond ASCII.
const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads the head of an answer (RFC 9112, sections 4 to 6).
 * @param text all up to the empty line, each byte a character
 * @throws MalformedAnswer
 */
export function parseHead(text: string, method: string): ResponseHead {
  // Section 5.2: a line that was folded is one line.
  const lines = text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  const [, minor, code] = statusLine.exec(lines[0] ?? '') ?? []
  if (minor === undefined || code === undefined) {
    throw new MalformedAnswer(`the first line is ${JSON.stringify((lines[0] ?? '').slice(0, 80))}`)
  }
  const fields = new Map<string, string[]>()
  for (const line of lines.slice(1)) {
    const [, name, value = ''] = headerLine.exec(line) ?? []
    if (name === undefined) throw new MalformedAnswer(`a header is ${JSON.stringify(line.slice(0, 80))}`)
    const key = name.toLowerCase()
    const values = fields.get(key)
    if (values === undefined) fields.set(key, [withoutBlanks(value)])
    else values.push(withoutBlanks(value))
  }
  const status = Number(code)
  const headers = headersOf(fields)
  const framing = hasNoBody(method, status) ? noBody : framingOf(headers, minor === '1')
  return { status, headers, framing, keepsAlive: keepsAlive(headers, framing, minor === '1') }
}

/** A pattern would go over a long run of blanks once for each of them. */
function withoutBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text[start])) start += 1
  while (start < end && isBlank(text[end - 1])) end -= 1
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

const noBody: Framing = { kind: 'length', bytes: 0 }

function hasNoBody(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304
}

function framingOf(headers: HttpHeaders, isHttp11: boolean): Framing {
  const encoding = headers.get('transfer-encoding')
  if (encoding !== undefined) {
    if (!isHttp11) throw new MalformedAnswer('HTTP/1.0 knows no transfer-encoding')
    if (encoding.trim().toLowerCase() === 'chunked') return { kind: 'chunked' }
    throw new MalformedAnswer(`the transfer-encoding is ${JSON.stringify(encoding.slice(0, 80))}`)
  }
  const lengths = (headers.get('content-length')?.split(',') ?? []).map(text => text.trim())
  const [length] = lengths
  if (length === undefined) return { kind: 'close' }
  const isSure = /^\d{1,15}$/.test(length) && lengths.every(other => other === length)
  if (!isSure)
    throw new MalformedAnswer(`the content-length is ${JSON.stringify(lengths.join(', ').slice(0, 80))}`)
  return { kind: 'length', bytes: Number(length) }
}

/** Section 6.3: with a length and an encoding at once the connection is not to be trusted any longer. */
function keepsAlive(headers: HttpHeaders, framing: Framing, isHttp11: boolean): boolean {
  const options = (headers.get('connection') ?? '')
    .toLowerCase()
    .split(',')
    .map(option => option.trim())
  if (framing.kind === 'close' || options.includes('close')) return false
  if (framing.kind === 'chunked' && headers.get('content-length') !== undefined) return false
  return isHttp11 || options.includes('keep-alive')
}

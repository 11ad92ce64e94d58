import type { HttpResponse } from './message.ts'

/** What an error answer says, in one line, and the registry's own code where it has one. */
export interface ErrorDescription {
  readonly message: string
  readonly code?: string | undefined
}

/** RFC 9110, section 15. `STATUS_CODES` of node:http has them too, but to import it costs as much as half a start. */
const statusTexts: Readonly<Record<number, string>> = {
  400: 'bad request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  406: 'not acceptable',
  408: 'request timeout',
  409: 'conflict',
  411: 'length required',
  413: 'payload too large',
  415: 'unsupported media type',
  416: 'range not satisfiable',
  422: 'unprocessable entity',
  429: 'too many requests',
  500: 'internal server error',
  501: 'not implemented',
  502: 'bad gateway',
  503: 'service unavailable',
  504: 'gateway timeout',
  507: 'insufficient storage',
}

const maxErrorBytes = 64 * 1024
const maxMessageLength = 400

/**
 * Reads the body of an error answer of any of the shapes that registries use: `errors[]`, `{details}`, `{error}`,
 * `{status,message}`, HTML, XML, plain text, nothing. At most 64 KiB are read; the message is one line.
 */
export async function describeBody(response: HttpResponse): Promise<ErrorDescription> {
  return describeErrorText(await readErrorText(response), response.status)
}

/** The same of a body that was read already. */
export function describeErrorText(text: string, status: number): ErrorDescription {
  const described = describeText(text.slice(0, maxErrorBytes).trim())
  return { ...described, message: oneLine(described.message) || statusText(status) }
}

function statusText(status: number): string {
  return statusTexts[status] ?? `status ${status}`
}

/** The body of an error answer: what comes of it, and at most 64 KiB. */
export async function readErrorText(response: HttpResponse): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response.body) {
      parts.push(chunk)
      length += chunk.length
      if (length >= maxErrorBytes) break
    }
  } catch {
    // The status alone already says that the request failed; a body that breaks adds nothing.
  }
  return Buffer.concat(parts).subarray(0, maxErrorBytes).toString('utf8')
}

function describeText(text: string): ErrorDescription {
  if (text.startsWith('{') || text.startsWith('[')) {
    const document = parseJson(text)
    if (document !== undefined) return describeJson(document)
  }
  if (text.startsWith('<')) return describeMarkup(text)
  return { message: text }
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null ? { ...document } : undefined
  } catch {
    // It only looked like JSON; it is shown as text.
    return undefined
  }
}

function describeJson(document: Record<string, unknown>): ErrorDescription {
  const errors = Array.isArray(document.errors) ? document.errors.filter(isRecord) : []
  const first = errors[0]
  if (first !== undefined) {
    const messages = errors.map(describeError).filter(message => message !== '')
    return { message: [...new Set(messages)].join('; '), code: stringOf(first.code) }
  }
  const nested = isRecord(document.error) ? describeError(document.error) : stringOf(document.error)
  const message =
    stringOf(document.error_description) ??
    stringOf(document.message) ??
    stringOf(document.details) ??
    stringOf(document.detail) ??
    nested ??
    ''
  return { message, code: stringOf(document.code) }
}

/** `{code, message, detail}` of distribution-spec v1.1, "Error codes"; a detail is added where it is short text. */
function describeError(error: Record<string, unknown>): string {
  const message = stringOf(error.message) ?? stringOf(error.code)?.toLowerCase().replaceAll('_', ' ') ?? ''
  const detail = stringOf(error.detail)
  return detail !== undefined && detail !== message && detail.length < 200
    ? `${message} (${detail})`
    : message
}

/** HTML's title or first heading; XML's `<Message>`; else the text between the tags. */
function describeMarkup(text: string): ErrorDescription {
  const code = /<Code>([^<]{1,100})<\/Code>/.exec(text)?.[1]
  const inner = /<(?:Message|title|h1)>([^<]{1,400})</i.exec(text)?.[1]
  return { message: inner ?? text.replace(/<[^<>]{0,1000}>/g, ' '), code }
}

function oneLine(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length <= maxMessageLength ? line : `${line.slice(0, maxMessageLength - 1)}…`
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

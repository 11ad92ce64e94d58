import type { OutgoingHttpHeaders } from 'node:http'
import { isDrayError } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'

/** The codes of distribution-spec v1.1 ("Error Codes") with the status each is sent with; `UNKNOWN` is distribution's. */
const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const

/** A code that stands in the body of an answer. */
export type FaultCode = keyof typeof statusOf

/** What a fault says besides its code and message. */
export interface FaultOptions {
  /** Where the code's own status does not fit. */
  readonly status?: number
  readonly detail?: unknown
  readonly headers?: OutgoingHttpHeaders
  readonly cause?: unknown
}

/** An answer that says no, thrown by whoever finds out. Its message goes to the client. */
export class RegistryFault extends Error {
  override readonly name = 'RegistryFault'
  readonly code: FaultCode
  readonly status: number
  readonly detail: unknown
  readonly headers: OutgoingHttpHeaders

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status ?? statusOf[code]
    this.detail = options.detail
    this.headers = options.headers ?? {}
  }
}

/** A refusal of a method, naming those that there are (RFC 9110, 15.5.6). */
export function methodNotAllowed(method: string, allowed: readonly string[]): RegistryFault {
  const headers = { Allow: allowed.join(', ') }
  return new RegistryFault('UNSUPPORTED', `${method} is not possible here`, { headers })
}

/** What the client is told about an error: a fault as it is, of anything else only that it was ours (a full disk: 507), and where to look. */
export function toFault(error: unknown, requestId: string): RegistryFault {
  if (error instanceof RegistryFault) return error
  const isFull = isDiskFull(error)
  const what = isFull ? 'has no space left on its disk' : 'failed'
  return new RegistryFault('UNKNOWN', `the registry ${what}; its log says more, at ${requestId}`, {
    status: isFull ? 507 : 500,
    cause: error,
    headers: { 'X-Request-Id': requestId },
  })
}

function isDiskFull(error: unknown): boolean {
  const code = isDrayError(error, 'IO') ? systemCode(error.cause) : undefined
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** The body of a fault (distribution-spec v1.1, "Error Codes"). */
export function faultBody({ code, message, detail }: RegistryFault): unknown {
  return { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] }
}

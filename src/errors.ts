/**
 * What went wrong, in a word a program can branch on.
 *
 * - `USAGE`: the call or command line makes no sense
 * - `INVALID_REFERENCE`: a reference, digest or platform is malformed
 * - `NOT_FOUND`: the registry or layout does not have it (decided by status 404, not by error code)
 * - `UNAUTHORIZED`: 401 or 403: no credential, a wrong one, or one without the right
 * - `NETWORK`: no connection, a broken connection, TLS, or retries used up
 * - `TIMEOUT`: a wait took longer than its limit
 * - `INTEGRITY`: content does not match its digest or size, or is malformed
 * - `UNSUPPORTED`: the other side, or this runtime, cannot do it
 * - `REGISTRY`: the registry answered with a fault of its own
 * - `IO`: a local file or folder could not be read or written
 * - `PARTIAL`: a part of a batch failed
 * - `ABORTED`: the caller cancelled
 */
export type ErrorCode =
  | 'USAGE'
  | 'INVALID_REFERENCE'
  | 'NOT_FOUND'
  | 'UNAUTHORIZED'
  | 'NETWORK'
  | 'TIMEOUT'
  | 'INTEGRITY'
  | 'UNSUPPORTED'
  | 'REGISTRY'
  | 'IO'
  | 'PARTIAL'
  | 'ABORTED'

/** What an error tells beside its code and message. */
export interface DrayErrorOptions {
  /** What the user can do about it: one sentence, no secret. */
  hint?: string | undefined
  cause?: unknown
  /** The HTTP status that led to this error, where there was one. */
  status?: number | undefined
}

/** An error that a user can cause or meet. Its message names the thing; anything else thrown is a bug. */
export class DrayError extends Error {
  override readonly name = 'DrayError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, options: DrayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.status = options.status
  }
}

/** True for a DrayError, of one of the given codes where codes are given. */
export function isDrayError(error: unknown, ...codes: ErrorCode[]): error is DrayError {
  return error instanceof DrayError && (codes.length === 0 || codes.includes(error.code))
}

const longestQuote = 256

/** Controls, invisible formats (some reorder a line), lone surrogates and line separators. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * Text from outside, in double quotes for a message: cut after 256 characters, and what a terminal would obey or hide is
 * shown as `\u{1b}`.
 */
export function quote(text: string): string {
  const cut = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text
  return `"${cut.replace(unprintable, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)}"`
}

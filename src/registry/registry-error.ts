import { DrayError, type DrayErrorOptions, type ErrorCode } from '../errors.ts'
import { describeBody } from '../http/error-body.ts'
import type { HttpResponse } from '../http/message.ts'
import { isTransientStatus } from '../http/retry.ts'

/** An error that a registry answered with, with its own error code where it sent one. */
export class RegistryError extends DrayError {
  /** Of distribution-spec v1.1, "Error codes", or the registry's own: `MANIFEST_UNKNOWN`. */
  readonly registryCode: string | undefined
  /** The `Retry-After` that came with it, as it was sent. */
  readonly retryAfter: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: DrayErrorOptions & Pick<RegistryError, 'registryCode' | 'retryAfter'>,
  ) {
    super(code, message, options)
    this.registryCode = options.registryCode
    this.retryAfter = options.retryAfter
  }
}

/**
 * Turns an error answer into one readable line: `cannot <what>: <the registry's words> (<status>)`. Reads the body.
 * What kind of error it is, the status decides, not the registry's code.
 */
export async function registryError(response: HttpResponse, what: string): Promise<RegistryError> {
  const { status } = response
  const location = response.headers.get('location')
  const { message, code: registryCode } = await describeBody(response)
  const said =
    status >= 300 && status < 400 && location !== undefined ? `it redirects to ${location}` : message
  const label =
    registryCode === undefined || registryCode === String(status) ? `${status}` : `${status} ${registryCode}`
  return new RegistryError(codeOf(status, registryCode), `cannot ${what}: ${said} (${label})`, {
    hint: hintFor(status, message, response),
    status,
    registryCode,
    retryAfter: response.headers.get('retry-after'),
  })
}

/** True when a registry says that what it was sent is not what it was said to be. */
export function isWrongContent(registryCode: string | undefined): boolean {
  return registryCode === 'DIGEST_INVALID' || registryCode === 'SIZE_INVALID'
}

/** Throws unless the status is one of those expected. */
export async function expectStatus(
  response: HttpResponse,
  expected: readonly number[],
  what: string,
): Promise<HttpResponse> {
  if (expected.includes(response.status)) return response
  throw await registryError(response, what)
}

function codeOf(status: number, registryCode: string | undefined): ErrorCode {
  if (status === 401 || status === 403) return 'UNAUTHORIZED'
  if (status === 404) return 'NOT_FOUND'
  if (status === 405 || status === 501) return 'UNSUPPORTED'
  if (isWrongContent(registryCode)) return 'INTEGRITY'
  return isTransientStatus(status) ? 'NETWORK' : 'REGISTRY'
}

function hintFor(status: number, message: string, response: HttpResponse): string | undefined {
  const { host } = response.url
  if (/HTTP request.*HTTPS/i.test(message)) {
    return `${host} speaks TLS: use --no-plain-http, with --ca-file FILE if its CA is a private one`
  }
  if (status === 401) return `log in with: dray login ${host === 'registry-1.docker.io' ? 'docker.io' : host}`
  if (status === 403) return 'the credential in use has no right to this'
  const retryAfter = response.headers.get('retry-after')
  if (isTransientStatus(status) && retryAfter !== undefined) {
    return `the registry asks to wait (Retry-After: ${retryAfter}); see --max-retry-after and --retries`
  }
  if (status === 429) return 'the registry limits requests: log in, wait, or lower --jobs'
  return undefined
}

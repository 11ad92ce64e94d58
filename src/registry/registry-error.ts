import { DrayError, type DrayErrorOptions, type ErrorCode } from '../errors.ts'
import { parseChallenges } from '../http/challenge.ts'
import { describeBody } from '../http/error-body.ts'
import type { HttpHeaders, HttpResponse } from '../http/message.ts'
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
  return new RegistryError(errorCodeOf(status, registryCode), `cannot ${what}: ${said} (${label})`, {
    hint: hintFor(response, message, registryCode),
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

/** What kind of error an answer is: the status tells, and the registry's code only of content that is not what it was said to be. */
export function errorCodeOf(status: number, registryCode?: string): ErrorCode {
  if (status === 401 || status === 403) return 'UNAUTHORIZED'
  if (status === 404) return 'NOT_FOUND'
  if (status === 405 || status === 501) return 'UNSUPPORTED'
  if (isWrongContent(registryCode)) return 'INTEGRITY'
  return isTransientStatus(status) ? 'NETWORK' : 'REGISTRY'
}

function hintFor(
  { status, headers, registry, url: { host } }: HttpResponse,
  message: string,
  registryCode: string | undefined,
): string | undefined {
  if (/HTTP request.*HTTPS/i.test(message)) {
    return `${host} speaks TLS: use --no-plain-http, with --ca-file FILE if its CA is a private one`
  }
  if (status === 401) {
    const who = lacksScope(headers) ? ' as someone who has the right to this' : ''
    return `log in${who} with: dray login ${registry ?? host}`
  }
  if (status === 403) return 'the credential in use has no right to this'
  if (status === 404 && registryCode === 'NAME_UNKNOWN') {
    return 'is the name right? some registries want a repository to be made before the first push (ECR, for one)'
  }
  if (registryCode === 'UNSUPPORTED' && /invalid JSON syntax/i.test(message)) {
    return 'Amazon ECR takes no manifest without a "mediaType" of its own; build the image anew with one'
  }
  const retryAfter = headers.get('retry-after')
  if (isTransientStatus(status) && retryAfter !== undefined) {
    return `the registry asks to wait (Retry-After: ${retryAfter}); see --max-retry-after and --retries`
  }
  if (status === 429) return 'the registry limits requests: log in, wait, or lower --jobs'
  return undefined
}

/** Token services leave out of a token what its owner may not do (GitLab), which only shows when it is used (RFC 6750). */
function lacksScope(headers: HttpHeaders): boolean {
  return parseChallenges(headers.all('www-authenticate')).some(
    ({ parameters }) => parameters.error === 'insufficient_scope',
  )
}

import type { Credential } from '../credential.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type HttpRequest, type HttpResponse, isStreamBody } from './message.ts'
import { basicHeader } from './token.ts'

/** An `Authorization` and how long it holds. */
export interface Access {
  readonly authorization: string
  /** Milliseconds since 1970; missing where there is no end. */
  readonly expiresAt?: number
}

/** What opened the door for one kind of request, and how to get it anew. */
export interface Grant extends Required<Access> {
  readonly challenge: Challenge
  /** Milliseconds since 1970. */
  readonly obtainedAt: number
  /** True when the stored credential was refused and left out. */
  readonly isAnonymous: boolean
}

/**
 * The challenge that an answer holds, of a 401 or to a request that must prove a login. Bearer comes before Basic;
 * a token that is `old` is renewed before Basic is tried: Harbor offers only Basic once it has seen an Authorization.
 */
export function challengeOf(
  request: HttpRequest,
  response: HttpResponse,
  old: Grant | undefined,
): Challenge | undefined {
  const mustProve = request.requireCredential === true && response.status === 200
  const holdsChallenge = response.status === 401 || mustProve
  const offered = holdsChallenge ? parseChallenges(response.headers.all('www-authenticate')) : []
  return (
    offered.find(({ scheme }) => scheme === 'bearer') ??
    staleChallenge(request, response, old) ??
    offered.find(({ scheme }) => scheme === 'basic')
  )
}

/**
 * The challenge once met, where the end of a token or password shows without a new one: as 400, 401 or 403 (ECR, GHCR).
 * A 400 or 403 to an upload is taken at its word: it would have to be sent again as a whole, to a session that may be gone.
 */
function staleChallenge(
  request: HttpRequest,
  { status }: HttpResponse,
  old: Grant | undefined,
): Challenge | undefined {
  const isRefusal = status === 401 || ((status === 400 || status === 403) && !isStreamBody(request.body))
  return isRefusal ? old?.challenge : undefined
}

/** False where we have nothing that fits the challenge, or would only say the same again. */
export function isAnswerable(
  challenge: Challenge,
  credential: Credential | undefined,
  used: Grant | undefined,
): boolean {
  if (challenge.scheme === 'basic' && credential?.kind !== 'basic') return false
  const fixed = fixedAccess(challenge, credential)
  return fixed === undefined || fixed.authorization !== used?.authorization
}

/** What a credential opens by itself, without a token service. */
export function fixedAccess({ scheme }: Challenge, credential: Credential | undefined): Access | undefined {
  if (credential?.kind === 'registry-token' && scheme === 'bearer') {
    return { authorization: `Bearer ${credential.token}` }
  }
  if (credential?.kind === 'basic' && scheme === 'basic') return { authorization: basicHeader(credential) }
  return undefined
}

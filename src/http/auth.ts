import type { Credential, FindCredential } from '../credential.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import { type HttpRequest, type HttpResponse, type Middleware, type Send, withHeaders } from './message.ts'
import { mergeScopes } from './scope.ts'
import { basicHeader, fetchToken, type Token } from './token.ts'

export interface AuthOptions {
  /** The registry's name as in references, for `findCredential`. */
  readonly registry: string
  /** The only origin that gets an `Authorization`. */
  readonly origin: string
  /** Carries requests to token services: without authentication, with retries. */
  readonly send: Send
  readonly findCredential?: FindCredential | undefined
  readonly onWarning?: ((message: string) => void) | undefined
  readonly now?: (() => number) | undefined
}

/** What opened the door for one kind of request, and how to get it anew. */
interface Grant {
  readonly authorization: string
  /** Milliseconds since 1970. */
  readonly obtainedAt: number
  readonly expiresAt: number
  readonly challenge: Challenge
}

/** A token that ends sooner than this is not worth sending. */
const expiryMarginMs = 5_000
/** A refusal without a challenge to a token younger than this is no sign of its expiry. */
const youngMs = 30_000

/**
 * Answers a registry's challenges (distribution-spec v1.1; distribution's token specification). The first request
 * goes out bare; what a challenge asks for is then remembered for requests of the same scope. Tokens are kept for the
 * life of this middleware, by realm, service, scope and credential, and many waiters share one flight. Each request
 * is repeated once at the most, or twice where a stored credential is refused and a read works without it.
 */
export function auth(options: AuthOptions): Middleware {
  const grants = new Map<string, Grant>()
  const flights = new Map<string, Promise<Token>>()
  const now = options.now ?? Date.now

  return next => async request => {
    if (request.url.origin !== options.origin) return next(request)
    const remembered = await current(request)
    const response = await next(authorized(request, remembered))
    if (response.url.origin !== options.origin) return response
    const mayHaveExpired = remembered !== undefined && now() - remembered.obtainedAt >= youngMs
    const challenge =
      challengeOf(request, response) ?? (mayHaveExpired ? staleChallenge(response, remembered) : undefined)
    if (challenge === undefined) return response
    return answer(next, request, { response, challenge, used: remembered })
  }

  /** The grant for requests of this kind, renewed when its time is up. */
  async function current(request: HttpRequest): Promise<Grant | undefined> {
    const grant = grants.get(keyOf(request))
    if (grant === undefined || grant.expiresAt - expiryMarginMs > now()) return grant
    grants.delete(keyOf(request))
    return obtain(request, grant.challenge, await credentialFor(request))
  }

  async function answer(next: Send, request: HttpRequest, refusal: Refusal): Promise<HttpResponse> {
    const { response, challenge, used } = refusal
    const credential = await credentialFor(request)
    const isBasic = challenge.scheme === 'basic'
    if (isBasic && (credential?.kind !== 'basic' || used?.challenge.scheme === 'basic')) return response
    const newer = grants.get(keyOf(request))
    await response.discard()
    try {
      const grant =
        newer !== undefined && newer !== used ? newer : await obtain(request, challenge, credential)
      return await next(authorized(request, grant))
    } catch (error) {
      if (credential === undefined || !isDrayError(error, 'UNAUTHORIZED') || !mayBeAnonymous(request))
        throw error
      return anonymously(next, request, { challenge, refusal: error })
    }
  }

  /** A public image must not be out of reach because a stored password is stale. */
  async function anonymously(
    next: Send,
    request: HttpRequest,
    given: { challenge: Challenge; refusal: DrayError },
  ) {
    const grant = await obtain(request, given.challenge, undefined).catch(() => {
      throw given.refusal
    })
    const response = await next(authorized(request, grant))
    if (response.status === 401 || response.status === 403) {
      grants.delete(keyOf(request))
      await response.discard()
      throw given.refusal
    }
    options.onWarning?.(`${given.refusal.message}; going on without it`)
    return response
  }

  async function obtain(request: HttpRequest, challenge: Challenge, credential: Credential | undefined) {
    const opened = await (challenge.scheme === 'basic'
      ? basicAccess(credential)
      : bearerAccess(request, challenge, credential))
    const grant = { ...opened, challenge, obtainedAt: now() }
    grants.set(keyOf(request), grant)
    return grant
  }

  async function bearerAccess(
    request: HttpRequest,
    challenge: Challenge,
    credential: Credential | undefined,
  ) {
    if (credential?.kind === 'registry-token') {
      return { authorization: `Bearer ${credential.token}`, expiresAt: Number.POSITIVE_INFINITY }
    }
    const scopes = mergeScopes([challenge.parameters.scope ?? '', ...(request.scopes ?? [])])
    const realm = realmOf(challenge, request.url)
    const { service } = challenge.parameters
    const flightKey = JSON.stringify([realm.href, service, scopes, credential])
    const flight =
      flights.get(flightKey) ??
      fetchToken(options.send, { realm, service, scopes, credential }, now).finally(() =>
        flights.delete(flightKey),
      )
    flights.set(flightKey, flight)
    const token = await flight
    return { authorization: `Bearer ${token.value}`, expiresAt: token.expiresAt }
  }

  async function credentialFor(request: HttpRequest): Promise<Credential | undefined> {
    return options.findCredential?.({ registry: options.registry, repository: repositoryOf(request) })
  }
}

interface Refusal {
  readonly response: HttpResponse
  readonly challenge: Challenge
  readonly used: Grant | undefined
}

/** An upload's location may lie anywhere, so the scopes know best. */
function repositoryOf(request: HttpRequest): string | undefined {
  const scoped = /^repository:(.+):[^:]*$/.exec(request.scopes?.[0] ?? '')?.[1]
  return scoped ?? /^\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//.exec(request.url.pathname)?.[1]
}

/** Requests of the same scopes share a grant; without scopes, those of the same path. */
function keyOf(request: HttpRequest): string {
  return request.scopes?.length ? mergeScopes(request.scopes).join(' ') : request.url.pathname
}

function authorized(request: HttpRequest, grant: Grant | undefined): HttpRequest {
  return grant === undefined ? request : withHeaders(request, { authorization: grant.authorization })
}

/** The challenge that an answer holds, of a 401 or to a request that must prove a login; Bearer before Basic. */
function challengeOf(request: HttpRequest, response: HttpResponse): Challenge | undefined {
  const mustProve = request.requireCredential === true && response.status === 200
  if (response.status !== 401 && !mustProve) return undefined
  const offered = parseChallenges(response.headers.all('www-authenticate'))
  return offered.find(({ scheme }) => scheme === 'bearer') ?? offered.find(({ scheme }) => scheme === 'basic')
}

/** The challenge once met, where a token's expiry shows without a new one: as 400, 401 or 403 (ECR, GHCR). */
function staleChallenge({ status }: HttpResponse, used: Grant): Challenge | undefined {
  const isRefusal = status === 400 || status === 401 || status === 403
  return isRefusal && used.challenge.scheme === 'bearer' ? used.challenge : undefined
}

function basicAccess(credential: Credential | undefined) {
  if (credential?.kind !== 'basic') {
    throw new DrayError('UNAUTHORIZED', 'the registry wants a username and password')
  }
  return { authorization: basicHeader(credential), expiresAt: Number.POSITIVE_INFINITY }
}

/** Only reads, and only where nothing but pulling is asked for. */
function mayBeAnonymous(request: HttpRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  return (
    isRead &&
    request.requireCredential !== true &&
    !(request.scopes ?? []).some(scope => /[:,]push/.test(scope))
  )
}

/** The realm may be on another origin, but a registry met over https cannot send credentials over plain http. */
function realmOf(challenge: Challenge, registry: URL): URL {
  const text = challenge.parameters.realm ?? ''
  if (!URL.canParse(text, registry.href)) {
    throw new DrayError('REGISTRY', `${registry.host} asks for a token but names no usable realm`)
  }
  const realm = new URL(text, registry)
  const isSafe = realm.protocol === 'https:' || (realm.protocol === 'http:' && registry.protocol === 'http:')
  if (!isSafe) {
    throw new DrayError(
      'NETWORK',
      `${registry.host} wants its tokens fetched without https, from ${realm.host}`,
      {
        hint: 'no credential was sent; the registry must be mended',
      },
    )
  }
  return realm
}

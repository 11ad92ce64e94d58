import type { Credential, FindCredential } from '../credential.ts'
import { type DrayError, type ErrorCode, isDrayError } from '../errors.ts'
import { RecentMap } from '../recent-map.ts'
import { untilAborted } from '../until-aborted.ts'
import type { Challenge } from './challenge.ts'
import { describeBody } from './error-body.ts'
import { type Access, challengeOf, fixedAccess, type Grant, isAnswerable } from './grant.ts'
import { type HttpRequest, type HttpResponse, type Middleware, type Send, withHeaders } from './message.ts'
import { aborted } from './network-error.ts'
import { mergeScopes, repositoryScope } from './scope.ts'
import { loginRefused, ownerOf, realmOf } from './token.ts'
import { expiryMarginMs, tokenStore } from './token-store.ts'

/** Who is met, and what is needed to answer its challenges. */
export interface AuthOptions {
  /** The registry's name as in references, for `findCredential`. */
  readonly registry: string
  /** The only origin that gets an `Authorization`. */
  readonly origin: string
  /** Carries requests to token services: without authentication, with retries. */
  readonly send: Send
  readonly findCredential?: FindCredential | undefined
  /** Told once of each stored credential that is refused while a read works without it. */
  readonly onWarning?: ((message: string) => void) | undefined
  readonly now?: (() => number) | undefined
}

/** A refusal that names no token service, to a token younger than this, is no sign of the token's expiry. */
const youngMs = 30_000

/**
 * Answers a registry's challenges (distribution-spec v1.1; distribution's token specification). The first request
 * goes out bare; what a challenge asks for is then remembered for requests of the same scope. Tokens are kept for the
 * life of this middleware, by realm, service, scope and credential, and many waiters share one flight. Each request
 * is repeated once at the most, or twice where a stored credential is refused and a read works without it.
 */
export function auth(options: AuthOptions): Middleware {
  const grants = new RecentMap<string, Grant>()
  const now = options.now ?? Date.now
  const getToken = tokenStore(options.send, now)
  const warned = new RecentMap<string, true>()

  return next => async request => {
    if (request.url.origin !== options.origin) return next(request)
    const used = await current(request)
    const response = await next(authorized(request, used))
    if (response.url.origin !== options.origin) return response
    const isOld = used !== undefined && now() - used.obtainedAt >= youngMs
    const challenge =
      challengeOf(request, response, isOld ? used : undefined) ??
      (response.status === 401 && used === undefined ? await challengeOfPing(next, request) : undefined)
    if (challenge === undefined) return response
    return answer(next, request, { response, challenge, used })
  }

  /** The grant for requests of this kind, renewed when its time is up. */
  async function current(request: HttpRequest): Promise<Grant | undefined> {
    const grant = grants.get(keyOf(request))
    if (grant === undefined || grant.expiresAt - expiryMarginMs > now()) return grant
    grants.delete(keyOf(request))
    return obtain(request, grant.challenge, { credential: await credentialFor(request, grant), used: grant })
  }

  async function answer(next: Send, request: HttpRequest, refusal: Refusal): Promise<HttpResponse> {
    const { response, challenge, used } = refusal
    const found = await credentialFor(request, used).catch(asLack)
    const credential = isDrayError(found) ? undefined : found
    if (!isDrayError(found) && !isAnswerable(challenge, found, used)) return response
    await response.discard()
    try {
      if (isDrayError(found)) throw found
      const grant = await obtain(request, challenge, { credential, used })
      const answered = await unlessRefused(await next(authorized(request, grant)), grant, credential)
      if (answered.status !== 403 || credential === undefined) return answered
      const open = await anonymously(next, request, { challenge, isOpen: status => status < 400 })
      if (open === undefined) return answered
      await answered.discard()
      warn(`${options.registry} refuses the login${ownerOf(credential)} what it gives to everybody`)
      return open
    } catch (error) {
      if (error !== found && (credential === undefined || !isDrayError(error, 'UNAUTHORIZED'))) throw error
      if (!isDrayError(error)) throw error
      const isOpen = (status: number) => status !== 401 && status !== 403
      const open = await anonymously(next, request, { challenge, isOpen })
      if (open === undefined) throw error
      warn(error.message)
      return open
    }
  }

  /** A login that is sent as it is and refused is said by name: the registry's own words ask for what was just given. */
  async function unlessRefused(response: HttpResponse, grant: Grant, credential: Credential | undefined) {
    if (response.status !== 401 || credential === undefined) return response
    if (fixedAccess(grant.challenge, credential) === undefined) return response
    const { message } = await describeBody(response)
    const { registry } = options
    throw loginRefused({ by: registry, registry, credential, message, status: response.status })
  }

  /** A public image must not be out of reach because a stored password is stale. Undefined where it is no public one. */
  async function anonymously(
    next: Send,
    request: HttpRequest,
    { challenge, isOpen }: { readonly challenge: Challenge; readonly isOpen: (status: number) => boolean },
  ): Promise<HttpResponse | undefined> {
    if (challenge.scheme !== 'bearer' || !mayBeAnonymous(request)) return undefined
    // What was refused is told then, and why nobody else is let in is not.
    const grant = await obtain(request, challenge, { isAnonymous: true }).catch(() => undefined)
    if (grant === undefined) return undefined
    const response = await next(authorized(request, grant))
    if (isOpen(response.status)) return response
    grants.delete(keyOf(request))
    await response.discard()
    return undefined
  }

  function warn(message: string): void {
    if (!warned.has(message)) options.onWarning?.(`${message}; going on without it`)
    warned.set(message, true)
  }

  async function obtain(request: HttpRequest, challenge: Challenge, how: HowToObtain): Promise<Grant> {
    const { credential, used, isAnonymous = used?.isAnonymous ?? false } = how
    const { authorization, expiresAt = Number.POSITIVE_INFINITY } =
      fixedAccess(challenge, credential) ?? (await tokenAccess(request, challenge, how))
    const grant = { authorization, expiresAt, challenge, isAnonymous, obtainedAt: now() }
    grants.set(keyOf(request), grant)
    return grant
  }

  async function tokenAccess(request: HttpRequest, challenge: Challenge, how: HowToObtain): Promise<Access> {
    const { service, scope = '' } = challenge.parameters
    const scopes = mergeScopes([scope, ...(request.scopes ?? [])])
    const realm = realmOf(challenge, request.url)
    const refused = how.used?.authorization.replace(/^Bearer /, '')
    // Many may wait for one token, so whoever gives up leaves the fetching of it to the others.
    const getFor = (credential: Credential | undefined) =>
      untilAborted(
        getToken({ registry: options.registry, realm, service, scopes, credential }, refused),
        request.signal,
        aborted,
      )
    const { value, expiresAt } = await getFor(how.credential).catch(async error => {
      if (how.credential === undefined || !isDrayError(error, 'UNAUTHORIZED')) throw error
      const renewed = await findCredential(request, { renew: true })
      if (renewed === undefined || JSON.stringify(renewed) === JSON.stringify(how.credential)) throw error
      return getFor(renewed)
    })
    return { authorization: `Bearer ${value}`, expiresAt }
  }

  /** A credential that was found to be refused is left alone; a password that opened the door once may have run out. */
  async function credentialFor(request: HttpRequest, used?: Grant): Promise<Credential | undefined> {
    if (used?.isAnonymous) return undefined
    return findCredential(request, { renew: used?.challenge.scheme === 'basic' })
  }

  async function findCredential(request: HttpRequest, { renew }: { readonly renew: boolean }) {
    const repository = repositoryOf(request)
    return options.findCredential?.({ registry: options.registry, repository, ...(renew ? { renew } : {}) })
  }
}

/** A login that is not to be had (a cloud refuses, a helper is not installed) is no worse than one that is refused. */
function asLack(error: unknown): DrayError {
  if (isDrayError(error) && lacks.has(error.code)) return error
  throw error
}

const lacks = new Set<ErrorCode>(['UNAUTHORIZED', 'NETWORK', 'UNSUPPORTED'])

interface HowToObtain {
  readonly credential?: Credential | undefined
  /** What no longer opens the door. */
  readonly used?: Grant | undefined
  readonly isAnonymous?: boolean
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
  const [scope, ...others] = request.scopes ?? []
  if (scope === undefined) return request.url.pathname
  return others.length === 0 ? scope : mergeScopes([scope, ...others]).join(' ')
}

function authorized(request: HttpRequest, grant: Grant | undefined): HttpRequest {
  return grant === undefined ? request : withHeaders(request, { authorization: grant.authorization })
}

/** The challenge of `/v2/`, for registries that send none with a refusal (gcr.io); its scope is not that of the request. */
async function challengeOfPing(next: Send, request: HttpRequest): Promise<Challenge | undefined> {
  const { method, url, signal } = request
  const ping: HttpRequest = { method: 'GET', url: new URL('/v2/', url), signal }
  if (ping.url.pathname === url.pathname) return undefined
  const response = await next(ping)
  await response.discard()
  const challenge = response.url.origin === url.origin ? challengeOf(ping, response, undefined) : undefined
  if (challenge === undefined) return undefined
  const repository = repositoryOf(request)
  const isRead = method === 'GET' || method === 'HEAD'
  const scope = repository === undefined ? '' : repositoryScope(repository, isRead ? 'pull' : 'pull,push')
  return { ...challenge, parameters: { ...challenge.parameters, scope } }
}

/** Only reads, and only where nothing but pulling is asked for. */
function mayBeAnonymous(request: HttpRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  return (
    isRead &&
    request.requireCredential !== true &&
    !(request.scopes ?? []).some(scope => /[:,]push(?:,|$)/.test(scope))
  )
}

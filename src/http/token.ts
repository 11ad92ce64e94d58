import type { Credential } from '../credential.ts'
import { DrayError } from '../errors.ts'
import { collect } from '../oci/content.ts'
import type { Challenge } from './challenge.ts'
import { describeBody } from './error-body.ts'
import type { HttpResponse, Send } from './message.ts'

/** Where and for what a token is wanted, as a Bearer challenge says. */
export interface TokenRequest {
  /** Whose token it is, as in references. */
  readonly registry: string
  readonly realm: URL
  /** Missing at some registries (Artifact Registry). */
  readonly service?: string | undefined
  readonly scopes: readonly string[]
  readonly credential?: Credential | undefined
}

/** A bearer token, ready to be sent. */
export interface Token {
  readonly value: string
  /** Milliseconds since 1970, by this machine's clock. */
  readonly expiresAt: number
}

const maxTokenReplyBytes = 1024 * 1024
const defaultLifetimeSeconds = 60
const clientId = 'dray'

/**
 * Asks a token service for a bearer token: by GET, with Basic credentials where there are any, or by OAuth2 POST with
 * an identity token (distribution's token and oauth2 specifications).
 * @throws DrayError `UNAUTHORIZED` when the service refuses, `REGISTRY` when its answer makes no sense
 */
export async function fetchToken(send: Send, request: TokenRequest, now: () => number): Promise<Token> {
  const { credential } = request
  if (credential?.kind !== 'identity-token')
    return readToken(await get(send, request, basicOf(credential)), request, now)
  const response = await postRefresh(send, request, credential.token)
  if (response.status !== 404 && response.status !== 405) return readToken(response, request, now)
  await response.discard()
  const basic = basicHeader({ username: '<token>', password: credential.token })
  return readToken(await get(send, request, basic), request, now)
}

/**
 * Where a challenge sends us for a token. It may be another origin, but a registry met over https cannot have
 * credentials sent over plain http.
 * @throws DrayError `REGISTRY` for a realm that is no URL, `NETWORK` for one without https
 */
export function realmOf(challenge: Challenge, registry: URL): URL {
  const text = challenge.parameters.realm ?? ''
  if (text === '' || !URL.canParse(text, registry.href)) {
    throw new DrayError('REGISTRY', `${registry.host} asks for a token but names no usable realm`)
  }
  const realm = new URL(text, registry)
  realm.username = ''
  realm.password = ''
  const isSafe = realm.protocol === 'https:' || (realm.protocol === 'http:' && registry.protocol === 'http:')
  if (!isSafe) {
    throw new DrayError(
      'NETWORK',
      `${registry.host} wants its tokens fetched without https, from ${realm.host || realm.protocol}`,
      {
        hint: 'no credential was sent; the registry must be mended',
      },
    )
  }
  return realm
}

/** The `Authorization` of a username and password (RFC 7617, in UTF-8). */
export function basicHeader(credential: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`, 'utf8').toString('base64')}`
}

function basicOf(credential: Credential | undefined): string | undefined {
  return credential?.kind === 'basic' ? basicHeader(credential) : undefined
}

function get(send: Send, { realm, service, scopes }: TokenRequest, authorization: string | undefined) {
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (authorization !== undefined) url.searchParams.set('client_id', clientId)
  const headers = { accept: 'application/json', ...(authorization === undefined ? {} : { authorization }) }
  return send({ method: 'GET', url, headers })
}

function postRefresh(send: Send, { realm, service, scopes }: TokenRequest, refreshToken: string) {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId })
  if (service !== undefined) form.set('service', service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  form.set('refresh_token', refreshToken)
  const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  return send({ method: 'POST', url: realm, headers, body: Buffer.from(form.toString()) })
}

async function readToken(response: HttpResponse, request: TokenRequest, now: () => number): Promise<Token> {
  const { host } = request.realm
  if (response.status !== 200) throw await tokenError(response, request)
  const reply = parseReply(await collect(response.body, maxTokenReplyBytes, `the token of ${host}`))
  const value = [reply.token, reply.access_token].find(text => typeof text === 'string' && text !== '')
  if (typeof value !== 'string' || /[^\x21-\x7e]/.test(value)) {
    throw new DrayError('REGISTRY', `${host}, which gives out tokens, answered without a usable token`)
  }
  const seconds = Number(reply.expires_in)
  const lifetimeMs = (Number.isFinite(seconds) && seconds > 0 ? seconds : defaultLifetimeSeconds) * 1000
  return { value, expiresAt: now() + lifetimeMs }
}

async function tokenError(
  response: HttpResponse,
  { registry, realm, credential }: TokenRequest,
): Promise<DrayError> {
  const { status } = response
  const { message } = await describeBody(response)
  if (status >= 500 || status === 429) {
    const text = `${realm.host}, which gives out tokens, answered ${status}: ${message}`
    return new DrayError('NETWORK', text, { status })
  }
  if (credential === undefined) {
    const text = `${realm.host} gives out no token without a login: ${message}`
    return new DrayError('UNAUTHORIZED', text, { status, hint: `log in first with: dray login ${registry}` })
  }
  return loginRefused({ by: realm.host, registry, credential, message, status })
}

/** Says whose login was refused, by whom, and in whose words. */
export function loginRefused({ by, registry, credential, message, status }: RefusedLogin): DrayError {
  return new DrayError('UNAUTHORIZED', `${by} refused the login${ownerOf(credential)}: ${message}`, {
    status,
    hint: `is the password or token still right? log in again with: dray login ${registry}`,
  })
}

/** ` of "anna"`, where a credential names its owner. */
export function ownerOf(credential: Credential): string {
  return credential.kind === 'basic' ? ` of "${credential.username}"` : ''
}

interface RefusedLogin {
  readonly by: string
  /** As in references. */
  readonly registry: string
  readonly credential: Credential
  readonly message: string
  readonly status: number
}

function parseReply(bytes: Buffer): Record<string, unknown> {
  try {
    const reply: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof reply === 'object' && reply !== null ? { ...reply } : {}
  } catch {
    // An answer that is not JSON holds no token; the caller says so.
    return {}
  }
}

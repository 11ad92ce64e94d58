import { repositoryFault } from '../../oci/reference.ts'
import { methodNotAllowed, RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Access, formatScope, parseScope } from './access.ts'
import { basicOf, challenge, type UserAndPassword } from './header.ts'
import type { Policy } from './policy.ts'
import type { TokenKey } from './token-key.ts'
import type { Users } from './users.ts'

/** What the token service works with. */
export interface TokenServiceOptions {
  readonly key: TokenKey
  readonly issuer: string
  /** The registries that tokens are given out for: the first is meant where a client names none. */
  readonly services: readonly [string, ...string[]]
  readonly users: Users
  readonly policy: Policy
  readonly ttlSeconds: number
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
}

interface TokenRequest {
  readonly service: string
  /** Undefined for a request without a name and password. */
  readonly username: string | undefined
  readonly scope: string
  readonly wantsRefreshToken: boolean
}

const refreshTtlSeconds = 30 * 24 * 3600
const maxFormBytes = 64 * 1024
const repositoryActions: readonly string[] = ['pull', 'push', 'delete', '*']

/**
 * Answers `GET /token` (distribution's token specification), `POST /token` (its OAuth2 form) and `GET /token/jwks`, which
 * has the public key for others who are to trust the tokens.
 */
export class TokenService {
  readonly #options: TokenServiceOptions

  constructor(options: TokenServiceOptions) {
    this.#options = options
  }

  /** The public keys of the tokens that are out (RFC 7517). */
  get jwks(): object {
    const { key, ttlSeconds } = this.#options
    return key.jwks({ nowSeconds: this.#nowSeconds, lifetimeSeconds: ttlSeconds })
  }

  /**
   * False for a request that is for somebody else.
   * @throws RegistryFault `UNAUTHORIZED` for a wrong password or token, `UNSUPPORTED` for what it cannot do
   */
  async answer(exchange: Exchange): Promise<boolean> {
    if (exchange.path === '/token') await this.#giveToken(exchange)
    else if (exchange.path === '/token/jwks') this.#giveKeys(exchange)
    else return false
    return true
  }

  #giveKeys(exchange: Exchange): void {
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
      throw methodNotAllowed(exchange.method, ['GET', 'HEAD'])
    }
    exchange.sendJson(200, this.jwks)
  }

  async #giveToken(exchange: Exchange): Promise<void> {
    if (exchange.method !== 'GET' && exchange.method !== 'POST') {
      throw methodNotAllowed(exchange.method, ['GET', 'POST'])
    }
    const asked = await (exchange.method === 'GET' ? this.#readQuery(exchange) : this.#readForm(exchange))
    exchange.user = asked.username
    exchange.sendJson(200, this.#issue(asked), { 'Cache-Control': 'no-store' })
  }

  async #readQuery({ query, request, client }: Exchange): Promise<TokenRequest> {
    const service = this.#readService(query.get('service'))
    const given = basicOf(request)
    if (given !== undefined) await this.#checkPassword(given, client.address)
    const isNobody = given === undefined && request.headers.authorization === undefined
    if (given === undefined && !(isNobody && this.#options.policy.servesAnybody)) throw this.#refusal()
    return {
      service,
      username: given?.username,
      scope: query.getAll('scope').join(' '),
      wantsRefreshToken: query.get('offline_token') === 'true' || query.get('access_type') === 'offline',
    }
  }

  async #readForm(exchange: Exchange): Promise<TokenRequest> {
    const form = new URLSearchParams((await exchange.collectBody(maxFormBytes)).toString('utf8'))
    return {
      service: this.#readService(form.get('service')),
      username: await this.#userOfGrant(form, exchange.client.address),
      scope: form.getAll('scope').join(' '),
      wantsRefreshToken: form.get('access_type') === 'offline',
    }
  }

  async #userOfGrant(form: URLSearchParams, from: string | undefined): Promise<string> {
    const grant = form.get('grant_type')
    if (grant === 'password') {
      const username = form.get('username') ?? ''
      await this.#checkPassword({ username, password: form.get('password') ?? '' }, from)
      return username
    }
    if (grant !== 'refresh_token') {
      const message = 'grant_type must be password or refresh_token'
      throw new RegistryFault('UNSUPPORTED', message, { status: 400 })
    }
    return this.#checkRefreshToken(form.get('refresh_token') ?? '')
  }

  #issue({ service, username, scope, wantsRefreshToken }: TokenRequest): Record<string, unknown> {
    const { key, issuer, users, ttlSeconds } = this.#options
    const now = this.#nowSeconds
    const access = this.#grant(parseScope(scope), username)
    const claims = { iss: issuer, sub: username ?? '', aud: service, exp: now + ttlSeconds, access }
    const token = key.sign(claims, now)
    const refresh = {
      ...claims,
      aud: this.#refreshAudience,
      exp: now + refreshTtlSeconds,
      access: [],
      stamp: users.stampOf?.(username ?? ''),
    }
    const isRefreshable = wantsRefreshToken && username !== undefined
    return {
      token,
      access_token: token,
      scope: formatScope(access),
      expires_in: ttlSeconds,
      issued_at: new Date(now * 1000).toISOString(),
      ...(isRefreshable ? { refresh_token: key.sign(refresh, now) } : {}),
    }
  }

  /** What nobody may have is silently left out; the request that needs it is then refused. */
  #grant(wanted: readonly Access[], username: string | undefined): Access[] {
    return wanted
      .filter(({ type, name }) =>
        type === 'registry' ? name === 'catalog' : repositoryFault(name) === undefined,
      )
      .map(({ type, name, actions }) => {
        const known = type === 'registry' ? ['*'] : repositoryActions
        return { type, name, actions: actions.filter(action => known.includes(action)) }
      })
      .map(access => this.#options.policy.allow(username, access))
      .filter(({ actions }) => actions.length > 0)
  }

  #readService(named: string | null): string {
    const { services } = this.#options
    const service = named === null || named === '' ? services[0] : named
    if (services.includes(service)) return service
    throw new RegistryFault('UNSUPPORTED', 'tokens for that service are not given out here', { status: 400 })
  }

  async #checkPassword(given: UserAndPassword, from: string | undefined): Promise<void> {
    const isRight = await this.#options.users.check(given.username, given.password, from)
    if (!isRight) throw this.#refusal()
  }

  /** The user of a refresh token of ours, who must still be one, with the same password. */
  #checkRefreshToken(token: string): string {
    const { key, issuer, users } = this.#options
    const lifetime = { nowSeconds: this.#nowSeconds, lifetimeSeconds: refreshTtlSeconds }
    const claims = key.verify(token, { issuer, audience: this.#refreshAudience, ...lifetime })
    if (claims === undefined) throw this.#refusal()
    const stamp = users.stampOf?.(claims.sub)
    const isCurrent = users.stampOf === undefined || (stamp !== undefined && claims.stamp === stamp)
    if (!isCurrent || claims.sub === '') throw this.#refusal()
    return claims.sub
  }

  #refusal(): RegistryFault {
    return new RegistryFault('UNAUTHORIZED', 'the user name, password or refresh token is wrong or missing', {
      headers: { 'WWW-Authenticate': challenge('Basic', { realm: this.#options.issuer }) },
    })
  }

  /** Another audience than any registry's, so that a refresh token opens nothing by itself. */
  get #refreshAudience(): string {
    return `${this.#options.issuer}#refresh`
  }

  get #nowSeconds(): number {
    return Math.floor(this.#options.clock() / 1000)
  }
}

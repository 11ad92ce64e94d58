import { repositoryFault } from '../../oci/reference.ts'
import { methodNotAllowed, RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Access, formatScope, parseScope } from './access.ts'
import { basicOf, challenge } from './header.ts'
import type { TokenKey } from './jwt.ts'
import type { Users } from './users.ts'

/** What the token service works with. */
export interface TokenServiceOptions {
  readonly key: TokenKey
  readonly service: string
  readonly users: Users
  readonly anonymousPull: boolean
  readonly ttlSeconds: number
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
}

interface TokenRequest {
  /** Undefined for a request without a name and password. */
  readonly username: string | undefined
  readonly scope: string
  readonly wantsRefreshToken: boolean
}

const refreshTtlSeconds = 30 * 24 * 3600
const maxFormBytes = 64 * 1024
const repositoryActions: readonly string[] = ['pull', 'push', 'delete', '*']

/** Answers `GET /token` (distribution's token specification) and `POST /token` (its OAuth2 form). */
export class TokenService {
  readonly #options: TokenServiceOptions

  constructor(options: TokenServiceOptions) {
    this.#options = options
  }

  /** @throws RegistryFault `UNAUTHORIZED` for a wrong password or token, `UNSUPPORTED` for what it cannot do */
  async answer(exchange: Exchange): Promise<void> {
    if (exchange.method !== 'GET' && exchange.method !== 'POST') {
      throw methodNotAllowed(exchange.method, ['GET', 'POST'])
    }
    const asked = await (exchange.method === 'GET' ? this.#readQuery(exchange) : this.#readForm(exchange))
    exchange.user = asked.username
    exchange.sendJson(200, this.#issue(asked), { 'Cache-Control': 'no-store' })
  }

  async #readQuery({ query, request }: Exchange): Promise<TokenRequest> {
    this.#checkService(query.get('service'))
    const given = basicOf(request)
    if (given !== undefined) await this.#checkPassword(given.username, given.password)
    const isNobody = given === undefined && request.headers.authorization === undefined
    if (given === undefined && !(isNobody && this.#options.anonymousPull)) throw this.#refusal()
    return {
      username: given?.username,
      scope: query.getAll('scope').join(' '),
      wantsRefreshToken: query.get('offline_token') === 'true' || query.get('access_type') === 'offline',
    }
  }

  async #readForm(exchange: Exchange): Promise<TokenRequest> {
    const form = new URLSearchParams((await exchange.collectBody(maxFormBytes)).toString('utf8'))
    this.#checkService(form.get('service'))
    return {
      username: await this.#userOfGrant(form),
      scope: form.getAll('scope').join(' '),
      wantsRefreshToken: form.get('access_type') === 'offline',
    }
  }

  async #userOfGrant(form: URLSearchParams): Promise<string> {
    const grant = form.get('grant_type')
    if (grant === 'password') {
      const username = form.get('username') ?? ''
      await this.#checkPassword(username, form.get('password') ?? '')
      return username
    }
    if (grant !== 'refresh_token') {
      const message = 'grant_type must be password or refresh_token'
      throw new RegistryFault('UNSUPPORTED', message, { status: 400 })
    }
    const token = form.get('refresh_token') ?? ''
    const claims = this.#options.key.verify(token, this.#refreshAudience, this.#nowSeconds)
    if (claims === undefined) throw this.#refusal()
    return claims.sub
  }

  #issue({ username, scope, wantsRefreshToken }: TokenRequest): Record<string, unknown> {
    const { key, service, ttlSeconds } = this.#options
    const now = this.#nowSeconds
    const access = this.#grant(parseScope(scope), username)
    const claims = { iss: service, sub: username ?? '', aud: service, exp: now + ttlSeconds, access }
    const token = key.sign(claims, now)
    const refresh = { ...claims, aud: this.#refreshAudience, exp: now + refreshTtlSeconds, access: [] }
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
    const granted = wanted.map(({ type, name, actions }) => {
      if (type === 'registry') {
        return { type, name, actions: username !== undefined && name === 'catalog' ? ['*'] : [] }
      }
      const allowed = username === undefined ? ['pull'] : repositoryActions
      const isName = repositoryFault(name) === undefined
      return { type, name, actions: isName ? actions.filter(action => allowed.includes(action)) : [] }
    })
    return granted.filter(({ actions }) => actions.length > 0)
  }

  #checkService(service: string | null): void {
    if (service === null || service === '' || service === this.#options.service) return
    throw new RegistryFault('UNSUPPORTED', 'tokens for that service are not given out here', { status: 400 })
  }

  async #checkPassword(username: string, password: string): Promise<void> {
    if (!(await this.#options.users.check(username, password))) throw this.#refusal()
  }

  #refusal(): RegistryFault {
    return new RegistryFault('UNAUTHORIZED', 'the user name, password or refresh token is wrong or missing', {
      headers: { 'WWW-Authenticate': challenge('Basic', { realm: this.#options.service }) },
    })
  }

  /** Another audience than the registry's, so that a refresh token opens nothing by itself. */
  get #refreshAudience(): string {
    return `${this.#options.service}#refresh`
  }

  get #nowSeconds(): number {
    return Math.floor(this.#options.clock() / 1000)
  }
}

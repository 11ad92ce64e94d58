import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Access, covers, formatScope } from './access.ts'
import type { Authorizer } from './authorizer.ts'
import { bearerOf, challenge } from './header.ts'
import { TokenKey } from './jwt.ts'
import { TokenService } from './token-service.ts'
import type { Users } from './users.ts'

/** Settings of a registry that wants tokens. */
export interface TokenOptions {
  /** The name of the registry in challenges and tokens. */
  readonly service: string
  readonly users: Users
  /** Anybody may pull, with a token that is given out without a login. */
  readonly anonymousPull?: boolean | undefined
  /** How long a token lives; 300 seconds by default. */
  readonly tokenTtlSeconds?: number | undefined
  /** Where clients reach the token service; by default `/token` of the host that the request names. */
  readonly realm?: string | undefined
}

const defaultTtlSeconds = 300

/** Clients trade name and password for a bearer token at `/token` (distribution's token specification). */
export function tokenAuthorizer(options: TokenOptions, clock: () => number): Authorizer {
  const { service, users, anonymousPull = false, tokenTtlSeconds: ttlSeconds = defaultTtlSeconds } = options
  const key = new TokenKey()
  const tokens = new TokenService({ key, service, users, anonymousPull, ttlSeconds, clock })

  function refusal(exchange: Exchange, wanted: readonly Access[], error?: string): RegistryFault {
    const scope = wanted.length === 0 ? undefined : formatScope(wanted)
    const realm = options.realm ?? realmOf(exchange)
    return new RegistryFault('UNAUTHORIZED', 'a token is needed that allows this', {
      detail: wanted,
      headers: { 'WWW-Authenticate': challenge('Bearer', { realm, service, scope, error }) },
    })
  }

  return {
    async authorize(exchange, wanted) {
      const token = bearerOf(exchange.request)
      if (token === undefined) throw refusal(exchange, wanted)
      const claims = key.verify(token, service, Math.floor(clock() / 1000))
      if (claims === undefined) throw refusal(exchange, wanted, 'invalid_token')
      if (!covers(claims.access, wanted)) throw refusal(exchange, wanted, 'insufficient_scope')
      return claims.sub === '' ? undefined : claims.sub
    },
    async answers(exchange) {
      if (exchange.path !== '/token') return false
      await tokens.answer(exchange)
      return true
    },
  }
}

/** The address by which the client found us, so that it works behind names and forwarded ports. */
function realmOf({ request }: Exchange): string {
  const named = request.headers.host ?? ''
  const { localAddress = '', localPort } = request.socket
  const own = localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`
  return `http://${/^[A-Za-z0-9.:[\]-]+$/.test(named) ? named : own}/token`
}

import { covers, repositoryAccess } from './access.ts'
import type { Authorizer } from './authorizer.ts'
import { verifyToken } from './json-web-token.ts'
import type { PublicKeys } from './public-keys.ts'
import { claimsOf, tokenRefusal } from './token.ts'

/** Settings of a registry that wants tokens of somebody else's service. */
export interface ExternalTokenOptions {
  /** Where clients get tokens. */
  readonly realm: string
  /** The name of this registry there: the audience of its tokens. */
  readonly service: string
  readonly issuer: string
  /** What the service signs with; see `readPublicKeys`. */
  readonly keys: PublicKeys
}

/** How far the service's clock may be off; distribution allows for as much. */
const leewaySeconds = 60

/** Clients get their tokens elsewhere (distribution's token specification); what a token allows is decided there. */
export function externalTokenAuthorizer(options: ExternalTokenOptions, clock: () => number): Authorizer {
  const { realm, service, issuer, keys } = options
  return {
    reloads: [() => keys.reload()],
    async authorize(exchange, wanted, useful) {
      const nowSeconds = Math.floor(clock() / 1000)
      const expected = { issuer, audience: service, nowSeconds, leewaySeconds }
      const refusal = { realm, service, wanted, useful }
      const { access } = claimsOf(exchange, token => verifyToken(token, keys.current, expected), refusal)
      if (!covers(access, wanted)) throw tokenRefusal({ ...refusal, error: 'insufficient_scope' })
      return {
        mayPull: repository => covers(access, [repositoryAccess(repository, ['pull'])]),
        maySee: () => true,
      }
    },
  }
}

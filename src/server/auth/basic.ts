import { RegistryFault } from '../errors.ts'
import type { Authorizer } from './authorizer.ts'
import { basicOf, challenge } from './header.ts'
import { grantTo, type Policy, permits } from './policy.ts'
import type { Users } from './users.ts'

/** Settings of a registry that wants Basic credentials. */
export interface BasicOptions {
  /** What the login dialogue calls the registry. */
  readonly realm?: string | undefined
  readonly users: Users
  /** Anybody may pull without a login; where there are rules, they say so. */
  readonly anonymousPull?: boolean | undefined
}

/** Users send their name and password with each request (RFC 7617). */
export function basicAuthorizer({ realm = 'Registry', users }: BasicOptions, policy: Policy): Authorizer {
  return {
    reloads: [async () => users.reload?.()],
    async authorize(exchange, wanted) {
      const given = basicOf(exchange.request)
      const isUser =
        given !== undefined && (await users.check(given.username, given.password, exchange.client.address))
      if (isUser) {
        exchange.user = given.username
        return grantTo(given.username, wanted, policy)
      }
      // A request that wants nothing is how clients ask whether to log in; it is always told so.
      const isOpen = wanted.length > 0 && permits(policy, undefined, wanted)
      if (isOpen && exchange.request.headers.authorization === undefined) {
        return grantTo(undefined, wanted, policy)
      }
      throw new RegistryFault('UNAUTHORIZED', 'a user name and password are needed', {
        detail: wanted,
        headers: { 'WWW-Authenticate': challenge('Basic', { realm }) },
      })
    },
  }
}

import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Access, isPullOnly } from './access.ts'
import type { Authorizer } from './authorizer.ts'
import { basicOf, challenge } from './header.ts'
import type { Users } from './users.ts'

/** Settings of a registry that wants Basic credentials. */
export interface BasicOptions {
  /** What the login dialogue calls the registry. */
  readonly realm?: string | undefined
  readonly users: Users
  /** Anybody may pull without a login. */
  readonly anonymousPull?: boolean | undefined
}

/** Users send their name and password with each request (RFC 7617); each may do anything. */
export function basicAuthorizer({ realm = 'Registry', users, anonymousPull }: BasicOptions): Authorizer {
  return {
    async authorize({ request }: Exchange, wanted: readonly Access[]) {
      const given = basicOf(request)
      if (given !== undefined && (await users.check(given.username, given.password))) return given.username
      // A request that wants nothing is how clients ask whether to log in; it is always told so.
      const isOpen = anonymousPull === true && wanted.length > 0 && isPullOnly(wanted)
      if (isOpen && request.headers.authorization === undefined) return undefined
      throw new RegistryFault('UNAUTHORIZED', 'a user name and password are needed', {
        detail: wanted,
        headers: { 'WWW-Authenticate': challenge('Basic', { realm }) },
      })
    },
  }
}

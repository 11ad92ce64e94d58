import type { Exchange } from '../exchange.ts'
import type { Access } from './access.ts'
import { type Grant, grantTo, type Policy } from './policy.ts'

/** Decides who may do what. */
export interface Authorizer {
  /**
   * Lets a request in when all that is wanted is allowed, and tells the exchange who asks.
   * @param useful what the request can do without, but has more of with it
   * @throws RegistryFault `UNAUTHORIZED` with a challenge, `DENIED`
   */
  authorize(exchange: Exchange, wanted: readonly Access[], useful?: readonly Access[]): Promise<Grant>
  /** Each reads users or keys again where their files have changed; after a failure they stay as they were. */
  readonly reloads?: readonly (() => Promise<void>)[]
  /** Answers a request that belongs to the way of logging in and not to the registry; false for any other. */
  answers?(exchange: Exchange): Promise<boolean>
}

/** Nobody can log in. */
export function anonymousAuthorizer(policy: Policy): Authorizer {
  return {
    authorize: async (_, wanted) => grantTo(undefined, wanted, policy),
  }
}

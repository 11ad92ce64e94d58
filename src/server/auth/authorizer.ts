import type { Exchange } from '../exchange.ts'
import type { Access } from './access.ts'

/** Decides who may do what. */
export interface Authorizer {
  /**
   * Answers who asks (undefined: nobody in particular) when all that is wanted is allowed.
   * @throws RegistryFault `UNAUTHORIZED` with a challenge
   */
  authorize(exchange: Exchange, wanted: readonly Access[]): Promise<string | undefined>
  /** Answers a request that belongs to the way of logging in and not to the registry; false for any other. */
  answers?(exchange: Exchange): Promise<boolean>
}

/** Anybody may do anything. */
export const anonymous: Authorizer = {
  authorize: async () => undefined,
}

import { RecentMap } from '../recent-map.ts'
import type { Send } from './message.ts'
import { fetchToken, type Token, type TokenRequest } from './token.ts'

/** A token that ends sooner than this is not worth sending. */
export const expiryMarginMs = 5_000

/** Gives the token for a request, never one whose value is `refused`. Throws what `fetchToken` throws. */
export type GetToken = (request: TokenRequest, refused?: string) => Promise<Token>

/**
 * Keeps tokens by realm, service, scopes and credential, and fetches those that are missing, refused or about to
 * expire. Many waiters share one flight. Failures are not kept, and no more than a
 * thousand tokens.
 */
export function tokenStore(send: Send, now: () => number): GetToken {
  const flights = new RecentMap<string, Promise<Token>>()
  return async (request, refused) => {
    const { realm, service, scopes, credential } = request
    const key = JSON.stringify([realm.href, service, scopes, credential])
    const known = flights.get(key)
    if (known !== undefined) {
      const token = await known
      if (token.value !== refused && token.expiresAt - expiryMarginMs > now()) return token
    }
    // While this one waited, another waiter may have begun the next flight.
    const newer = flights.get(key)
    if (newer !== undefined && newer !== known) return newer
    const flight = fetchToken(send, request, now).catch(error => {
      flights.delete(key)
      throw error
    })
    flights.set(key, flight)
    return flight
  }
}

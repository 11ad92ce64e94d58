import type { LastingCredential } from './cloud.ts'

/** Asks about a registry; undefined when there is no login for it. */
export type AskForLogin = (registry: string) => Promise<LastingCredential | undefined>

/** A login that ends sooner than this is not worth beginning with. */
const expiryMarginMs = 60_000

/**
 * Remembers each registry's login until it ends, or until somebody wants it renewed, because it was refused. Many who ask
 * at once share one question; failures are not kept.
 */
export function remember(
  ask: AskForLogin,
  now: () => number,
): (registry: string, options: { readonly renew?: boolean | undefined }) => ReturnType<AskForLogin> {
  const logins = new Map<string, { readonly login: ReturnType<AskForLogin>; isOld: boolean }>()
  return async (registry, { renew = false }) => {
    const known = logins.get(registry)
    // One that is still under way is as new as can be.
    if (known !== undefined && !(renew && known.isOld)) {
      const login = await known.login
      if ((login?.expiresAt ?? Number.POSITIVE_INFINITY) - expiryMarginMs > now()) return login
    }
    // While this one waited, another may have asked anew.
    const newer = logins.get(registry)
    if (newer !== undefined && newer !== known) return newer.login
    const asked = {
      login: ask(registry).finally(() => {
        asked.isOld = true
      }),
      isOld: false,
    }
    logins.set(registry, asked)
    asked.login.catch(() => logins.delete(registry))
    return asked.login
  }
}

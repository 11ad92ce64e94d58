import { DrayError } from '../errors.ts'
import { auth } from '../http/auth.ts'
import { parseChallenges } from '../http/challenge.ts'
import { type HttpResponse, type Middleware, stack } from '../http/message.ts'
import type { RegistryContext } from './context.ts'

export interface TokenOptions {
  /** What it is for, of the form `repository:org/app:pull`; some registries add to it what they ask for. */
  readonly scopes: readonly string[]
  /** Whose login is used, where logins are kept by repository. */
  readonly repository?: string | undefined
  /** Asks as someone without a login. */
  readonly isAnonymous?: boolean | undefined
}

/**
 * Obtains a bearer token as requests do: by the challenge of `/v2/` (distribution's token specification).
 * @throws DrayError `UNSUPPORTED` where the registry wants a password with each request or nothing at all,
 *   `UNAUTHORIZED` for a login that is refused
 */
export async function obtainToken(
  { registry, url, plain, findCredential, clock, onEvent }: RegistryContext,
  { scopes, repository, isAnonymous = false }: TokenOptions,
): Promise<string> {
  let sent: string | undefined
  const watch: Middleware = next => request => {
    sent = request.headers?.authorization
    return next(request)
  }
  const login = auth({
    registry,
    origin: url.origin,
    send: plain,
    findCredential: async target => (isAnonymous ? undefined : findCredential({ ...target, repository })),
    onWarning: message => onEvent?.({ type: 'warning', message }),
    now: clock.now,
  })
  // A login must be proved, as some registries let everybody ask `/v2/` and send their challenge all the same.
  const request = { method: 'GET', url: new URL('v2/', url), scopes, requireCredential: true } as const
  const response = await stack(plain, login, watch)(request)
  await response.discard()
  const token = /^Bearer (.+)$/.exec(sent ?? '')?.[1]
  if (token !== undefined) return token
  throw noToken(registry, wantsPassword(response) || sent !== undefined)
}

function wantsPassword(response: HttpResponse): boolean {
  const challenges = parseChallenges(response.headers.all('www-authenticate'))
  return challenges.some(({ scheme }) => scheme === 'basic')
}

function noToken(registry: string, usesPassword: boolean): DrayError {
  if (!usesPassword)
    return new DrayError('UNSUPPORTED', `${registry} gives out no tokens: it asks for no login`)
  return new DrayError('UNSUPPORTED', `${registry} gives out no tokens: it wants name and password (Basic)`, {
    hint: 'curl sends them with --user NAME',
  })
}

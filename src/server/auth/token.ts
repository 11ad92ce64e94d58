import { replaceFile } from '../../files/replace-file.ts'
import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type Access, covers, formatScope, repositoryAccess } from './access.ts'
import type { Authorizer } from './authorizer.ts'
import { bearerOf, challenge } from './header.ts'
import type { Claims } from './json-web-token.ts'
import { type Grant, grantTo, type Policy } from './policy.ts'
import { TokenKey } from './token-key.ts'
import { TokenService } from './token-service.ts'
import type { Users } from './users.ts'

/** Settings of a registry that wants tokens, and gives them out itself. */
export interface TokenOptions {
  /** The name of the registry in challenges and tokens. */
  readonly service: string
  /** Who gives out the tokens, in their words; `service` by default. */
  readonly issuer?: string | undefined
  /** Other registries that tokens are given out for, by their `service`. */
  readonly otherServices?: readonly string[] | undefined
  readonly users: Users
  /** Anybody may pull, with a token that is given out without a login; where there are rules, they say so. */
  readonly anonymousPull?: boolean | undefined
  /** Signs the tokens; by default a new one, so that no token outlives the server. */
  readonly key?: TokenKey | undefined
  /** Where the public keys are written as a JWKS, at the start and whenever they change; nowhere when absent. */
  readonly jwksFile?: string | undefined
  /** How long a token lives; 300 seconds by default. */
  readonly tokenTtlSeconds?: number | undefined
  /** Where clients reach the token service; by default `/token` at the address by which they came, so that it works behind names. */
  readonly realm?: string | undefined
}

const defaultTtlSeconds = 300

/** What the registry works with besides its settings. */
export interface TokenSurroundings {
  readonly policy: Policy
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
}

/**
 * Clients trade name and password for a bearer token at `/token` (distribution's token specification).
 * @throws DrayError `IO` when the public keys cannot be written
 */
export async function tokenAuthorizer(
  options: TokenOptions,
  { policy, clock }: TokenSurroundings,
): Promise<Authorizer> {
  const { service, users, issuer = service, tokenTtlSeconds: ttlSeconds = defaultTtlSeconds } = options
  const key = options.key ?? (await TokenKey.generate())
  const services = [service, ...(options.otherServices ?? [])] as const
  const tokens = new TokenService({ key, issuer, services: [...services], users, policy, ttlSeconds, clock })
  const publishKeys = keyPublisher(tokens, options.jwksFile)
  await publishKeys()
  const now = () => Math.floor(clock() / 1000)
  return {
    reloads: [async () => users.reload?.(), () => key.reload(now()), publishKeys],
    authorize: async (exchange, wanted, useful) => {
      const desk = { service, realm: options.realm ?? `${exchange.client.origin}/token` }
      const expected = { issuer, audience: service, nowSeconds: now(), lifetimeSeconds: ttlSeconds }
      const verify = (token: string) => key.verify(token, expected)
      const claims = claimsOf(exchange, verify, { ...desk, wanted, useful })
      if (covers(claims.access, wanted)) return grantOf(claims, policy)
      // A user who may not do this at all is told so; others need a login, or a token for more.
      if (claims.sub !== '') grantTo(claims.sub, wanted, policy)
      throw tokenRefusal({ ...desk, wanted, useful, error: 'insufficient_scope' })
    },
    answers: exchange => tokens.answer(exchange),
  }
}

/** Writes the public keys where they are not yet what the file holds. */
function keyPublisher(tokens: TokenService, file: string | undefined): () => Promise<void> {
  let written = ''
  return async () => {
    const text = `${JSON.stringify(tokens.jwks, null, 2)}\n`
    if (file === undefined || text === written) return
    await replaceFile(file, text)
    written = text
  }
}

/** A challenge that says where tokens are to be had, and which one is needed. */
export interface TokenChallenge {
  readonly realm: string
  readonly service: string
  readonly wanted: readonly Access[]
  readonly useful?: readonly Access[] | undefined
  /** What was wrong with the token that came (RFC 6750, 3.1). */
  readonly error?: 'invalid_token' | 'insufficient_scope' | undefined
}

/** The refusal of a request that needs a token, or another one. */
export function tokenRefusal({ realm, service, wanted, useful = [], error }: TokenChallenge): RegistryFault {
  const scope = wanted.length === 0 ? undefined : formatScope([...wanted, ...useful])
  return new RegistryFault('UNAUTHORIZED', 'a token is needed that allows this', {
    detail: wanted,
    headers: { 'WWW-Authenticate': challenge('Bearer', { realm, service, scope, error }) },
  })
}

/**
 * What the request's token says; the exchange is told whose it is.
 * @throws RegistryFault `UNAUTHORIZED` with the challenge, where there is none that is right
 */
export function claimsOf(
  exchange: Exchange,
  verify: (token: string) => Claims | undefined,
  refusal: TokenChallenge,
): Claims {
  const token = bearerOf(exchange.request)
  if (token === undefined) throw tokenRefusal(refusal)
  const claims = verify(token)
  if (claims === undefined) throw tokenRefusal({ ...refusal, error: 'invalid_token' })
  exchange.user = claims.sub === '' ? undefined : claims.sub
  return claims
}

/** A token opens what it names and no more, but the catalog shows all that its user may pull. */
function grantOf({ sub, access }: Claims, policy: Policy): Grant {
  const wanted = (repository: string) => [repositoryAccess(repository, ['pull'])]
  return {
    mayPull: repository => covers(access, wanted(repository)),
    maySee: grantTo(sub === '' ? undefined : sub, [], policy).maySee,
  }
}

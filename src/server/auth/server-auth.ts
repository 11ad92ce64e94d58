import { DrayError } from '../../errors.ts'
import type { TlsOptions } from '../tls.ts'
import { type Authorizer, anonymousAuthorizer } from './authorizer.ts'
import { type BasicOptions, basicAuthorizer } from './basic.ts'
import { withCertificateLogin } from './certificate-login.ts'
import { type ExternalTokenOptions, externalTokenAuthorizer } from './external-token.ts'
import { openPolicy, type Policy, usersPolicy } from './policy.ts'
import { type AccessRules, rulesPolicy } from './rules.ts'
import { type TokenOptions, tokenAuthorizer } from './token.ts'

/**
 * How users prove who they are: not at all, with Basic, with a token from the registry's own `/token`, or with one of
 * another token service. A client certificate (`tls.clientCaFile`) is a login beside each.
 */
export type ServerAuth =
  | { readonly kind: 'anonymous' }
  | ({ readonly kind: 'basic' } & BasicOptions)
  | ({ readonly kind: 'token' } & TokenOptions)
  | ({ readonly kind: 'external-token' } & ExternalTokenOptions)

/** Who may use the registry, and for what. */
export interface AccessOptions {
  readonly auth?: ServerAuth | undefined
  /** Without rules users may do anything, others may pull if `auth` says so; where nobody can log in, all may do all. */
  readonly access?: AccessRules | undefined
  readonly tls?: TlsOptions | undefined
}

/**
 * Decides who may do what.
 * @throws DrayError `USAGE` for wishes that contradict one another
 */
export async function openAuthorizer(options: AccessOptions, clock: () => number): Promise<Authorizer> {
  const { auth = { kind: 'anonymous' }, access, tls } = options
  const takesCertificates = tls?.clientCaFile !== undefined
  if (auth.kind === 'external-token') {
    if (access === undefined && !takesCertificates) return externalTokenAuthorizer(auth, clock)
    throw new DrayError(
      'USAGE',
      'an external token service decides alone: no rules or certificates beside it',
    )
  }
  const policy = policyOf(auth, access, takesCertificates)
  const authorizer = await authorizerOf(auth, policy, clock)
  if (!takesCertificates) return authorizer
  return withCertificateLogin(authorizer, tls?.clientUser ?? 'commonName', policy)
}

/** What reads users or keys again where their files have changed. */
export function reloadsOf(auth: ServerAuth | undefined): (() => Promise<void>)[] {
  if (auth?.kind === 'external-token') return [() => auth.keys.reload()]
  const users = auth === undefined || auth.kind === 'anonymous' ? undefined : auth.users
  return [async () => users?.reload?.()]
}

type OwnAuth = Exclude<ServerAuth, { readonly kind: 'external-token' }>

function policyOf(auth: OwnAuth, access: AccessRules | undefined, takesCertificates: boolean): Policy {
  const hasLogins = auth.kind !== 'anonymous' || takesCertificates
  const anonymousPull = auth.kind !== 'anonymous' && auth.anonymousPull === true
  if (access === undefined) return hasLogins ? usersPolicy(anonymousPull) : openPolicy
  if (!anonymousPull) return rulesPolicy(access, hasLogins)
  throw new DrayError(
    'USAGE',
    'where there are rules, they say what anybody may pull, and anonymousPull cannot',
  )
}

async function authorizerOf(auth: OwnAuth, policy: Policy, clock: () => number): Promise<Authorizer> {
  if (auth.kind === 'basic') return basicAuthorizer(auth, policy)
  if (auth.kind === 'token') return tokenAuthorizer(auth, { policy, clock })
  return anonymousAuthorizer(policy)
}

import { DrayError } from '../../errors.ts'
import type { TlsOptions } from '../tls.ts'
import { type Authorizer, anonymousAuthorizer } from './authorizer.ts'
import { type BasicOptions, basicAuthorizer } from './basic.ts'
import { withCertificateLogin } from './certificate-login.ts'
import { type ExternalTokenOptions, externalTokenAuthorizer } from './external-token.ts'
import { changingPolicy, openPolicy, type Policy, usersPolicy } from './policy.ts'
import { type AccessRules, type AccessSource, rulesPolicy } from './rules.ts'
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
  readonly access?: AccessRules | AccessSource | undefined
  readonly tls?: TlsOptions | undefined
}

/**
 * Decides who may do what.
 * @throws DrayError `USAGE` for wishes that contradict one another
 */
export async function openAuthorizer(options: AccessOptions, clock: () => number): Promise<Authorizer> {
  const { auth = { kind: 'anonymous' }, access, tls } = options
  const takesCertificates = tls?.clientCaFile !== undefined
  const source = sourceOf(access)
  const makePolicy = () => policyOf(auth, source.current, takesCertificates)
  const { policy, reload } = changingPolicy(source, makePolicy)
  const authorizer = await authorizerOf(auth, policy, clock)
  const reloading = { ...authorizer, reloads: [...(authorizer.reloads ?? []), reload] }
  if (!takesCertificates) return reloading
  return withCertificateLogin(reloading, tls?.clientUser ?? 'commonName', policy)
}

function sourceOf(access: AccessOptions['access']): AccessSource {
  if (access !== undefined && 'reload' in access) return access
  return { current: access, reload: async () => {} }
}

function policyOf(auth: ServerAuth, access: AccessRules | undefined, takesCertificates: boolean): Policy {
  if (auth.kind === 'external-token') {
    // Of its tokens it says itself what they allow.
    if (access === undefined && !takesCertificates) return openPolicy
    throw new DrayError(
      'USAGE',
      'an external token service decides alone: no rules or certificates beside it',
    )
  }
  const hasLogins = auth.kind !== 'anonymous' || takesCertificates
  const anonymousPull = auth.kind !== 'anonymous' && auth.anonymousPull === true
  if (access === undefined) return hasLogins ? usersPolicy(anonymousPull) : openPolicy
  if (!anonymousPull) return rulesPolicy(access, hasLogins)
  throw new DrayError(
    'USAGE',
    'where there are rules, they say what anybody may pull, and anonymousPull cannot',
  )
}

async function authorizerOf(auth: ServerAuth, policy: Policy, clock: () => number): Promise<Authorizer> {
  if (auth.kind === 'external-token') return externalTokenAuthorizer(auth, clock)
  if (auth.kind === 'basic') return basicAuthorizer(auth, policy)
  if (auth.kind === 'token') return tokenAuthorizer(auth, { policy, clock })
  return anonymousAuthorizer(policy)
}

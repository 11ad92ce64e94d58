import type { Credential } from '../credential.ts'
import { DrayError } from '../errors.ts'

const tokenUsername = '<token>'

/** What a login and its secret stand for: the username `<token>` marks an identity token, as docker and helpers write it. */
export function credentialFromLogin(username: string, secret: string): Credential {
  return username === tokenUsername
    ? { kind: 'identity-token', token: secret }
    : { kind: 'basic', username, password: secret }
}

/**
 * The login and secret that a credential helper keeps for a credential; the inverse of `credentialFromLogin`.
 * @throws DrayError `UNSUPPORTED` for a bearer token, which helpers have no form for
 */
export function loginFromCredential(credential: Credential): { username: string; secret: string } {
  switch (credential.kind) {
    case 'basic':
      return { username: credential.username, secret: credential.password }
    case 'identity-token':
      return { username: tokenUsername, secret: credential.token }
    case 'registry-token':
      throw new DrayError('UNSUPPORTED', 'a credential helper cannot keep a registry token')
  }
}

/** What a credential is, without its secret. */
export interface DescribedCredential {
  readonly user?: string
  readonly kind: Credential['kind']
}

/** Leaves out the secret. */
export function describeCredential(credential: Credential): DescribedCredential {
  const { kind } = credential
  return kind === 'basic' ? { user: credential.username, kind } : { kind }
}

/** What a credential is by the username that a helper tells. */
export function describeLogin(username: string): DescribedCredential {
  return describeCredential(credentialFromLogin(username, ''))
}

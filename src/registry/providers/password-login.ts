import type { Credential } from '../../credential.ts'
import { DrayError } from '../../errors.ts'
import type { ProviderAccess } from './provider.ts'

/** A name and a password, or what stands for one. */
export type PasswordLogin = Extract<Credential, { kind: 'basic' }>

/**
 * The registry's login, for a provider's own API that takes its name and password.
 * @param what reads "cannot <what>: …" in errors
 * @throws DrayError `UNAUTHORIZED` when there is no login, or a token that is for the registry alone
 */
export async function passwordLogin(
  { registry, findCredential }: ProviderAccess,
  what: string,
  repository?: string,
): Promise<PasswordLogin> {
  const credential = await findCredential({ registry, repository })
  if (credential?.kind === 'basic') return credential
  const why =
    credential === undefined ? 'that needs a login' : 'that needs a login with a name and a password'
  throw new DrayError('UNAUTHORIZED', `cannot ${what}: ${why}`, {
    hint: `log in with: dray login ${registry}`,
  })
}

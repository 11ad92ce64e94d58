import type { CredentialTarget } from '../credential.ts'
import { quote } from '../errors.ts'
import { decodeEntry } from './auth-entry.ts'
import { type ConfigDocument, registryHelper } from './config-document.ts'
import type { CredentialEntry } from './context.ts'
import type { HelperClient } from './credential-helper.ts'
import { matchingKeys } from './server-key.ts'

export interface FindInConfigOptions {
  /** What the document is called in messages and origins. */
  readonly name: string
  readonly helpers: HelperClient
}

/**
 * Looks in one document: a helper that `credHelpers` names for the registry, then the entry of `auths` with the longest
 * matching path, then `credsStore`, which keeps all registries that `credHelpers` does not name.
 * @throws DrayError `INTEGRITY` for a malformed entry; what the helper throws
 */
export async function findInConfig(
  config: ConfigDocument,
  target: CredentialTarget,
  { name, helpers }: FindInConfigOptions,
): Promise<CredentialEntry | undefined> {
  const ownHelper = registryHelper(config, target.registry)
  return (
    (await askHelper(ownHelper, target, helpers)) ??
    findInAuths(config, target, name) ??
    (ownHelper === undefined ? await askHelper(config.credsStore, target, helpers) : undefined)
  )
}

async function askHelper(
  helper: string | null | undefined,
  target: CredentialTarget,
  helpers: HelperClient,
): Promise<CredentialEntry | undefined> {
  if (!helper) return undefined
  const credential = await helpers.get(helper, target.registry)
  return credential && { credential, origin: `helper docker-credential-${helper}` }
}

function findInAuths(
  config: ConfigDocument,
  target: CredentialTarget,
  name: string,
): CredentialEntry | undefined {
  const auths = config.auths ?? {}
  for (const key of matchingKeys(Object.keys(auths), target)) {
    const credential = decodeEntry(auths[key] ?? {}, `${name}: auths[${quote(key)}]`)
    if (credential) return { credential, origin: `auths in ${name}` }
  }
  return undefined
}

import type { CredentialTarget } from '../credential.ts'
import { quote } from '../errors.ts'
import { decodeEntry, hasSecrets } from './auth-entry.ts'
import { type ConfigDocument, registryHelper } from './config-document.ts'
import type { CredentialEntry } from './context.ts'
import { dockerHelper, type HelperClient } from './credential-helper.ts'
import { keyName, keyPath, matchingKeys, serverKey } from './server-key.ts'

export interface FindInConfigOptions {
  /** What the document is called in messages and origins. */
  readonly name: string
  readonly helpers: HelperClient
}

/**
 * Looks in one document: entries of `auths` for a part of the registry, the longest matching path first; a helper that
 * `credHelpers` names for the registry; the entry of `auths` for the whole registry; `credsStore`, which keeps all
 * registries that `credHelpers` does not name. Helpers know whole registries only.
 * @throws DrayError `INTEGRITY` for a malformed entry; what the helper throws
 */
export async function findInConfig(
  config: ConfigDocument,
  target: CredentialTarget,
  { name, helpers }: FindInConfigOptions,
): Promise<CredentialEntry | undefined> {
  const keys = keysOf(config, target)
  const ownHelper = registryHelper(config, target.registry)
  const inAuths = (some: string[]) => findInAuths(config, some, name)
  return (
    inAuths(keys.filter(key => keyPath(key) !== '')) ??
    (await askHelper(ownHelper, target, helpers)) ??
    inAuths(keys.filter(key => keyPath(key) === '')) ??
    (ownHelper === undefined ? await askHelper(config.credsStore, target, helpers) : undefined)
  )
}

/** The length of the longest path for which `auths` holds a credential that fits the target. */
export function longestPath(config: ConfigDocument, target: CredentialTarget): number {
  const auths = config.auths ?? {}
  const key = keysOf(config, target).find(each => hasSecrets(auths[each] ?? {}))
  return key === undefined ? 0 : keyPath(key).length
}

/** Asks the helper NAME, where there is one, for the whole registry. */
export async function askHelper(
  helper: string | null | undefined,
  { registry, renew }: CredentialTarget,
  helpers: HelperClient,
): Promise<CredentialEntry | undefined> {
  if (!helper) return undefined
  const program = dockerHelper(helper)
  const key = serverKey({ registry })
  const credential = await helpers.get(program, key, { renew })
  return credential && { credential, origin: `helper ${program.name}`, key: keyName(key) }
}

function keysOf(config: ConfigDocument, target: CredentialTarget): string[] {
  return matchingKeys(Object.keys(config.auths ?? {}), target)
}

function findInAuths(
  config: ConfigDocument,
  keys: readonly string[],
  name: string,
): CredentialEntry | undefined {
  for (const key of keys) {
    const credential = decodeEntry(config.auths?.[key] ?? {}, `${name}: auths[${quote(key)}]`)
    if (credential) return { credential, origin: `auths in ${name}`, key: keyName(key) }
  }
  return undefined
}

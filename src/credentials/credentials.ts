import type { Credential, CredentialTarget, FindCredential } from '../credential.ts'
import { parseRegistry } from '../oci/reference.ts'
import { holdsCredential, keepingHelper, withEntry, withoutEntry } from './config-document.ts'
import { readConfigFile, updateConfigFile } from './config-file.ts'
import type { CredentialContext, CredentialEntry } from './context.ts'
import { createHelperClient, type HelperClient } from './credential-helper.ts'
import { credentialSources, loginFile } from './sources.ts'

/** Where a login is kept. */
export type CredentialPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'helper'; readonly program: string }

/** What `storeCredential` did. */
export interface StoredCredential {
  readonly place: CredentialPlace
  /** True when it is only base64: whoever can read the file has the credential. */
  readonly plain: boolean
}

/**
 * The logins of one user. Files are read anew for each question; what a helper answered is remembered for as long as
 * this lives, so open it once for each run of the program.
 */
export interface Credentials {
  /**
   * The credential for a registry or repository, from the first place that has one (`credentialSources` has the order).
   * @throws DrayError when a place cannot be read or is malformed, or when a helper fails
   */
  readonly findCredential: FindCredential
  /** As `findCredential`, with the place that it came from. */
  findCredentialEntry(target: CredentialTarget): Promise<CredentialEntry | undefined>
  /**
   * Keeps a login for the whole registry in place of an earlier one: with the helper that `credHelpers` or `credsStore`
   * of the login file name, else in that file (`loginFile` says which one that is).
   * @throws DrayError
   */
  storeCredential(registry: string, credential: Credential): Promise<StoredCredential>
  /**
   * Forgets the login for the whole registry where `storeCredential` would keep it, and nothing else: another place may
   * still have one, which `findCredentialEntry` then tells.
   * @returns the places where there was one; empty when there was none
   * @throws DrayError
   */
  eraseCredential(registry: string, options?: { readonly dryRun?: boolean }): Promise<CredentialPlace[]>
}

/** Opens the logins of the user whom the context describes. Nothing is read before it is asked for. */
export function openCredentials(context: CredentialContext): Credentials {
  const helpers = createHelperClient(context)
  const sources = credentialSources(context, helpers)

  async function findCredentialEntry(target: CredentialTarget): Promise<CredentialEntry | undefined> {
    for (const find of sources) {
      const entry = await find(target)
      if (entry) return entry
    }
    return undefined
  }

  return {
    findCredential: async target => (await findCredentialEntry(target))?.credential,
    findCredentialEntry,
    storeCredential: async (registry, credential) =>
      storeCredential(parseRegistry(registry), credential, { context, helpers }),
    eraseCredential: async (registry, options) =>
      eraseCredential(parseRegistry(registry), { context, helpers, ...options }),
  }
}

interface Keeping {
  readonly context: CredentialContext
  readonly helpers: HelperClient
  /** Only tell where there is a login. */
  readonly dryRun?: boolean
}

async function storeCredential(
  registry: string,
  credential: Credential,
  { context, helpers }: Keeping,
): Promise<StoredCredential> {
  const path = loginFile(context)
  const helper = keepingHelper((await readConfigFile(path)) ?? {}, registry)
  if (helper === undefined) {
    await updateConfigFile(path, config => withEntry(config, registry, credential), context.uid)
    return { place: { kind: 'file', path }, plain: true }
  }
  await helpers.store(helper, registry, credential)
  // An older login in the file would be found before the helper's.
  await updateConfigFile(path, config => withEntry(config, registry, undefined), context.uid)
  return { place: helperPlace(helper), plain: false }
}

/** The file first: its plain entry goes even if the helper then fails. */
async function eraseCredential(registry: string, keeping: Keeping): Promise<CredentialPlace[]> {
  const { context, helpers, dryRun } = keeping
  const path = loginFile(context)
  const config = await readConfigFile(path)
  if (config === undefined) return []
  const places: CredentialPlace[] = []
  if (holdsCredential(config, registry)) places.push({ kind: 'file', path })
  if (!dryRun) await updateConfigFile(path, document => withoutEntry(document, registry), context.uid)
  const helper = keepingHelper(config, registry)
  if (helper !== undefined && (await helpers.get(helper, registry))) {
    if (!dryRun) await helpers.erase(helper, registry)
    places.push(helperPlace(helper))
  }
  return places
}

function helperPlace(helper: string): CredentialPlace {
  return { kind: 'helper', program: `docker-credential-${helper}` }
}

import type { Credential, CredentialTarget } from '../credential.ts'
import { DrayError, isDrayError } from '../errors.ts'
import {
  type ConfigDocument,
  holdsCredential,
  keepingHelper,
  narrowerEntries,
  withEntry,
  withoutEntry,
} from './config-document.ts'
import { readConfigFile, updateConfigFile } from './config-file.ts'
import type { CredentialContext } from './context.ts'
import { createHelperClient, dockerHelper, type HelperClient } from './credential-helper.ts'
import { type Keychain, openKeychain } from './keychain.ts'
import { keyName, serverKey } from './server-key.ts'
import { explicitAuthFile, loginFile } from './sources.ts'

/** Where a login is kept. */
export type CredentialPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'helper'; readonly program: string }
  | { readonly kind: 'keychain' }

/**
 * Who is to keep a login: `docker` is docker's config file, or the helper that it names; `keychain` the operating
 * system's; `auto` a helper that the file names, else the keychain if it answers, else the file.
 */
export type LoginStore = (typeof loginStores)[number]

/** All that there are. */
export const loginStores = ['auto', 'docker', 'keychain'] as const

/** What `storeLogin` did. */
export interface KeptLogin {
  readonly place: CredentialPlace
  /** True when it is only base64: whoever can read the file has the credential. */
  readonly plain: boolean
  /** For people: what they may not expect of where it is kept. */
  readonly warnings: readonly string[]
  /** Why `auto` did not take the keychain, where there is one. */
  readonly keychainFault?: DrayError | undefined
}

/** What keeps logins. */
export interface Keepers {
  readonly context: CredentialContext
  readonly helpers: HelperClient
}

/** `auto` does not wait longer for a keychain, in milliseconds. */
const keychainPatienceMs = 10_000

/** Keeps a login for exactly this target, in place of an earlier one. */
export async function storeLogin(
  target: CredentialTarget,
  credential: Credential,
  keepers: Keepers & { readonly store: LoginStore },
): Promise<KeptLogin> {
  const { context, store } = keepers
  if (store === 'keychain') return storeInKeychain(target, credential, keepers)
  const helper = keepingHelper((await readConfigFile(loginFile(context))) ?? {}, target.registry)
  if (helper !== undefined && target.repository === undefined) {
    return storeWithHelper(helper, { target, credential }, keepers)
  }
  const kept =
    store === 'auto' && explicitAuthFile(context) === undefined
      ? await storeInKeychainOrFile(target, credential, keepers)
      : await storeInFile(target, credential, keepers)
  if (helper === undefined) return kept
  const warning = `${dockerHelper(helper).name} can keep logins for whole registries only, and does not get this one`
  return { ...kept, warnings: [warning, ...kept.warnings] }
}

/**
 * Forgets the login for exactly this target; the file comes first, so that its plain entry goes even if a helper then
 * fails. `--authfile` means that file alone.
 * @returns the places where there was one
 */
export async function eraseLogin(
  target: CredentialTarget,
  keepers: Keepers & { readonly dryRun?: boolean | undefined },
): Promise<CredentialPlace[]> {
  const { context, helpers, dryRun } = keepers
  const path = loginFile(context)
  const config = (await readConfigFile(path)) ?? {}
  const places: CredentialPlace[] = []
  if (holdsCredential(config, target)) places.push({ kind: 'file', path })
  if (!dryRun) await dropFromFile(target, config, context)
  const helper = target.repository === undefined ? keepingHelper(config, target.registry) : undefined
  if (helper !== undefined) {
    const program = dockerHelper(helper)
    const key = serverKey(target)
    if (await helpers.get(program, key)) {
      if (!dryRun) await helpers.erase(program, key)
      places.push({ kind: 'helper', program: program.name })
    }
  }
  const keychain = context.authFile ? undefined : openKeychain(context, helpers)
  if (keychain !== undefined && (await keychain.holds(target))) {
    if (!dryRun) await keychain.erase(target)
    places.push({ kind: 'keychain' })
  }
  return places
}

/** What the places that `eraseLogin` looks at hold for parts of the target: `ghcr.io/org`. */
export async function narrowerLogins(
  target: CredentialTarget,
  { context, helpers }: Keepers,
): Promise<string[]> {
  const config = (await readConfigFile(loginFile(context))) ?? {}
  const keychain = context.authFile ? undefined : openKeychain(context, helpers)
  const keys = [...narrowerEntries(config, target), ...((await keychain?.narrower(target)) ?? [])]
  return [...new Set(keys.map(keyName))].sort()
}

async function storeInFile(
  target: CredentialTarget,
  credential: Credential,
  { context }: Keepers,
): Promise<KeptLogin> {
  const path = loginFile(context)
  await updateConfigFile(path, config => withEntry(config, target, credential), context.uid)
  return { place: { kind: 'file', path }, plain: true, warnings: [] }
}

async function storeWithHelper(
  helper: string,
  { target, credential }: Login,
  { context, helpers }: Keepers,
): Promise<KeptLogin> {
  const program = dockerHelper(helper)
  await helpers.store(program, serverKey(target), credential)
  // An older login in the file would be found before the helper's.
  await updateConfigFile(loginFile(context), config => withEntry(config, target, undefined), context.uid)
  return { place: { kind: 'helper', program: program.name }, plain: false, warnings: [] }
}

/** @throws DrayError `UNSUPPORTED` where no keychain is known */
async function storeInKeychain(
  target: CredentialTarget,
  credential: Credential,
  { context, helpers }: Keepers,
): Promise<KeptLogin> {
  const keychain = openKeychain(context, helpers)
  if (keychain === undefined) throw new DrayError('UNSUPPORTED', 'no keychain is known here')
  await keychain.put(target, credential)
  return rely(keychain, { target, credential }, context)
}

/** Only what the keychain itself refuses goes into the file. */
async function storeInKeychainOrFile(
  target: CredentialTarget,
  credential: Credential,
  keepers: Keepers,
): Promise<KeptLogin> {
  const { context } = keepers
  const helperTimeoutMs = Math.min(context.helperTimeoutMs ?? keychainPatienceMs, keychainPatienceMs)
  const keychain = openKeychain(context, createHelperClient({ ...context, helperTimeoutMs }))
  if (keychain === undefined) return storeInFile(target, credential, keepers)
  try {
    await keychain.put(target, credential)
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    const kept = await storeInFile(target, credential, keepers)
    // Who waited, or has a keychain that is only locked, wants to know why it is not used.
    const isThere = error.code === 'TIMEOUT' || error.message.includes('keychain is locked')
    const warnings = isThere ? [error.message] : []
    return { ...kept, warnings, keychainFault: error }
  }
  return rely(keychain, { target, credential }, context)
}

/** Has the login found in the keychain from now on, and not an older one in the file. */
async function rely(
  keychain: Keychain,
  { target, credential }: Login,
  context: CredentialContext,
): Promise<KeptLogin> {
  await keychain.writeDown(target, credential)
  const path = loginFile(context)
  const config = (await readConfigFile(path)) ?? {}
  const isMoved = holdsCredential(config, target)
  await dropFromFile(target, config, context)
  const moved = `the login that ${path} had for it was older and is gone: docker finds the new one with "credsStore": "dray"`
  return { place: { kind: 'keychain' }, plain: false, warnings: isMoved ? [moved] : [] }
}

interface Login {
  readonly target: CredentialTarget
  readonly credential: Credential
}

/** Nothing is written, and no folder made, for an entry that is not there. */
async function dropFromFile(
  target: CredentialTarget,
  config: ConfigDocument,
  context: CredentialContext,
): Promise<void> {
  if (withoutEntry(config, target) === config) return
  await updateConfigFile(loginFile(context), document => withoutEntry(document, target), context.uid)
}

import type { Credential, CredentialTarget, FindCredential } from '../credential.ts'
import { type DrayError, isDrayError } from '../errors.ts'
import type { CredentialContext, CredentialEntry, ListedLogin, LoginPlace } from './context.ts'
import { createHelperClient } from './credential-helper.ts'
import {
  type CredentialPlace,
  eraseLogin,
  type KeptLogin,
  type LoginStore,
  narrowerLogins,
  storeLogin,
} from './kept-logins.ts'
import { keychainName } from './keychain.ts'
import { parseLoginTarget } from './login-target.ts'
import { credentialPlaces, loginFile } from './sources.ts'

/** What became of asking one place. */
export type PlaceAnswer =
  | { readonly result: 'hit'; readonly entry: CredentialEntry }
  | { readonly result: 'no entry'; readonly why?: string | undefined }
  /** The search ends here: going on would log in with something else than was meant. */
  | { readonly result: 'failed'; readonly error: DrayError }

/** One place on the way to a credential; `skipped` is one that is not asked, because an earlier one ended the search. */
export type SearchStep = { readonly place: string } & (PlaceAnswer | { readonly result: 'skipped' })

/**
 * The logins of one user. Files are read anew for each question; what a helper answered is remembered for as long as
 * this lives, so open it once for each run of the program.
 */
export interface Credentials {
  /**
   * The credential for a registry or repository, from the first place that has one (`credentialPlaces` has the order).
   * @throws DrayError when a place cannot be read or is malformed, or when a helper fails
   */
  readonly findCredential: FindCredential
  /** As `findCredential`, with the place that it came from. */
  findCredentialEntry(target: CredentialTarget): Promise<CredentialEntry | undefined>
  /** The way that `findCredential` goes, through all places, in order. */
  explainSearch(target: CredentialTarget): Promise<SearchStep[]>
  /** The logins of all places, without their secrets; nobody is asked for one. A place that cannot be read is told as such. */
  listLogins(): Promise<ListedLogin[]>
  /**
   * Keeps a login in place of an earlier one.
   * @param name a registry, or a part of it: `ghcr.io`, `ghcr.io/org`
   * @param options `store`: who is to keep it; `auto` when absent
   * @throws DrayError
   */
  storeCredential(
    name: string,
    credential: Credential,
    options?: { readonly store?: LoginStore | undefined },
  ): Promise<StoredCredential>
  /**
   * Forgets the login for a registry, or a part of it, where `storeCredential` would keep it, and nothing else: parts of it
   * (`narrowerLogins`) and other places may still have one, which `findCredentialEntry` then tells.
   * @returns the places where there was one; empty when there was none
   * @throws DrayError
   */
  eraseCredential(name: string, options?: { readonly dryRun?: boolean }): Promise<CredentialPlace[]>
  /**
   * What `eraseCredential` leaves: the logins for parts of a registry.
   * @throws DrayError
   */
  narrowerLogins(name: string): Promise<string[]>
}

/** What `storeCredential` did. */
export interface StoredCredential extends KeptLogin {
  /** The place that has another login for this and is asked first, or that would have to be asked first and fails. */
  readonly hiddenBy?: string | undefined
}

/** Opens the logins of the user whom the context describes. Nothing is read before it is asked for. */
export function openCredentials(context: CredentialContext): Credentials {
  const helpers = createHelperClient(context)
  const places = credentialPlaces(context, helpers)
  const keepers = { context, helpers }

  async function findCredentialEntry(target: CredentialTarget): Promise<CredentialEntry | undefined> {
    for await (const place of places.for(target)) {
      const entry = await place.find(target)
      if (entry) return entry
    }
    return undefined
  }

  async function explainSearch(target: CredentialTarget): Promise<SearchStep[]> {
    const steps: SearchStep[] = []
    for await (const place of places.for(target)) {
      const isOver = steps.some(({ result }) => result !== 'no entry')
      const answer = isOver ? ({ result: 'skipped' } as const) : await lookIn(place, target)
      steps.push({ place: place.name, ...answer })
    }
    return steps
  }

  /** The keeping place itself is not asked: that might take a while. */
  async function hidingPlace(target: CredentialTarget, { place }: KeptLogin): Promise<string | undefined> {
    const keeping = place.kind === 'keychain' ? keychainName : loginFile(context)
    for await (const earlier of places.for(target)) {
      if (earlier.name === keeping) return undefined
      const answer = await lookIn(earlier, target)
      if (answer.result !== 'no entry') return answer.result === 'hit' ? answer.entry.origin : earlier.name
    }
    return undefined
  }

  return {
    findCredential: async target => (await findCredentialEntry(target))?.credential,
    findCredentialEntry,
    explainSearch,
    listLogins: async () => (await Promise.all((await places.all()).map(listOf))).flat(),
    async storeCredential(name, credential, { store = 'auto' } = {}) {
      const target = parseLoginTarget(name)
      const kept = await storeLogin(target, credential, { ...keepers, store })
      return { ...kept, hiddenBy: await hidingPlace(target, kept) }
    },
    eraseCredential: async (name, options) => eraseLogin(parseLoginTarget(name), { ...keepers, ...options }),
    narrowerLogins: async name => narrowerLogins(parseLoginTarget(name), keepers),
  }
}

async function lookIn(place: LoginPlace, target: CredentialTarget): Promise<PlaceAnswer> {
  try {
    const entry = await place.find(target)
    if (entry !== undefined) return { result: 'hit', entry }
    return { result: 'no entry', why: await place.lack?.(target) }
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    return { result: 'failed', error }
  }
}

async function listOf(place: LoginPlace): Promise<readonly ListedLogin[]> {
  try {
    return await place.list()
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    return [{ origin: place.name, fault: error.message }]
  }
}

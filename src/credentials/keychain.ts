import type { Credential, CredentialTarget } from '../credential.ts'
import type { CredentialContext, LoginPlace } from './context.ts'
import type { HelperClient } from './credential-helper.ts'
import type { HelperProgram } from './helper-process.ts'
import { keychainIndexFile, readKeychainIndex, updateKeychainIndex } from './keychain-index.ts'
import { describeCredential } from './login.ts'
import { equalKeys, keyName, keyPath, matchingKeys, narrowerKeys, serverKey } from './server-key.ts'

/** How people see the place. */
export const keychainName = 'keychain'

/** The operating system's keychain, behind a program that speaks the protocol of docker's helpers. */
export interface Keychain extends LoginPlace {
  /** Puts a login into the keychain itself; it is found once it is written down, too. */
  put(target: CredentialTarget, credential: Credential): Promise<void>
  /** Writes down, without the secret, that the keychain has a login. */
  writeDown(target: CredentialTarget, credential: Credential): Promise<void>
  /** True when there is a login for exactly this target. */
  holds(target: CredentialTarget): Promise<boolean>
  erase(target: CredentialTarget): Promise<void>
  /** The keys for parts of the target. */
  narrower(target: CredentialTarget): Promise<string[]>
}

/** The keychain's logins; it is only asked for what the index names. Undefined where no program for it is known. */
export function openKeychain(context: CredentialContext, helpers: HelperClient): Keychain | undefined {
  const { keychainProgram: command, uid } = context
  if (command === undefined) return undefined
  const program: HelperProgram = { name: 'docker-credential-dray', command }
  const file = keychainIndexFile(context)
  const keys = async () => Object.keys((await readKeychainIndex(file)).logins)

  return {
    name: keychainName,
    async find(target) {
      for (const key of matchingKeys(await keys(), target)) {
        const credential = await helpers.get(program, key, { renew: target.renew })
        if (credential) return { credential, origin: keychainName, key: keyName(key) }
      }
      return undefined
    },
    async pathLength(target) {
      const [key] = matchingKeys(await keys(), target)
      return key === undefined ? 0 : keyPath(key).length
    },
    async list() {
      const { logins } = await readKeychainIndex(file)
      return Object.entries(logins).map(([key, { user, kind }]) => ({
        origin: keychainName,
        key: keyName(key),
        user,
        kind,
      }))
    },
    put: (target, credential) => helpers.store(program, serverKey(target), credential),
    async writeDown(target, credential) {
      const login = { ...describeCredential(credential) }
      await updateKeychainIndex(file, logins => ({ ...logins, [serverKey(target)]: login }), uid)
    },
    holds: async target => equalKeys(await keys(), target).length > 0,
    async erase(target) {
      const gone = equalKeys(await keys(), target)
      for (const key of gone) await helpers.erase(program, key)
      const isLeft = ([key]: readonly [string, unknown]) => !gone.includes(key)
      const withoutGone = (logins: object) => Object.fromEntries(Object.entries(logins).filter(isLeft))
      await updateKeychainIndex(file, withoutGone, uid)
    },
    narrower: async target => narrowerKeys(await keys(), target),
  }
}

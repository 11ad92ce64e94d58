import type { Keychain } from '../../src/keychain/keychain.ts'

/** A keychain in memory; `entries` are its secrets by account. */
export function fakeKeychain(entries = new Map<string, string>()): Keychain {
  return {
    get: account => entries.get(account),
    set(account, secret) {
      entries.set(account, secret)
    },
    delete(account) {
      entries.delete(account)
    },
    list: () => [...entries].map(([account, secret]) => ({ account, secret })),
  }
}

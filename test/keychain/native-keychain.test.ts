import { describe, expect, it } from 'vitest'
import { type Keyring, openNativeKeychain } from '../../src/keychain/native-keychain.ts'
import { errorOf } from '../credentials/sandbox.ts'

/** A keyring package in memory that notes how each entry was asked for; where it is given a fault, it throws that. */
function fakeKeyring({ fault }: { fault?: string } = {}) {
  const kept = new Map<string, string>()
  const asked: unknown[] = []
  const check = () => {
    if (fault !== undefined) throw new Error(fault)
  }
  class Entry {
    readonly #account: string
    constructor(...args: [service: string, account: string, options?: object | null]) {
      check()
      asked.push(args)
      this.#account = args[1]
    }
    getPassword() {
      return kept.get(this.#account) ?? null
    }
    setPassword(password: string) {
      kept.set(this.#account, password)
    }
    deleteCredential() {
      return kept.delete(this.#account)
    }
  }
  const findCredentials = () => [...kept].map(([account, password]) => ({ account, password }))
  const keyring = { Entry, findCredentials } as unknown as Keyring
  return { asked, kept, load: async () => keyring }
}

describe('the keychain of the operating system', () => {
  it('keeps, gives, lists and deletes entries', async () => {
    const keychain = await openNativeKeychain({ platform: 'linux', load: fakeKeyring().load })
    keychain.set('a', '1')
    keychain.set('b', '2')
    expect(keychain.get('a')).toBe('1')
    keychain.delete('a')
    keychain.delete('a')
    expect(keychain.get('a')).toBeUndefined()
    expect(keychain.list()).toEqual([{ account: 'b', secret: '2' }])
  })

  it('is on Linux the Secret Service and nothing in its place, also before entries are looked for', async () => {
    const { asked, load } = fakeKeyring()
    const keychain = await openNativeKeychain({ platform: 'linux', load })
    keychain.get('a')
    keychain.set('a', '1')
    keychain.delete('a')
    keychain.list()
    expect(asked.map(args => [args].flat()[2])).toEqual(
      Array.from({ length: 4 }, () => ({ linux: { store: 'secret-service' } })),
    )
  })

  it('holds 1280 characters on Windows, and says when a login has more', async () => {
    const { kept, load } = fakeKeyring()
    const keychain = await openNativeKeychain({ platform: 'win32', load })
    keychain.set('a', 'x'.repeat(1280))
    expect(() => keychain.set('b', `hunter2${'x'.repeat(1274)}`)).toThrow(
      'the login is too long for the Credential Manager: 2562 bytes, of 2560 at the most',
    )
    expect([...kept.keys()]).toEqual(['a'])
  })

  it.each([
    [
      "Couldn't access platform storage: Secret Service: unlock prompt was dismissed",
      'the keychain is locked',
    ],
    [
      'zbus error: org.freedesktop.Secret.Error.IsLocked: Cannot get secret of a locked object',
      'the keychain is locked',
    ],
    [
      'Platform failure: DBus error: Did not receive a reply: the policy blocked it',
      'no Secret Service answers',
    ],
    [
      'Platform failure: DBus error: Failed to connect to socket /x: No such file',
      'no Secret Service answers',
    ],
    [
      "Couldn't access platform storage: Secret Service: no result found",
      'the Secret Service has no default keyring',
    ],
    ['something\u001b[31m else', 'the keychain failed'],
  ])('that fails with %j is told as what it means', async (fault, meaning) => {
    const keychain = await openNativeKeychain({ platform: 'linux', load: fakeKeyring({ fault }).load })
    const shown = fault.replace('\u001b', '\\u{1b}')
    for (const act of [() => keychain.get('a'), () => keychain.list(), () => keychain.delete('a')]) {
      expect(await errorOf((async () => act())())).toMatchObject({
        code: 'IO',
        message: `${meaning}: "${shown}"`,
      })
    }
  })

  it('names the package that is missing', async () => {
    const load = () =>
      Promise.reject(new Error("Cannot find module '@napi-rs/keyring'\nRequire stack:\n- /x"))
    expect(await errorOf(openNativeKeychain({ platform: 'linux', load }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/cannot be loaded: "Cannot find module '@napi-rs\/keyring'"$/),
      hint: expect.stringContaining('optional dependencies'),
    })
  })
})

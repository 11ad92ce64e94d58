import { DrayError, quote } from '../errors.ts'
import type { Keychain } from './keychain.ts'

/** The parts of `@napi-rs/keyring` that are used. */
export type Keyring = Pick<typeof import('@napi-rs/keyring'), 'Entry' | 'findCredentials'>

export interface NativeKeychainOptions {
  readonly platform: NodeJS.Platform
  /** `@napi-rs/keyring` when absent. */
  readonly load?: (() => Promise<Keyring>) | undefined
}

/**
 * Opens the operating system's keychain: the Keychain of macOS, the Credential Manager of Windows, elsewhere the Secret
 * Service, and nothing in its place when that is not there. The keychain itself is first asked when an entry is.
 * @throws DrayError `UNSUPPORTED` when `@napi-rs/keyring` is not installed or cannot be loaded
 */
export async function openNativeKeychain(options: NativeKeychainOptions): Promise<Keychain> {
  const { Entry, findCredentials } = await loadKeyring(options.load ?? (() => import('@napi-rs/keyring')))
  // Unpinned, the package would fall back to the kernel's keyring, which forgets.
  const entry = (account: string) => new Entry(service, account, { linux: { store: 'secret-service' } })
  return {
    get: account => ask(() => entry(account).getPassword() ?? undefined),
    set(account, secret) {
      if (options.platform === 'win32') refuseTooLong(secret)
      ask(() => entry(account).setPassword(secret))
    },
    delete(account) {
      ask(() => entry(account).deleteCredential())
    },
    list: () =>
      ask(() => {
        // The search has neither a pin nor a time limit of its own, and an entry has both: who answers here, answers there.
        entry(probe).getPassword()
        return findCredentials(service).map(({ account, password }) => ({ account, secret: password }))
      }),
  }
}

const service = 'dray'

/** No server has this name, so nothing is kept under it. */
const probe = '(any)'

async function loadKeyring(load: () => Promise<Keyring>): Promise<Keyring> {
  try {
    return await load()
  } catch (cause) {
    // The lines that follow are paths, or advice on npm.
    const [line = ''] = textOf(cause).split('\n', 1)
    throw new DrayError(
      'UNSUPPORTED',
      `@napi-rs/keyring, the way to the keychain, cannot be loaded: ${quote(line)}`,
      {
        hint: 'install dray again on this system, with its optional dependencies: npm install --include=optional',
        cause,
      },
    )
  }
}

/** CRED_MAX_CREDENTIAL_BLOB_SIZE; the package keeps a password as UTF-16. */
const windowsLimitBytes = 2560

function refuseTooLong(secret: string): void {
  const bytes = Buffer.byteLength(secret, 'utf16le')
  if (bytes <= windowsLimitBytes) return
  const message = `the login is too long for the Credential Manager: ${bytes} bytes, of ${windowsLimitBytes} at the most`
  throw new DrayError('UNSUPPORTED', message, {
    hint: 'use a shorter token, or keep this login elsewhere',
  })
}

/** What the package's errors mean, told by their text, which is all that sets them apart. */
const meanings = [
  {
    said: /\b(?:is)?locked\b|prompt was dismissed|interaction is not allowed/i,
    meaning: 'the keychain is locked',
    hint: 'unlock it, for example by logging in to the desktop, and try again',
  },
  {
    said: /DBus error|zbus error/,
    meaning: 'no Secret Service answers',
    hint: 'GNOME Keyring, KWallet or KeePassXC are such services; they are found through DBUS_SESSION_BUS_ADDRESS',
  },
  {
    said: /no result found/,
    meaning: 'the Secret Service has no default keyring',
    hint: 'make one, for example with Seahorse ("Passwords and Keys")',
  },
]

function ask<T>(action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const text = textOf(cause)
    const { meaning = 'the keychain failed', hint } = meanings.find(({ said }) => said.test(text)) ?? {}
    throw new DrayError('IO', `${meaning}: ${quote(text)}`, { hint, cause })
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

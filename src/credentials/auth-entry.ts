import * as z from 'zod/mini'
import type { Credential } from '../credential.ts'
import { DrayError } from '../errors.ts'
import { credentialFromLogin } from './login.ts'

const text = z.nullish(z.string())

/** One entry of `auths`, as docker's and Podman's files have it. */
export const authEntrySchema = z.looseObject({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
})

/** One entry of `auths`. */
export type AuthEntry = Readonly<z.infer<typeof authEntrySchema>>

/**
 * Reads one entry of `auths`; undefined when it is empty, as docker leaves it beside a helper.
 * @param name what the entry is called in messages
 * @throws DrayError `INTEGRITY` without the content
 */
export function decodeEntry(entry: AuthEntry, name: string): Credential | undefined {
  if (entry.registrytoken) return { kind: 'registry-token', token: entry.registrytoken }
  if (entry.identitytoken) return { kind: 'identity-token', token: entry.identitytoken }
  if (entry.auth) return decodeAuth(entry.auth, name)
  if (entry.username || entry.password) {
    return credentialFromLogin(entry.username ?? '', entry.password ?? '')
  }
  return undefined
}

/** The entry with this credential in place of any that it held; its other fields are kept. */
export function encodeEntry(entry: AuthEntry, credential: Credential): AuthEntry {
  const bare = withoutSecrets(entry)
  switch (credential.kind) {
    case 'basic':
      return { ...bare, auth: encodeAuth(credential.username, credential.password) }
    case 'identity-token':
      return { ...bare, identitytoken: credential.token }
    case 'registry-token':
      return { ...bare, registrytoken: credential.token }
  }
}

/** The entry as docker leaves it when a helper keeps the credential. */
export function withoutSecrets(entry: AuthEntry): AuthEntry {
  const { auth, username, password, identitytoken, registrytoken, ...rest } = entry
  return rest
}

/** True when the entry holds a credential, a malformed one too. */
export function hasSecrets(entry: AuthEntry): boolean {
  const { auth, username, password, identitytoken, registrytoken } = entry
  return [auth, username, password, identitytoken, registrytoken].some(Boolean)
}

function encodeAuth(username: string, password: string): string {
  // The first colon ends the username (RFC 7617 section 2), so one inside it would move a part into the password.
  if (username.includes(':')) throw new DrayError('USAGE', 'a username must not hold a colon')
  return Buffer.from(`${username}:${password}`).toString('base64')
}

function decodeAuth(auth: string, name: string): Credential {
  const login = decodeBase64(auth)?.replace(/\0+$/, '')
  const colon = login?.indexOf(':') ?? -1
  if (login === undefined || colon < 0) {
    throw new DrayError('INTEGRITY', `${name}: "auth" is not the base64 form of "username:password"`, {
      hint: 'log in to this registry again',
    })
  }
  return credentialFromLogin(login.slice(0, colon), login.slice(colon + 1))
}

function decodeBase64(text: string): string | undefined {
  const bare = text.replace(/\s+/g, '').replace(/=+$/, '')
  if (!/^[A-Za-z0-9+/]*$/.test(bare) || bare.length % 4 === 1) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bare, 'base64'))
  } catch {
    return undefined
  }
}

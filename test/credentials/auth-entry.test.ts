import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import type { AuthEntry } from '../../src/credentials/auth-entry.ts'
import { decodeEntry, encodeEntry, withoutSecrets } from '../../src/credentials/auth-entry.ts'
import { base64, everythingSaid } from './sandbox.ts'

const basic = (username: string, password: string): Credential => ({ kind: 'basic', username, password })

describe('an entry of auths is read', () => {
  it.each<[string, AuthEntry, Credential | undefined]>([
    ['user and password', { auth: base64('user:pass') }, basic('user', 'pass')],
    ['a colon in the password', { auth: base64('user:a:b:') }, basic('user', 'a:b:')],
    ['$ and + in the password', { auth: base64('robot$x:a+$b') }, basic('robot$x', 'a+$b')],
    [
      'JSON with newlines',
      { auth: base64('_json_key:{\n"a": 1\n}\n') },
      basic('_json_key', '{\n"a": 1\n}\n'),
    ],
    ['letters of every kind', { auth: base64('jürgen:pä§ß') }, basic('jürgen', 'pä§ß')],
    ['no padding', { auth: base64('a:bc').replace(/=+$/, '') }, basic('a', 'bc')],
    ['line breaks', { auth: 'dXNl\ncjpw\r\nYXNz\n' }, basic('user', 'pass')],
    ['a NUL at the end', { auth: base64('user:pass\0') }, basic('user', 'pass')],
    ['an empty password', { auth: base64('user:') }, basic('user', '')],
    ['plain fields', { username: 'user', password: 'pa:ss' }, basic('user', 'pa:ss')],
    ['auth before plain fields', { auth: base64('a:b'), username: 'c', password: 'd' }, basic('a', 'b')],
    ['the user <token>', { auth: base64('<token>:t0k') }, { kind: 'identity-token', token: 't0k' }],
    ['plain <token>', { username: '<token>', password: 't' }, { kind: 'identity-token', token: 't' }],
    [
      'identitytoken',
      { auth: base64('0000:'), identitytoken: 'id' },
      { kind: 'identity-token', token: 'id' },
    ],
    ['registrytoken', { registrytoken: 'bearer' }, { kind: 'registry-token', token: 'bearer' }],
    ['nothing', {}, undefined],
    ['empty and null fields', { auth: '', username: null, password: '', identitytoken: '' }, undefined],
    ['only other fields', { email: 'a@example.com' }, undefined],
  ])('with %s', (_what, entry, credential) => {
    expect(decodeEntry(entry, 'entry')).toEqual(credential)
  })

  it.each([
    ['other characters', 'hunter2*hunter2'],
    ['an impossible length', 'hunterhunter2'],
    ['no colon inside', base64('hunter2')],
    ['bytes that are no text', Buffer.from('hunter2:\xff\xfe', 'latin1').toString('base64')],
  ])('never half: %s is an error without the content', (_what, auth) => {
    const read = () => decodeEntry({ auth }, 'file: auths["quay.io"]')
    expect(read).toThrow(
      expect.objectContaining({
        code: 'INTEGRITY',
        message: expect.stringContaining('file: auths["quay.io"]'),
      }),
    )
    try {
      read()
    } catch (error) {
      expect(everythingSaid(error)).not.toContain('hunter')
      expect(everythingSaid(error)).not.toContain(auth)
    }
  })
})

describe('an entry of auths is written', () => {
  it.each<[Credential, AuthEntry]>([
    [basic('user', 'a:b'), { auth: 'dXNlcjphOmI=' }],
    [{ kind: 'identity-token', token: 'id' }, { identitytoken: 'id' }],
    [{ kind: 'registry-token', token: 'bearer' }, { registrytoken: 'bearer' }],
  ])('so that %o is read back', (credential, entry) => {
    expect(encodeEntry({}, credential)).toEqual(entry)
    expect(decodeEntry(entry, 'entry')).toEqual(credential)
  })

  it('in place of any earlier credential, keeping other fields', () => {
    const old = {
      email: 'e',
      auth: 'x',
      username: 'u',
      password: 'p',
      identitytoken: 'i',
      registrytoken: 'r',
    }
    expect(encodeEntry(old, basic('a', 'b'))).toEqual({ email: 'e', auth: base64('a:b') })
    expect(withoutSecrets(old)).toEqual({ email: 'e' })
  })

  it('but not with a colon in the username, which would change both halves', () => {
    expect(() => encodeEntry({}, basic('a:b', 'hunter2'))).toThrow(
      expect.objectContaining({ code: 'USAGE', message: 'a username must not hold a colon' }),
    )
  })
})

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signToken, verifyToken } from '../../../src/server/auth/json-web-token.ts'

const pairs = {
  p256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'secp521r1' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  short: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  ed25519: generateKeyPairSync('ed25519'),
}
const now = 1_000_000
const expected = { issuer: 'them', audience: 'us', nowSeconds: now }
const access = [{ type: 'repository', name: 'a', actions: ['pull'] } as const]
const claims = { sub: 'ann', iss: 'them', aud: 'us', exp: now + 60, nbf: now, access }
const header = { alg: 'ES256', kid: 'k' }
const signed = (changed: object) => signToken(header, { ...claims, ...changed }, pairs.p256.privateKey)
const verified = (token: string, keys: readonly KeyObject[] = [pairs.p256.publicKey]) =>
  verifyToken(token, keys, expected)

describe('a token', () => {
  it.each([
    ['ES256', 'p256'],
    ['ES384', 'p384'],
    ['ES512', 'p521'],
    ['RS256', 'rsa'],
    ['RS384', 'rsa'],
    ['RS512', 'rsa'],
    ['PS256', 'rsa'],
    ['PS384', 'rsa'],
    ['PS512', 'rsa'],
    ['EdDSA', 'ed25519'],
  ] as const)('signed with %s counts by the one of many keys that signed it', (alg, pair) => {
    const token = signToken({ alg, kid: 'k' }, claims, pairs[pair].privateKey)
    const all = Object.values(pairs).map(({ publicKey }) => publicKey)
    expect(verified(token, all)).toEqual(claims)
    expect(
      verified(
        token,
        all.filter(key => key !== pairs[pair].publicKey),
      ),
    ).toBeUndefined()
  })

  it.each([
    ['is for several', { aud: ['others', 'us'] }],
    ['says nothing of when it begins', { nbf: undefined }],
    ['allows nothing', { access: null }],
    [
      'allows what is not known here too',
      { access: [...access, { type: 'plugin', name: 'x', actions: [] }] },
    ],
    ['has no user', { sub: undefined }],
  ])('counts that %s', (_, changed) => expect(verified(signed(changed))).toBeDefined())

  it.each([
    ['is for others', { aud: 'others' }],
    ['is for several others', { aud: ['others', 'us2'] }],
    ['is from others', { iss: 'others' }],
    ['has expired', { exp: now }],
    ['never expires', { exp: undefined }],
    ['is not yet good', { nbf: now + 1 }],
    ['has a malformed time', { exp: '9999999999' }],
    ['has malformed access', { access: [{ type: 'repository' }] }],
  ])('does not count that %s', (_, changed) => expect(verified(signed(changed))).toBeUndefined())

  it('may be a little off where that is allowed for', () => {
    const lenient = { ...expected, leewaySeconds: 60 }
    const keys = [pairs.p256.publicKey]
    expect(verifyToken(signed({ exp: now - 59 }), keys, lenient)).toBeDefined()
    expect(verifyToken(signed({ exp: now - 60 }), keys, lenient)).toBeUndefined()
    expect(verifyToken(signed({ nbf: now + 60 }), keys, lenient)).toBeDefined()
    expect(verifyToken(signed({ nbf: now + 61 }), keys, lenient)).toBeUndefined()
  })

  const [goodHeader = '', payload = '', signature = ''] = signed({}).split('.')
  const encode = (document: unknown) => Buffer.from(JSON.stringify(document)).toString('base64url')
  const pem = pairs.p256.publicKey.export({ format: 'pem', type: 'spki' })
  const withHeader = (head: object) => {
    const text = `${encode(head)}.${payload}`
    const made = sign('sha256', Buffer.from(text), {
      key: pairs.p256.privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    return `${text}.${made.toString('base64url')}`
  }
  it.each([
    ['without a signature', `${goodHeader}.${payload}.`],
    ['in two parts', `${goodHeader}.${payload}`],
    ['in four parts', `${goodHeader}.${payload}.${signature}.x`],
    ['with other content', `${goodHeader}.${encode({ ...claims, sub: 'eve' })}.${signature}`],
    ['with the algorithm none', `${encode({ alg: 'none' })}.${payload}.`],
    ['that says none and is signed', withHeader({ alg: 'none' })],
    ['with a shared secret for an algorithm', withHeader({ alg: 'HS256' })],
    ['with an algorithm of another key', withHeader({ alg: 'RS256' })],
    ['with an algorithm of another curve', withHeader({ alg: 'ES384' })],
    ['with a name of Object as algorithm', withHeader({ alg: 'constructor' })],
    ['without an algorithm', withHeader({ typ: 'JWT' })],
    ['with a header that is no JSON', `x.${payload}.${signature}`],
    ['that is nothing', ''],
    ['that is dots', '..'],
    ['that is the key', String(pem)],
  ])('%s does not count', (_, token) => expect(verified(token)).toBeUndefined())

  it('does not count with an RSA key that is too short', () => {
    const token = signToken({ alg: 'RS256', kid: 'k' }, claims, pairs.short.privateKey)
    expect(verified(token, [pairs.short.publicKey])).toBeUndefined()
  })
})

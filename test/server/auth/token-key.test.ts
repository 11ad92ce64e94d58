import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPublicKeys } from '../../../src/server/auth/public-keys.ts'
import { TokenKey } from '../../../src/server/auth/token-key.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { requirePeers } from '../../support/peers.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const claims = { sub: 'ann', iss: 'us', aud: 'us', exp: 2000, access: [] }
const expected = { issuer: 'us', audience: 'us', nowSeconds: 1000 }

const idsOf = (jwks: object) => (jwks as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)

describe('the key of a token service', () => {
  it.each(['ES256', 'RS256'] as const)('is made once, for %s and its owner alone', async algorithm => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'keys/token.key')
    const [first, second] = await Promise.all([
      TokenKey.open(file, algorithm),
      TokenKey.open(file, algorithm),
    ])
    const later = await TokenKey.open(file)
    const token = first.sign(claims, 1000)
    for (const key of [first, second, later]) expect(key.verify(token, expected)).toMatchObject(claims)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder.path, 'keys'))).toEqual(['token.key'])
    expect(later.jwks()).toEqual(first.jwks())
  })

  it('is told to others without what is secret', async () => {
    const key = await TokenKey.generate('ES256')
    expect(key.jwks()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          alg: 'ES256',
          kid: expect.stringMatching(/^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$/),
          use: 'sig',
        },
      ],
    })
  })

  it('opens nothing for another key', async () => {
    const token = (await TokenKey.generate()).sign(claims, 1000)
    expect((await TokenKey.generate()).verify(token, expected)).toBeUndefined()
  })

  it('gives way to another in its file, and is good for the tokens that are out', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'token.key')
    const key = await TokenKey.open(file)
    const [old, before] = [key.sign(claims, 1000), key.jwks()]
    const pem = await readFile(file)
    await rm(file)
    await TokenKey.open(file)
    await key.reload(1000)
    const young = key.sign(claims, 1000)
    const at = (nowSeconds: number) => ({ ...expected, nowSeconds, lifetimeSeconds: 60 })
    const [first] = idsOf(before)
    expect(idsOf(key.jwks(at(1059)))).toEqual([idsOf(key.jwks())[0], first])
    expect(key.verify(old, at(1059))).toMatchObject(claims)
    expect(key.verify(old, expected)).toBeUndefined()
    expect(key.verify(old, at(1060))).toBeUndefined()
    expect(key.verify(young, at(1060))).toMatchObject(claims)
    expect(idsOf(key.jwks(at(1060)))).toEqual(idsOf(key.jwks()))
    await writeFile(file, pem)
    await key.reload(2000)
    expect(idsOf(key.jwks(at(2000)))[0]).toBe(first)
    expect(idsOf(key.jwks(at(2000)))).toHaveLength(2)
  })

  it('stays while its file holds no other, or none that can be read', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'token.key')
    const key = await TokenKey.open(file)
    const [token, before] = [key.sign(claims, 1000), key.jwks()]
    await writeFile(file, await readFile(file))
    await key.reload(1000)
    await writeFile(file, 'half of it')
    await expect(key.reload(1000)).rejects.toMatchObject({ code: 'USAGE' })
    await rm(file)
    await expect(key.reload(1000)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await key.reload(1000)
    expect(key.verify(token, expected)).toMatchObject(claims)
    expect(key.jwks({ nowSeconds: 1000, lifetimeSeconds: 60 })).toEqual(before)
    expect(await readdir(folder.path)).toEqual([])
  })

  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const pemOf = (key: typeof p384) => String(key.export({ format: 'pem', type: 'pkcs8' }))
  const secret = { format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'x' } as const
  it.each([
    ['nothing', '', 'it holds no private key that can be read'],
    ['a public key', String(createPublicKey(p384).export({ format: 'pem', type: 'spki' })), 'no private key'],
    ['an encrypted key', String(p384.export(secret)), 'not encrypted'],
    ['a key of another curve', pemOf(p384), 'P-256 or an RSA key'],
    ['a short key', pemOf(short), '2048 bits'],
  ])('is refused where the file holds %s', async (_, text, message) => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'token.key')
    await writeFile(file, text)
    await expect(TokenKey.open(file)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(new RegExp(`^${file}: .*${message}`)),
    })
    expect(await readFile(file, 'utf8')).toBe(text)
  })

  it.skipIf(process.getuid?.() === 0)('is not made where one may not write', async () => {
    await using folder = await makeTempDir()
    await chmod(folder.path, 0o500)
    await expect(TokenKey.open(join(folder.path, 'token.key'))).rejects.toMatchObject({ code: 'IO' })
  })
})

describe('the public keys of another service', () => {
  it('are those of a JWKS, without keys for other uses', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'jwks.json')
    const key = await TokenKey.generate()
    const others = [
      { kty: 'oct', k: 'AAAA' },
      { kty: 'EC', use: 'enc' },
    ]
    const { keys } = key.jwks() as { keys: object[] }
    await writeFile(file, JSON.stringify({ keys: [...others, ...keys] }))
    expect((await readPublicKeys(file)).current).toHaveLength(1)
  })

  it.skipIf(!requirePeers('openssl'))('are those of PEM: public keys and certificates', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'keys.pem')
    const { certificate } = await makeAuthority(folder.path)
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = String(publicKey.export({ format: 'pem', type: 'spki' }))
    await writeFile(file, `The keys:\n${pem}\n${await readFile(certificate, 'utf8')}`)
    const types = (await readPublicKeys(file)).current.map(key => key.asymmetricKeyType)
    expect(types).toEqual(['rsa', 'ec'])
  })

  it('are read again when they have changed, and stay when they cannot be', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'jwks.json')
    const [old, young] = [await TokenKey.generate(), await TokenKey.generate()]
    await writeFile(file, JSON.stringify(old.jwks()))
    const keys = await readPublicKeys(file)
    const first = keys.current
    await keys.reload()
    expect(keys.current).toBe(first)
    await writeFile(file, 'half of it')
    await expect(keys.reload()).rejects.toMatchObject({ code: 'USAGE' })
    expect(keys.current).toBe(first)
    await keys.reload()
    await writeFile(file, JSON.stringify(young.jwks()))
    await keys.reload()
    expect(keys.current[0]?.export({ format: 'jwk' })).not.toEqual(first[0]?.export({ format: 'jwk' }))
  })

  it.each([
    ['', 'it holds no public key'],
    ['{"keys":[]}', 'it holds no public key'],
    ['{"keys":[{"kty":"EC"}]}', 'a key in it cannot be read'],
    ['{"keys":"x"}', 'it is no JSON Web Key Set'],
    ['{', 'a key in it cannot be read'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'a key in it cannot be read'],
  ])('are refused where the file holds %s', async (text, message) => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'keys')
    await writeFile(file, text)
    await expect(readPublicKeys(file)).rejects.toMatchObject({
      code: 'USAGE',
      message: `${file}: ${message}`,
    })
  })
})

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import { promisify } from 'node:util'
import { DrayError } from '../../errors.ts'
import { withFileLock } from '../../files/file-lock.ts'
import { ifThere } from '../../files/io-error.ts'
import { readBounded } from '../../files/read-bounded.ts'
import { replaceFile } from '../../files/replace-file.ts'
import { type Claims, signToken } from './json-web-token.ts'

/** How tokens are signed (RFC 7518). */
export type TokenAlgorithm = 'ES256' | 'RS256'

const maxKeyBytes = 64 * 1024

/** A private key with what others need to know of it. */
export class SigningKey {
  readonly publicKey: KeyObject
  readonly #privateKey: KeyObject
  readonly #header: { readonly alg: TokenAlgorithm; readonly kid: string }

  private constructor(privateKey: KeyObject, alg: TokenAlgorithm) {
    this.#privateKey = privateKey
    this.publicKey = createPublicKey(privateKey)
    this.#header = { alg, kid: keyId(this.publicKey) }
  }

  /** A new key, which is kept nowhere. */
  static async generate(algorithm: TokenAlgorithm): Promise<SigningKey> {
    return new SigningKey(await generatePrivateKey(algorithm), algorithm)
  }

  /** The key of a PEM file. @throws DrayError `USAGE` for a file that holds something else, `NOT_FOUND`, `IO` */
  static async read(file: string): Promise<SigningKey> {
    return SigningKey.#parse(await readBounded(file, maxKeyBytes), file)
  }

  /** The key of a PEM file, which is made where there is none. @throws DrayError `USAGE`, `IO` */
  static async open(file: string, algorithm: TokenAlgorithm): Promise<SigningKey> {
    const there = await ifThere(SigningKey.read(file))
    return there ?? SigningKey.#parse(await makeKeyFile(file, algorithm), file)
  }

  static #parse(pem: Buffer, file: string): SigningKey {
    const privateKey = parsePrivateKey(pem, file)
    return new SigningKey(privateKey, algorithmOf(privateKey, file))
  }

  /** The name of the key, in tokens and among other keys. */
  get id(): string {
    return this.#header.kid
  }

  /** The public key as a JSON Web Key (RFC 7517). */
  get jwk(): object {
    return { ...this.publicKey.export({ format: 'jwk' }), ...this.#header, use: 'sig' }
  }

  /** A token with these claims, good from `nowSeconds` (since 1970) on. */
  sign(claims: Claims, nowSeconds: number): string {
    const all = { ...claims, iat: nowSeconds, nbf: nowSeconds, jti: randomUUID() }
    return signToken(this.#header, all, this.#privateKey)
  }
}

/**
 * libtrust's fingerprint, by which distribution 2.x finds a key: of the certificates that it trusts it knows the public
 * keys under no other name. Where keys come from a JWKS any name will do.
 */
function keyId(publicKey: KeyObject): string {
  const hash = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest()
  return (base32(hash.subarray(0, 30)).match(/.{4}/g) ?? []).join(':')
}

/** RFC 4648, 6, for a length that needs no padding. */
function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, byte => byte.toString(2).padStart(8, '0')).join('')
  const groups = bits.match(/.{5}/g) ?? []
  return groups.map(group => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(group, 2)]).join('')
}

/** Of two servers that start at once on one file both get the key of the first. */
async function makeKeyFile(file: string, algorithm: TokenAlgorithm): Promise<Buffer> {
  return withFileLock(file, async () => {
    const made = await ifThere(readBounded(file, maxKeyBytes))
    if (made !== undefined) return made
    const pem = (await generatePrivateKey(algorithm)).export({ format: 'pem', type: 'pkcs8' }).toString()
    await replaceFile(file, pem, { mode: 0o600 })
    return Buffer.from(pem)
  })
}

async function generatePrivateKey(algorithm: TokenAlgorithm): Promise<KeyObject> {
  const generate = promisify(generateKeyPair)
  const { privateKey } =
    algorithm === 'RS256'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'prime256v1' })
  return privateKey
}

function parsePrivateKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new DrayError('USAGE', `${file}: it holds no private key that can be read (PEM, not encrypted)`, {
      cause,
    })
  }
}

function algorithmOf(key: KeyObject, file: string): TokenAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (details?.namedCurve === 'prime256v1') return 'ES256'
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048) return 'RS256'
  throw new DrayError('USAGE', `${file}: tokens are signed with a P-256 or an RSA key of 2048 bits or more`)
}

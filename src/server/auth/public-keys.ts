import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import * as z from 'zod/mini'
import { DrayError } from '../../errors.ts'
import { readBounded } from '../../files/read-bounded.ts'
import { FileStamps } from '../file-stamps.ts'

const maxKeysBytes = 1024 * 1024

/** Keys that tokens of another service are verified with. */
export interface PublicKeys {
  readonly current: readonly KeyObject[]
  /** Reads them again where the file has changed; after a failure they stay as they were. */
  reload(): Promise<void>
}

/**
 * Reads public keys from a file: a JSON Web Key Set (RFC 7517), or PEM with public keys or certificates.
 * @throws DrayError `USAGE` for a file without keys, `IO`
 */
export async function readPublicKeys(file: string): Promise<PublicKeys> {
  const stamps = await FileStamps.of([file])
  let current = await readKeys(file)
  return {
    get current() {
      return current
    },
    async reload() {
      current = (await stamps.readIfChanged(() => readKeys(file))) ?? current
    },
  }
}

const jwksSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

async function readKeys(file: string): Promise<readonly KeyObject[]> {
  const text = (await readBounded(file, maxKeysBytes, 'IO')).toString('utf8')
  const keys = text.trimStart().startsWith('{') ? keysOfJwks(text, file) : keysOfPem(text, file)
  if (keys.length > 0) return keys
  throw new DrayError('USAGE', `${file}: it holds no public key`, {
    hint: 'it must be a JWKS, or PEM with public keys or certificates',
  })
}

function keysOfPem(text: string, file: string): KeyObject[] {
  const blocks = text.match(/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g) ?? []
  return blocks.map(block => asKey(file, () => createPublicKey(block)))
}

/** Keys for encryption, and shared secrets, are not for us. */
function keysOfJwks(text: string, file: string): KeyObject[] {
  const result = asKey(file, () => jwksSchema.safeParse(JSON.parse(text)))
  if (!result.success) throw new DrayError('USAGE', `${file}: it is no JSON Web Key Set`)
  const signing = result.data.keys.filter(({ kty, use }) => kty !== 'oct' && (use ?? 'sig') === 'sig')
  return signing.map(key => asKey(file, () => createPublicKey({ key: key as JsonWebKey, format: 'jwk' })))
}

function asKey<Result>(file: string, read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    throw new DrayError('USAGE', `${file}: a key in it cannot be read`, { cause })
  }
}

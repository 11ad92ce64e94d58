import { generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto'
import * as z from 'zod/mini'
import type { Access } from './access.ts'

const encoding = 'ieee-p1363'

const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  exp: z.number(),
  access: z.array(
    z.object({ type: z.enum(['repository', 'registry']), name: z.string(), actions: z.array(z.string()) }),
  ),
})

/** What a token says: who, for whom, what is allowed, until when (seconds since 1970). */
export interface Claims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly access: readonly Access[]
}

/** A signing key that lives as long as this object: tokens of an earlier one are refused. */
export class TokenKey {
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #id = randomUUID()

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#privateKey = privateKey
    this.#publicKey = publicKey
  }

  /** A JSON Web Token signed with ES256 (RFC 7519, RFC 7518). `nowSeconds` counts from 1970. */
  sign(claims: Claims, nowSeconds: number): string {
    const header = encode({ typ: 'JWT', alg: 'ES256', kid: this.#id })
    const payload = encode({ ...claims, iat: nowSeconds, nbf: nowSeconds, jti: randomUUID() })
    const text = `${header}.${payload}`
    const signature = sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: encoding })
    return `${text}.${signature.toString('base64url')}`
  }

  /** The claims of a token of ours for `audience` that has not expired, undefined for any other. */
  verify(token: string, audience: string, nowSeconds: number): Claims | undefined {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const key = { key: this.#publicKey, dsaEncoding: encoding } as const
    const text = Buffer.from(`${header}.${payload}`)
    if (!verify('sha256', text, key, Buffer.from(signature, 'base64url'))) return undefined
    const claims = claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
    return claims.aud === audience && nowSeconds < claims.exp ? claims : undefined
  }
}

function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}

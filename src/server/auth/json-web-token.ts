import { constants, type KeyObject, sign, verify } from 'node:crypto'
import * as z from 'zod/mini'
import type { Access } from './access.ts'

/** What a token says: who, from whom, for whom, what is allowed, until when (seconds since 1970). */
export interface Claims {
  /** Empty for nobody in particular. */
  readonly sub: string
  readonly iss: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly nbf?: number | undefined
  readonly access: readonly Access[]
  /** Of a refresh token of ours: `Users.stampOf` its user. */
  readonly stamp?: string | undefined
}

/** What a token must be to count. */
export interface Expectation {
  readonly issuer: string
  readonly audience: string
  readonly nowSeconds: number
  /** How far another machine's clock may be off, in seconds; 0 when absent. */
  readonly leewaySeconds?: number | undefined
}

interface Algorithm {
  readonly hash: string | null
  readonly fits: (key: KeyObject) => boolean
  readonly padding?: number
}

const isRsa: Algorithm['fits'] = ({ asymmetricKeyType: type, asymmetricKeyDetails: details }) =>
  type === 'rsa' && (details?.modulusLength ?? 0) >= 2048
const isCurve =
  (curve: string): Algorithm['fits'] =>
  ({ asymmetricKeyDetails: details }) =>
    details?.namedCurve === curve

/** RFC 7518, 3.1 and RFC 8037; what has no signature, or a shared secret, is not among them. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  ES256: { hash: 'sha256', fits: isCurve('prime256v1') },
  ES384: { hash: 'sha384', fits: isCurve('secp384r1') },
  ES512: { hash: 'sha512', fits: isCurve('secp521r1') },
  RS256: { hash: 'sha256', fits: isRsa },
  RS384: { hash: 'sha384', fits: isRsa },
  RS512: { hash: 'sha512', fits: isRsa },
  PS256: { hash: 'sha256', fits: isRsa, padding: constants.RSA_PKCS1_PSS_PADDING },
  PS384: { hash: 'sha384', fits: isRsa, padding: constants.RSA_PKCS1_PSS_PADDING },
  PS512: { hash: 'sha512', fits: isRsa, padding: constants.RSA_PKCS1_PSS_PADDING },
  EdDSA: { hash: null, fits: key => key.asymmetricKeyType === 'ed25519' },
}

const headerSchema = z.object({ alg: z.string() })

/** Access to what we do not know (plugins, say) is left out. */
const accessSchema = z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })

const claimsSchema = z.object({
  sub: z.optional(z.string()),
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.optional(z.number()),
  access: z.optional(z.nullable(z.array(accessSchema))),
  stamp: z.optional(z.string()),
})

/** A JSON Web Token (RFC 7519). `header` names one of the algorithms, and the key must fit it. */
export function signToken(
  header: { readonly alg: string; readonly kid: string },
  claims: Claims & Readonly<Record<string, unknown>>,
  key: KeyObject,
): string {
  const text = `${encode({ typ: 'JWT', ...header })}.${encode(claims)}`
  const { hash, options } = signing(header.alg, key)
  return `${text}.${sign(hash, Buffer.from(text), options).toString('base64url')}`
}

/**
 * The claims of a token that one of the keys signed, with an algorithm of that key's kind, and that meets what is
 * expected now; undefined for any other.
 */
export function verifyToken(
  token: string,
  keys: readonly KeyObject[],
  expected: Expectation,
): Claims | undefined {
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  const alg = headerSchema.safeParse(decode(header)).data?.alg ?? ''
  const text = Buffer.from(`${header}.${payload}`)
  const isSigned = keys.some(key => isSignedBy(key, { alg, text, signature }))
  if (!isSigned || more.length > 0) return undefined
  const { data: claims } = claimsSchema.safeParse(decode(payload))
  if (claims === undefined || !meets(claims, expected)) return undefined
  const access = (claims.access ?? []).flatMap(({ type, ...rest }) =>
    type === 'repository' || type === 'registry' ? [{ type, ...rest } as const] : [],
  )
  return { ...claims, sub: claims.sub ?? '', access }
}

interface Signed {
  readonly alg: string
  readonly text: Buffer
  readonly signature: string
}

function isSignedBy(key: KeyObject, { alg, text, signature }: Signed): boolean {
  if (!Object.hasOwn(algorithms, alg) || algorithms[alg]?.fits(key) !== true) return false
  const { hash, options } = signing(alg, key)
  return verify(hash, text, options, Buffer.from(signature, 'base64url'))
}

function signing(alg: string, key: KeyObject) {
  const { hash = null, padding } = algorithms[alg] ?? {}
  const pss = padding === undefined ? {} : { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return { hash, options: { key, dsaEncoding: 'ieee-p1363', ...pss } as const }
}

function meets(claims: z.infer<typeof claimsSchema>, expected: Expectation): boolean {
  const { nowSeconds, leewaySeconds = 0 } = expected
  return (
    claims.iss === expected.issuer &&
    [claims.aud].flat().includes(expected.audience) &&
    nowSeconds < claims.exp + leewaySeconds &&
    nowSeconds >= (claims.nbf ?? 0) - leewaySeconds
  )
}

function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}

/** Undefined for what is no JSON. */
function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

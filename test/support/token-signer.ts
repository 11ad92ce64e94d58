import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto'
import type { Authority } from './certificates.ts'
import { readKeyPair } from './certificates.ts'

/** One resource and what may be done with it (distribution, spec/auth/jwt.md). */
export interface Access {
  /** `repository` or `registry`. */
  readonly type: string
  readonly name: string
  readonly actions: readonly string[]
}

export interface TokenClaims {
  /** Empty for anonymous. */
  readonly user: string
  readonly access: readonly Access[]
  /** Seconds from now until the token expires; below zero it has expired already. */
  readonly lifetime: number
}

export interface TokenSigner {
  /** A JWT, signed with ES256, with the signer's certificate in its `x5c` header. */
  sign(claims: TokenClaims): string
}

/** Makes a signer whose certificate the authority issued, so a registry that has the authority's can verify. */
export async function makeTokenSigner(
  authority: Authority,
  parties: { readonly issuer: string; readonly audience: string },
): Promise<TokenSigner> {
  const pair = await readKeyPair(await authority.issue('token-signer', { usage: 'server' }))
  const key = createPrivateKey(pair.key)
  const certificate = new X509Certificate(pair.cert).raw.toString('base64')
  const header = encode({ typ: 'JWT', alg: 'ES256', x5c: [certificate] })
  return {
    sign: ({ user, access, lifetime }) => {
      const now = Math.floor(Date.now() / 1000)
      const times = {
        iat: now,
        nbf: Math.min(now, now + lifetime) - 10,
        exp: now + lifetime,
      }
      const { issuer: iss, audience: aud } = parties
      const signed = `${header}.${encode({ iss, aud, sub: user, jti: randomUUID(), ...times, access })}`
      const signature = sign('sha256', Buffer.from(signed), {
        key,
        dsaEncoding: 'ieee-p1363',
      })
      return `${signed}.${signature.toString('base64url')}`
    },
  }
}

function encode(document: object): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}

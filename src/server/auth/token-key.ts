import { FileStamps } from '../file-stamps.ts'
import { type Claims, type Expectation, verifyToken } from './json-web-token.ts'
import { SigningKey, type TokenAlgorithm } from './signing-key.ts'

export type { TokenAlgorithm } from './signing-key.ts'

/** A key that signed until another took its place. */
interface FormerKey {
  readonly key: SigningKey
  /** Seconds since 1970. */
  readonly until: number
}

/** Of the former keys those count that signed in the last `lifetimeSeconds`: tokens of theirs may still be good. */
export interface TokenLifetime {
  /** Since 1970. */
  readonly nowSeconds: number
  /** Without it, no former key counts. */
  readonly lifetimeSeconds?: number | undefined
}

/** The key that a token service signs with. Once another takes its place, it is good for the tokens that are out. */
export class TokenKey {
  #current: SigningKey
  #former: readonly FormerKey[] = []
  readonly #readIfChanged: () => Promise<SigningKey | undefined>

  private constructor(key: SigningKey, readIfChanged: () => Promise<SigningKey | undefined>) {
    this.#current = key
    this.#readIfChanged = readIfChanged
  }

  /** A new key, which lives as long as this object: tokens of an earlier one are refused. */
  static async generate(algorithm: TokenAlgorithm = 'ES256'): Promise<TokenKey> {
    return new TokenKey(await SigningKey.generate(algorithm), async () => undefined)
  }

  /**
   * The private key of a PEM file: P-256 signs with ES256, RSA with RS256. A file that is not there is made, for its
   * owner alone, with a new key for `algorithm`.
   * @throws DrayError `USAGE` for a file that holds something else, `IO`
   */
  static async open(file: string, algorithm: TokenAlgorithm = 'ES256'): Promise<TokenKey> {
    const stamps = await FileStamps.of([file])
    return new TokenKey(await SigningKey.open(file, algorithm), async () =>
      stamps.readIfChanged(() => SigningKey.read(file)),
    )
  }

  /**
   * Reads the key again where its file has changed; after a failure it stays as it was.
   * @throws DrayError `USAGE`, `NOT_FOUND`, `IO`
   */
  async reload(nowSeconds: number): Promise<void> {
    const key = await this.#readIfChanged()
    if (key === undefined || key.id === this.#current.id) return
    const former = [{ key: this.#current, until: nowSeconds }, ...this.#former]
    this.#former = former.filter(other => other.key.id !== key.id)
    this.#current = key
  }

  /** A token with these claims, good from `nowSeconds` (since 1970) on. */
  sign(claims: Claims, nowSeconds: number): string {
    return this.#current.sign(claims, nowSeconds)
  }

  /** The claims of a token of ours that meets what is expected, undefined for any other. */
  verify(token: string, expected: Expectation & TokenLifetime): Claims | undefined {
    const keys = this.#keysAt(expected).map(({ publicKey }) => publicKey)
    return verifyToken(token, keys, expected)
  }

  /** The public keys as a JSON Web Key Set (RFC 7517), for others who are to trust our tokens; else that of today alone. */
  jwks(lifetime?: TokenLifetime): object {
    const keys = lifetime === undefined ? [this.#current] : this.#keysAt(lifetime)
    return { keys: keys.map(({ jwk }) => jwk) }
  }

  #keysAt({ nowSeconds, lifetimeSeconds = 0 }: TokenLifetime): SigningKey[] {
    const former = this.#former.filter(({ until }) => nowSeconds < until + lifetimeSeconds)
    return [this.#current, ...former.map(({ key }) => key)]
  }
}

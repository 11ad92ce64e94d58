/** A text that the keychain keeps under the account that it belongs to. */
export interface KeychainEntry {
  readonly account: string
  readonly secret: string
}

/**
 * The entries of this program in an operating system's keychain, which may ask the user before it answers. What is
 * done to one entry leaves all others as they are, whoever writes at the same time.
 */
export interface Keychain {
  /** @throws DrayError `IO` */
  get(account: string): string | undefined
  /**
   * Keeps the secret in place of an earlier one.
   * @throws DrayError `IO`, `UNSUPPORTED` for more than the keychain can hold
   */
  set(account: string, secret: string): void
  /**
   * Does nothing when there is no such entry.
   * @throws DrayError `IO`
   */
  delete(account: string): void
  /** @throws DrayError `IO` */
  list(): readonly KeychainEntry[]
}

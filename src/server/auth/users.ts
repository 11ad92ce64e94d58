/** Those who may log in. */
export interface Users {
  /**
   * True when there is such a user with that password.
   * @param from the address of who sends it, so that one of them cannot keep all others waiting
   * @throws RegistryFault `TOOMANYREQUESTS` when too many passwords wait to be checked
   */
  check(username: string, password: string, from?: string): Promise<boolean>
  /**
   * What changes with a user's password and says nothing of it; undefined where there is no such user. Refresh tokens of
   * earlier passwords are refused by it; without this method they are good until they expire.
   */
  stampOf?(username: string): string | undefined
  /** Reads the users again where they have changed; after a failure they stay as they were. */
  reload?(): Promise<void>
}

/** Those who may log in. */
export interface Users {
  /** True when there is such a user with that password. */
  check(username: string, password: string): Promise<boolean>
}

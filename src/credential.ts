/** What proves who we are to one registry. */
export type Credential =
  /** A password, access token or robot secret; sent as Basic, or traded for a bearer token. */
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token (docker's `identitytoken`); traded for a bearer token by POST. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A ready bearer token (docker's `registrytoken`); sent as it is. */
  | { readonly kind: 'registry-token'; readonly token: string }

/** Where a credential is wanted: a registry's name as written in references (`docker.io`, `localhost:5000`). */
export interface CredentialTarget {
  readonly registry: string
  /** The repository, where one is known; the longest matching path of the stored entries wins. */
  readonly repository?: string | undefined
  /** True when the last answer was refused: what is remembered of helpers is asked for anew, as it may have run out. */
  readonly renew?: boolean | undefined
}

/** Answers "who am I there?"; undefined means anonymous. */
export type FindCredential = (target: CredentialTarget) => Promise<Credential | undefined>

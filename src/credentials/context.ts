import type { Credential, CredentialTarget } from '../credential.ts'

/** All that the search for credentials takes from its surroundings; nothing else is read. */
export interface CredentialContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly homeDir: string
  readonly platform: NodeJS.Platform
  /** The user's number, for Podman's file without `XDG_RUNTIME_DIR`; 0 also keeps the owner of files written. */
  readonly uid?: number | undefined
  /** `--authfile`; comes before `REGISTRY_AUTH_FILE`. */
  readonly authFile?: string | undefined
  /** The registry of a command that talks to only one; lets `DRAY_USERNAME` apply without `DRAY_REGISTRY`. */
  readonly soleRegistry?: string | undefined
  /** How long a credential helper may take, in milliseconds; 30 s when absent. */
  readonly helperTimeoutMs?: number | undefined
  /** Ends a waiting helper. */
  readonly signal?: AbortSignal | undefined
}

/** A credential beside the place that it came from. */
export interface CredentialEntry {
  readonly credential: Credential
  /** For people: `auths in /home/x/.docker/config.json`, `helper docker-credential-pass`. */
  readonly origin: string
}

/** One place to look in; undefined means that it has no entry and the next place is asked. */
export type CredentialSource = (target: CredentialTarget) => Promise<CredentialEntry | undefined>

import type { Credential, CredentialTarget } from '../credential.ts'
import type { AskWebService } from '../web-service.ts'

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
  /** What dray's own configuration says of a registry or repository. */
  readonly findConfigured?: FindConfiguredLogin | undefined
  /** All the logins that dray's own configuration has, for people; variables and files that it names are not read. */
  readonly listConfigured?: (() => Promise<readonly ListedLogin[]>) | undefined
  /** The program that keeps logins in the operating system's keychain, and its first arguments; without it, none is asked. */
  readonly keychainProgram?: readonly [string, ...string[]] | undefined
  /** Asks the clouds' own services for a registry's password; without it, none is asked. */
  readonly askWebService?: AskWebService | undefined
}

/** A login that dray's own configuration has for a registry or a part of it: a credential, or who keeps it. */
export interface ConfiguredLogin {
  /** For people: `registries["ghcr.io"] in /home/x/.config/dray/config.yaml`. */
  readonly origin: string
  readonly credential?: Credential | undefined
  /** The NAME of a `docker-credential-NAME`. */
  readonly helper?: string | undefined
}

/** Answers with the configured login of the longest path that fits the target. */
export type FindConfiguredLogin = (target: CredentialTarget) => Promise<ConfiguredLogin | undefined>

/** A credential beside the place that it came from. */
export interface CredentialEntry {
  readonly credential: Credential
  /** For people: `auths in /home/x/.docker/config.json`, `helper docker-credential-pass`. */
  readonly origin: string
  /** What the place has it for, where it says so: `ghcr.io`, `ghcr.io/org`. */
  readonly key?: string | undefined
}

/** One place to look in; undefined means that it has no entry and the next place is asked. */
export type CredentialSource = (target: CredentialTarget) => Promise<CredentialEntry | undefined>

/** A login as a place lists it: never with its secret, and without asking anybody for one. */
export interface ListedLogin {
  /** As for `CredentialEntry`. */
  readonly origin: string
  /** What it is for: `ghcr.io`, `ghcr.io/org`; missing where the place does not say. */
  readonly key?: string | undefined
  /** Where the place tells. */
  readonly user?: string | undefined
  readonly kind?: Credential['kind'] | undefined
  /** Why nothing more can be told: a helper that cannot list, a malformed file. */
  readonly fault?: string | undefined
}

/** A place where logins are. */
export interface LoginPlace {
  /** For people: the path of a file, the name of a variable. */
  readonly name: string
  readonly find: CredentialSource
  list(): Promise<readonly ListedLogin[]>
  /** The length of the longest path that the place has a login for and that fits the target; 0 for whole registries. */
  pathLength?(target: CredentialTarget): Promise<number>
  /** Why it has no entry for the target, where there is more to say than that. */
  lack?(target: CredentialTarget): Promise<string | undefined>
}

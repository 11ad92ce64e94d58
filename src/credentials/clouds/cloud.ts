import type { Credential } from '../../credential.ts'
import type { AskWebService } from '../../web-service.ts'

/** A provider of registries whose logins stand in environment variables, or are had for what stands there. */
export interface Cloud {
  /** For people: `Amazon ECR`. */
  readonly name: string
  /** True for the provider's own registries and no others; the name is in lower case. */
  readonly isFor: (registry: string) => boolean
  /** The ways to a login, best first. */
  readonly ways: readonly CloudWay[]
}

/** One way to a login, open when all of its variables are set. */
export interface CloudWay {
  readonly variables: readonly [string, ...string[]]
  /** Undefined where it is no way for this registry after all. */
  find(registry: string): Promise<LastingCredential | undefined>
}

/** A credential and how long it holds. */
export interface LastingCredential {
  readonly credential: Credential
  /** Milliseconds since 1970; missing where there is no end to be seen. */
  readonly expiresAt?: number | undefined
}

/** What the clouds take from their surroundings. */
export interface CloudContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a small text file; throws DrayError. */
  readonly readFile: (path: string) => Promise<string>
  /** Without it, ways that need the network lead nowhere. */
  readonly ask: AskWebService | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

import type { FindCredential } from '../credential.ts'
import type { HttpRequest, Send } from '../http/message.ts'
import type { Clock, RetryEvent, RetryPolicy } from '../http/retry.ts'
import type { KeptToken, PingAnswer, ProviderId } from './providers/provider.ts'

/** What every call to one registry needs. */
export interface RegistryContext {
  /** As in references: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** Where its API answers: `https://registry-1.docker.io/`. */
  readonly url: URL
  /** With authentication, retries and redirects. */
  readonly send: Send
  /** The same without authentication, for any host. */
  readonly plain: Send
  readonly findCredential: FindCredential
  /** What this registry is said to be, where its name does not tell. */
  readonly provider?: ProviderId | undefined
  /** The environment, for providers whose own API has keys of its own (AWS). */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly policy: RetryPolicy
  readonly clock: Clock
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
  /** What this registry was seen to do. */
  readonly learnt: Learnt
  /** The last of the jobs on one thing that must come one after another. */
  readonly turns: Map<string, Promise<unknown>>
}

/** What differs between registries, and shows with use only. */
export interface Learnt {
  /** A blob asked to be mounted from its own repository is answered 201 when it is there; unset before that was seen. */
  mountTellsPresence?: boolean
  /** How it answers who has no login. */
  ping?: Promise<PingAnswer>
  /** What its provider's own API was opened with. */
  tokens?: Map<string, KeptToken>
}

/** What a registry client tells while it works. */
export type RegistryEvent = RetryEvent | { readonly type: 'warning'; readonly message: string }

/** What every call to one repository needs. */
export interface RepositoryContext extends RegistryContext {
  readonly repository: string
  /** `docker.io/library/alpine`, for messages. */
  readonly name: string
  /** Sent with every request about content, so that one token serves a whole copy. */
  readonly scopes: readonly string[]
}

/** A request about one repository; `path` comes behind `/v2/<repository>/`. */
export function repositoryRequest(
  context: RepositoryContext,
  method: HttpRequest['method'],
  path: string,
): HttpRequest {
  return { method, url: new URL(`v2/${context.repository}/${path}`, context.url), scopes: context.scopes }
}

/** `docker.io/library/alpine:3.20` or `…@sha256:…`. */
export function nameOf(context: RepositoryContext, reference: string): string {
  return `${context.name}${reference.includes(':') ? '@' : ':'}${reference}`
}

import type { Credential, FindCredential } from '../credential.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { auth } from '../http/auth.ts'
import { describeBody } from '../http/error-body.ts'
import { type HttpResponse, type Middleware, type Send, stack, withHeaders } from '../http/message.ts'
import { type PaceLimits, pace } from '../http/pace.ts'
import { redirect } from '../http/redirect.ts'
import { type Clock, defaultRetryPolicy, type RetryPolicy, retry } from '../http/retry.ts'
import { repositoryScope } from '../http/scope.ts'
import { systemClock } from '../http/system-clock.ts'
import type { RegistryContext, RegistryEvent } from './context.ts'
import type { Mirror } from './mirrors.ts'
import type { TokenOptions } from './obtain-token.ts'
import { unknownProvider } from './providers/known-providers.ts'
import type { OpenProvider } from './providers/open-provider.ts'
import type { FoundRepository, ProviderId } from './providers/provider.ts'
import { expectStatus } from './registry-error.ts'
import { registryUrl } from './registry-url.ts'
import { Repository } from './repository.ts'

export interface RegistryOptions extends PaceLimits {
  /** As in references: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly registry: string
  /** The network: `createTransport().send`, or a double in tests. */
  readonly send: Send
  readonly findCredential?: FindCredential | undefined
  /** The credential must be accepted: a public image is not read without it when it is refused. */
  readonly requireCredential?: boolean | undefined
  /** Speaks plain HTTP. By default only with loopback hosts. */
  readonly plainHttp?: boolean | undefined
  /** Sent to the registry with every request, and to nobody else. Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly userAgent?: string | undefined
  readonly retryPolicy?: Partial<RetryPolicy> | undefined
  /** What it is, where its name does not tell; otherwise it is found out when that matters. */
  readonly provider?: ProviderId | undefined
  /** The environment, for providers whose own API has keys of its own (AWS). */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly clock?: Clock | undefined
  /** Ends waits and requests that have no signal of their own. */
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
}

export interface RepositoryOptions {
  /** Places that are read first, in order. */
  readonly mirrors?: readonly Mirror[] | undefined
  /** What it is called in messages, where that is not where it lies. */
  readonly name?: string | undefined
}

/** One registry, met with one login. Tokens live as long as this object does. */
export class Registry {
  readonly #context: RegistryContext
  readonly #authorized: (findCredential: FindCredential | undefined) => Send

  constructor(options: RegistryOptions) {
    const url = registryUrl(options.registry, options.plainHttp)
    const policy = { ...defaultRetryPolicy, ...options.retryPolicy }
    const clock = options.clock ?? systemClock
    const { registry, findCredential, onEvent } = options
    const { maxRetryAfterMs } = policy
    const identified = identify(options)
    const own = ownHeaders(url.origin, options.headers ?? {})
    const plain = stack(
      options.send,
      identified,
      own,
      retry({ policy, clock, onEvent }),
      redirect(),
      pace({ clock, origin: url.origin, limits: options, maxRetryAfterMs }),
    )
    this.#authorized = find =>
      stack(
        plain,
        named(registry),
        requireCredential(options.requireCredential ?? false),
        auth({
          registry,
          origin: url.origin,
          send: plain,
          findCredential: find,
          onWarning: message => onEvent?.({ type: 'warning', message }),
          now: clock.now,
        }),
      )
    this.#context = {
      registry,
      url,
      send: this.#authorized(findCredential),
      plain,
      findCredential: findCredential ?? (async () => undefined),
      provider: options.provider,
      env: options.env ?? {},
      policy,
      clock,
      onEvent,
      learnt: {},
      turns: new Map(),
    }
  }

  /** As in references: `docker.io`. */
  get name(): string {
    return this.#context.registry
  }

  /**
   * @param access what the token for this repository is asked for, so that one serves all requests
   */
  repository(
    repository: string,
    access: 'pull' | 'pull,push' = 'pull',
    { mirrors, name = `${this.name}/${repository}` }: RepositoryOptions = {},
  ): Repository {
    const scopes = [repositoryScope(repository, access)]
    return new Repository({ ...this.#context, repository, scopes, name }, mirrors)
  }

  /**
   * All repositories that this login may see, page by page (distribution's catalog; not in the specification), or as the
   * provider's own API lists them where that is closed.
   * @throws DrayError `UNSUPPORTED`, `UNAUTHORIZED` where neither is open, with a hint for that provider
   */
  async *catalog(pageSize?: number): AsyncGenerator<string> {
    const { pagedNames } = await import('./pages.ts')
    const request = { method: 'GET', url: new URL('v2/_catalog', this.#context.url) } as const
    const list = { request, field: 'repositories', what: `list ${this.name}`, pageSize }
    let isEmpty = true
    try {
      for await (const name of pagedNames(this.#context, list)) {
        isEmpty = false
        yield name
      }
    } catch (error) {
      if (!isDrayError(error) || ![401, 403, 404, 405].includes(error.status ?? 0)) throw error
      const { known, provider, access } = await this.provider()
      if (provider.catalog) return yield* provider.catalog(access)
      throw new DrayError(error.code === 'NOT_FOUND' ? 'UNSUPPORTED' : error.code, error.message, {
        hint: known.catalogHint ?? unknownProvider.catalogHint,
        cause: error,
        status: error.status,
      })
    }
    // Quay shows an empty list to who shows no token, Artifact Registry to everybody, and neither asks for a login.
    if (!isEmpty) return
    const { provider, access } = await this.provider()
    if (provider.catalog) yield* provider.catalog(access)
  }

  /**
   * Repositories that fit the words: as the provider finds them, otherwise those of the catalog whose names hold every
   * one of the words.
   * @throws DrayError what `catalog` throws
   */
  async *search(words: string): AsyncGenerator<FoundRepository> {
    const { provider, access } = await this.provider()
    if (provider.search) return yield* provider.search(access, words)
    const wanted = words.toLowerCase().split(/\s+/)
    for await (const repository of this.catalog()) {
      if (!wanted.every(word => repository.toLowerCase().includes(word))) continue
      yield {
        name: `${this.name}/${repository}`,
        description: null,
        stars: null,
        pulls: null,
        official: null,
      }
    }
  }

  /** How it answers who has no login (distribution-spec v1.1 end-1). The body must be read or discarded. */
  ping(): Promise<HttpResponse> {
    return this.#context.plain({ method: 'GET', url: new URL('v2/', this.#context.url) })
  }

  /** Whose registry it is, and what that provider alone can do; see {@link openProvider}. */
  async provider(): Promise<OpenProvider> {
    const { openProvider } = await import('./providers/open-provider.ts')
    return openProvider(this.#context)
  }

  /**
   * Proves that a credential opens this registry (distribution-spec v1.1 end-1). Answers `unasked` when the registry
   * lets everybody in without looking at one.
   * @throws DrayError `UNAUTHORIZED` when it does not open
   */
  async checkLogin(credential: Credential): Promise<'accepted' | 'unasked'> {
    let isAsked = false
    const send = this.#authorized(async () => {
      isAsked = true
      return credential
    })
    const response = await send({
      method: 'GET',
      url: new URL('v2/', this.#context.url),
      requireCredential: true,
    })
    const { status } = response
    // ECR says 400 to a wrong password.
    if (status === 401 || status === 403 || (status === 400 && isAsked)) {
      const { message } = await describeBody(response)
      throw new DrayError('UNAUTHORIZED', `${this.name} refused the login: ${message}`, {
        status,
        hint: `is the password or token still right? log in again with: dray login ${this.name}`,
      })
    }
    await expectStatus(response, [200], `log in to ${this.name}`)
    await response.discard()
    return isAsked ? 'accepted' : 'unasked'
  }

  /** A bearer token for other programs; see {@link obtainToken}. */
  async token(options: TokenOptions): Promise<string> {
    const { obtainToken } = await import('./obtain-token.ts')
    return obtainToken(this.#context, options)
  }
}

/** Docker Hub refuses some requests without a User-Agent. */
function identify({ userAgent = 'dray', signal }: RegistryOptions): Middleware {
  return next => request =>
    next(withHeaders({ ...request, signal: request.signal ?? signal }, { 'user-agent': userAgent }))
}

/** Errors name the registry, whatever host answered for it. */
function named(registry: string): Middleware {
  return next => async request => ({ ...(await next(request)), registry })
}

function requireCredential(isRequired: boolean): Middleware {
  return next => request => next(isRequired ? { ...request, requireCredential: true } : request)
}

/** A gateway in front of a registry wants them with the question for a challenge or token too. A login that was asked for wins. */
function ownHeaders(origin: string, headers: Readonly<Record<string, string>>): Middleware {
  return next => request => {
    if (request.url.origin !== origin) return next(request)
    const { authorization = headers.authorization } = request.headers ?? {}
    return next(withHeaders(request, { ...headers, authorization }))
  }
}

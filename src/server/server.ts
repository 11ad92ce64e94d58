import type { IncomingMessage, ServerResponse } from 'node:http'
import { makeFolder } from '../files/make-folder.ts'
import { type Authorizer, anonymous } from './auth/authorizer.ts'
import { type BasicOptions, basicAuthorizer } from './auth/basic.ts'
import { type TokenOptions, tokenAuthorizer } from './auth/token.ts'
import { RegistryFault } from './errors.ts'
import { Exchange } from './exchange.ts'
import { listen, type RegistryServer } from './listener.ts'
import { findRoute } from './router.ts'
import { Storage } from './storage.ts'

export type { RegistryServer } from './listener.ts'

/** Who may use the registry: anybody, users with Basic, or users with a token from its own `/token`. */
export type ServerAuth =
  | { readonly kind: 'anonymous' }
  | ({ readonly kind: 'basic' } & BasicOptions)
  | ({ readonly kind: 'token' } & TokenOptions)

/** A request that was answered or given up. */
export interface RequestEvent {
  readonly method: string
  /** As the client sent it, without the query. */
  readonly path: string
  readonly status: number
  /** From the request's headers to the end of the answer, in milliseconds. */
  readonly ms: number
  /** The bodies of request and answer together. */
  readonly bytes: number
  readonly user: string | undefined
  /** What went wrong on our side, for a log: the client was told nothing of it. */
  readonly error?: unknown
}

/** What a registry serves, where, and to whom. */
export interface ServerOptions {
  /** Holds the repositories, each an OCI layout at `dir/<repository>`; made where it is missing. */
  readonly dir: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly auth?: ServerAuth | undefined
  /** Refuse all that writes or deletes. */
  readonly readOnly?: boolean | undefined
  readonly onRequest?: ((event: RequestEvent) => void) | undefined
  /** How long `close` waits for running requests before it cuts them, in milliseconds; 5000 by default. */
  readonly graceMs?: number | undefined
  /** Now, in milliseconds since 1970; tokens expire by it. */
  readonly clock?: (() => number) | undefined
}

const defaultGraceMs = 5000
/** Uploads that nobody went on with for so long are removed at the start. */
const uploadTtlMs = 24 * 3600 * 1000

/**
 * Starts a registry over a folder (distribution-spec v1.1). It speaks HTTP; TLS is for a proxy in front.
 * @throws DrayError `IO` when the address is taken or not ours, or the folder cannot be made
 */
export async function startServer(options: ServerOptions): Promise<RegistryServer> {
  const { dir, host, port, clock = Date.now, readOnly = false, graceMs = defaultGraceMs } = options
  const storage = new Storage(dir)
  if (!readOnly) {
    await makeFolder(dir)
    await storage.uploads.removeOlderThan(Date.now() - uploadTtlMs)
  }
  const authorizer = authorizerOf(options.auth, clock)
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    respond(request, response, { storage, authorizer, readOnly, onRequest: options.onRequest })
  return listen(serve, { host, port, graceMs })
}

interface Registry {
  readonly storage: Storage
  readonly authorizer: Authorizer
  readonly readOnly: boolean
  readonly onRequest: ((event: RequestEvent) => void) | undefined
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  registry: Registry,
): Promise<void> {
  const started = performance.now()
  const exchange = new Exchange(request, response)
  const closed = new Promise(resolve => response.once('close', resolve))
  let failure = {}
  try {
    await route(exchange, registry)
  } catch (error) {
    if (!(error instanceof RegistryFault)) failure = { error }
    exchange.fail(error)
  }
  await closed
  const { method, path, status, bytes, user } = exchange
  const ms = performance.now() - started
  registry.onRequest?.({ method, path, status, ms, bytes, user, ...failure })
}

async function route(exchange: Exchange, { storage, authorizer, readOnly }: Registry): Promise<void> {
  if ((await authorizer.answers?.(exchange)) === true) return
  const { access, writes, run } = findRoute(exchange)
  exchange.user = await authorizer.authorize(exchange, access)
  if (writes && readOnly) throw new RegistryFault('UNSUPPORTED', 'this registry is read-only')
  await run(storage)
}

function authorizerOf(auth: ServerAuth | undefined, clock: () => number): Authorizer {
  if (auth?.kind === 'basic') return basicAuthorizer(auth)
  if (auth?.kind === 'token') return tokenAuthorizer(auth, clock)
  return anonymous
}

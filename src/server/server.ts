import type { IncomingMessage, ServerResponse } from 'node:http'
import { makeFolder } from '../files/make-folder.ts'
import { isLayout } from '../layout/layout-file.ts'
import type { Address } from './address.ts'
import type { Authorizer } from './auth/authorizer.ts'
import { type AccessOptions, openAuthorizer, reloadsOf } from './auth/server-auth.ts'
import { methodNotAllowed, RegistryFault } from './errors.ts'
import { Exchange } from './exchange.ts'
import type { ServerLimits } from './limits.ts'
import { type Listener, listen } from './listener.ts'
import type { Metrics } from './metrics.ts'
import { Reloading } from './reloading.ts'
import type { RequestEvent } from './request-event.ts'
import { findRoute } from './router.ts'
import { Storage, type StorageOptions } from './storage.ts'

export type { AccessRules, Right, Rule } from './auth/rules.ts'
export type { ServerAuth } from './auth/server-auth.ts'
export type { ServerLimits } from './limits.ts'
export type { RequestEvent } from './request-event.ts'
export type { TlsOptions } from './tls.ts'

/** A running registry. */
export interface RegistryServer {
  /** `http://127.0.0.1:5000` or `https://…`, without a slash at the end. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:9100/metrics`, where there are metrics. */
  readonly metricsUrl: string | undefined
  /** Looks at once whether certificates, users and keys have changed, as it does by itself now and then. */
  reload(): Promise<void>
  /** Takes no more requests, lets running ones end for a while, then cuts them. */
  close(): Promise<void>
}

/** What a registry serves, where, and to whom. */
export interface ServerOptions extends AccessOptions, StorageOptions {
  /**
   * Holds the repositories, each an OCI layout at `dir/<repository>`; made where it is missing. Or is itself a layout whose
   * images have names in full, as `dray pull` writes them, which is then only read.
   */
  readonly dir: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Refuse all that writes or deletes. */
  readonly readOnly?: boolean | undefined
  readonly limits?: ServerLimits | undefined
  /** Where Prometheus gets `/metrics`, over plain HTTP and without a login; nowhere when absent. */
  readonly metrics?: Address | undefined
  readonly onRequest?: ((event: RequestEvent) => void) | undefined
  /** Told of files that have changed and cannot be used; what they held before goes on to count. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** How often to look whether files have changed, in milliseconds; 10 seconds by default. */
  readonly reloadEveryMs?: number | undefined
  /** How long `close` waits for running requests before it cuts them, in milliseconds; 5000 by default. */
  readonly graceMs?: number | undefined
  /** Now, in milliseconds since 1970; tokens expire by it. */
  readonly clock?: (() => number) | undefined
}

const defaultGraceMs = 5000
const defaultReloadMs = 10_000
/** Uploads that nobody went on with for so long are removed at the start. */
const uploadTtlMs = 24 * 3600 * 1000

/**
 * Starts a registry over a folder (distribution-spec v1.1).
 * @throws DrayError `IO` when an address is taken or not ours, or the folder cannot be made; `USAGE` for settings that
 * make no sense
 */
export async function startServer(options: ServerOptions): Promise<RegistryServer> {
  const { dir, host, port, clock = Date.now, graceMs = defaultGraceMs } = options
  const authorizer = await openAuthorizer(options, clock)
  const isBundle = await isLayout(dir)
  const readOnly = isBundle || (options.readOnly ?? false)
  if (isBundle) {
    options.onWarning?.(`${dir} is one layout with images of many repositories; it is served to be read only`)
  }
  const storage = new Storage(dir, { ...options, isBundle })
  if (!readOnly) {
    await makeFolder(dir)
    await storage.uploads.removeOlderThan(Date.now() - uploadTtlMs)
  }
  let metrics: Metrics | undefined
  const onRequest = (event: RequestEvent) => {
    metrics?.count(event)
    options.onRequest?.(event)
  }
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    respond(request, response, { storage, authorizer, readOnly, onRequest })
  const { tls, limits } = options
  const listener = await listen(serve, { host, port, graceMs, tls, limits })
  const metered = await startMetrics(listener, options.metrics)
  metrics = metered?.metrics
  const reloading = new Reloading({
    reloads: [() => listener.reload(), ...reloadsOf(options.auth)],
    everyMs: options.reloadEveryMs ?? defaultReloadMs,
    onWarning: options.onWarning,
  })
  return {
    url: listener.url,
    host,
    port: listener.port,
    metricsUrl: metered && `${metered.listener.url}/metrics`,
    reload: () => reloading.reload(),
    async close() {
      await Promise.all([reloading.stop(), listener.close()])
      // To the last, so that it can be seen how requests end.
      await metered?.listener.close()
    },
  }
}

interface Metered {
  readonly metrics: Metrics
  readonly listener: Listener
}

async function startMetrics(registry: Listener, address: Address | undefined): Promise<Metered | undefined> {
  if (address === undefined) return undefined
  try {
    const { createMetrics } = await import('./metrics.ts')
    const metrics = createMetrics(() => registry.load)
    return { metrics, listener: await listen(metrics.serve, { ...address, graceMs: 0 }) }
  } catch (error) {
    await registry.close()
    throw error
  }
}

interface Registry {
  readonly storage: Storage
  readonly authorizer: Authorizer
  readonly readOnly: boolean
  readonly onRequest: (event: RequestEvent) => void
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  registry: Registry,
): Promise<void> {
  const started = performance.now()
  const exchange = new Exchange(request, response)
  // Gone when the connection is.
  const { remoteAddress } = request.socket
  const closed = new Promise(resolve => response.once('close', resolve))
  let failure = {}
  try {
    await route(exchange, registry)
  } catch (error) {
    if (!(error instanceof RegistryFault)) failure = { error }
    exchange.fail(error)
  }
  await closed
  const { id, method, path, status, received, sent, user } = exchange
  const ms = performance.now() - started
  const userAgent = request.headers['user-agent']
  const about = { id, method, path, status, ms, received, sent, user, remoteAddress, userAgent }
  registry.onRequest({ ...about, ...failure })
}

async function route(exchange: Exchange, { storage, authorizer, readOnly }: Registry): Promise<void> {
  if (exchange.path === '/healthz') return sendHealth(exchange)
  if ((await authorizer.answers?.(exchange)) === true) return
  const { access, useful, writes, readingMethods, run } = findRoute(exchange)
  exchange.grant = await authorizer.authorize(exchange, access, useful)
  if (writes && readOnly) {
    const headers = { Allow: readingMethods.join(', ') }
    throw new RegistryFault('UNSUPPORTED', 'this registry is read-only', { headers })
  }
  await run(storage)
}

function sendHealth(exchange: Exchange): void {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    throw methodNotAllowed(exchange.method, ['GET', 'HEAD'])
  }
  exchange.send(200, { 'Content-Type': 'text/plain' }, Buffer.from('ok\n'))
}

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { DrayError } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import { isLayout } from '../layout/layout-file.ts'
import type { Address } from './address.ts'
import { type AccessOptions, openAuthorizer } from './auth/server-auth.ts'
import { exposureWarnings } from './exposure.ts'
import { type GcOptions, Housekeeping } from './housekeeping.ts'
import type { ServerLimits } from './limits.ts'
import { type Listener, listen } from './listener.ts'
import type { Metrics } from './metrics.ts'
import type { Mirrors } from './mirror/mirrors.ts'
import type { MirrorEvent, MirroredRegistry, MirrorLimits } from './mirror/upstream.ts'
import { Reloading } from './reloading.ts'
import type { RequestEvent } from './request-event.ts'
import { respond } from './respond.ts'
import { folderNames } from './storage/repository-folders.ts'
import { Storage, type StorageOptions } from './storage/storage.ts'
import { TrustedProxies } from './trusted-proxies.ts'

export type { AccessRules, AccessSource, Right, Rule } from './auth/rules.ts'
export type { ServerAuth } from './auth/server-auth.ts'
export type { GcOptions } from './housekeeping.ts'
export type { ServerLimits } from './limits.ts'
export type { MirroredRegistry, MirrorLimits, Upstream } from './mirror/upstream.ts'
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
  /** Looks at once whether certificates, users, keys and rules have changed, as it does by itself now and then. */
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
  /**
   * IP addresses and networks (`10.0.0.0/8`) of reverse proxies, which are believed what `X-Forwarded-For`, `-Proto` and
   * `-Host` say; nobody is by default.
   */
  readonly trustedProxies?: readonly string[] | undefined
  readonly limits?: ServerLimits | undefined
  /** Remove now and then what nothing refers to; not where the folder is only read. */
  readonly gc?: GcOptions | undefined
  /**
   * Other registries that are answered for, as caches: what is asked of one is fetched there, kept below its name in `dir`,
   * and given out from there while it is known to be right, or while that registry does not answer.
   */
  readonly mirrors?: readonly MirroredRegistry[] | undefined
  /** How much of their content is kept, and for how long. */
  readonly mirrorLimits?: MirrorLimits | undefined
  /** Where Prometheus gets `/metrics`, over plain HTTP and without a login; nowhere when absent. */
  readonly metrics?: Address | undefined
  readonly onRequest?: ((event: RequestEvent) => void) | undefined
  /** Told of what is unwise, and of files that have changed and cannot be used; what they held before goes on to count. */
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

/**
 * Starts a registry over a folder (distribution-spec v1.1).
 * @throws DrayError `IO` when an address is taken or not ours, or the folder cannot be made; `USAGE` for settings that
 * make no sense
 */
export async function startServer(options: ServerOptions): Promise<RegistryServer> {
  const { dir, host, port, clock = Date.now, graceMs = defaultGraceMs } = options
  const authorizer = await openAuthorizer(options, clock)
  const proxies = new TrustedProxies(options.trustedProxies ?? [], options.onWarning)
  const isBundle = await isLayout(dir)
  const isMeantToBeRead = isBundle || options.readOnly === true
  const readOnly = isMeantToBeRead || !(await isWritable(dir))
  if (isBundle) {
    options.onWarning?.(`${dir} is one layout with images of many repositories; it is served to be read only`)
  }
  if (readOnly && !isMeantToBeRead)
    options.onWarning?.(`${dir} cannot be written to; it is served to be read only`)
  const storage = new Storage(dir, { ...options, isBundle, readOnly })
  if (!readOnly) await makeFolder(dir)
  let metrics: Metrics | undefined
  const onRequest = (event: RequestEvent) => {
    metrics?.count(event)
    options.onRequest?.(event)
  }
  const mirrors = await openMirrors({ ...options, isBundle }, storage, event => metrics?.countMirror(event))
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    respond(request, response, { storage, mirrors, authorizer, proxies, readOnly, onRequest })
  const { tls, limits } = options
  const listener = await listen(serve, { host, port, graceMs, tls, limits })
  const metered = await startMetrics(listener, options.metrics)
  metrics = metered?.metrics
  mirrors?.start()
  const housekeeping = readOnly ? undefined : new Housekeeping(storage, options)
  if (readOnly && options.gc !== undefined)
    options.onWarning?.('no garbage is collected: the folder is only read')
  for (const warning of exposureWarnings({ ...options, readOnly })) options.onWarning?.(warning)
  const reloading = new Reloading({
    reloads: [() => listener.reload(), ...(authorizer.reloads ?? [])],
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
      await Promise.all([mirrors?.close(), housekeeping?.stop()])
      // To the last, so that it can be seen how requests end.
      await metered?.listener.close()
    },
  }
}

/** False for a folder that is there and in which nothing can be made; one that is missing is made, or says why not. */
async function isWritable(dir: string): Promise<boolean> {
  try {
    await access(dir, constants.W_OK)
    return true
  } catch (error) {
    return !['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '')
  }
}

/** @throws DrayError `USAGE` */
async function openMirrors(
  options: ServerOptions,
  storage: Storage,
  onEvent: (event: MirrorEvent) => void,
): Promise<Mirrors | undefined> {
  const { dir, mirrors = [], mirrorLimits: limits, clock = Date.now, onWarning } = options
  if (mirrors.length === 0) return undefined
  if (options.isBundle) {
    throw new DrayError('USAGE', `${dir} is one layout, to be read only: nothing can be mirrored into it`)
  }
  const { Mirrors } = await import('./mirror/mirrors.ts')
  const partialDir = join(dir, folderNames.mirrored)
  return new Mirrors(mirrors, { storage, partialDir, limits, clock, onWarning, onEvent })
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

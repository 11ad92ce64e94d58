import { DrayError } from '../errors.ts'
import { type Address, parseAddress } from '../server/address.ts'
import type { ServerAuth, ServerOptions, TlsOptions } from '../server/server.ts'
import type { ServeConfig } from '../server/settings/config-file.ts'
import type { WatchedConfig } from '../server/settings/watched-config.ts'
import type { CliContext } from './context.ts'
import type { LogForm } from './request-log.ts'
import { type MirrorPlace, type MirrorSettings, mirrorPlace } from './serve-mirrors.ts'

/** What the command line says of serving; each is stronger than the configuration file. */
export interface ServeFlags {
  readonly config?: string
  readonly address?: Address
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsClientCa?: string
  readonly htpasswd?: string
  readonly auth?: 'basic' | 'token'
  readonly tokenKey?: string
  readonly anonymousPull?: boolean
  readonly readOnly?: boolean
  readonly requireBlobs?: boolean
  readonly log?: LogForm
  readonly metricsAddress?: Address
  readonly trustedProxy?: readonly string[]
  /** Milliseconds, or true where none are given. */
  readonly gc?: number | true
  readonly mirror?: readonly MirrorPlace[]
  /** Milliseconds. */
  readonly mirrorFresh?: number
  /** Bytes. */
  readonly mirrorMaxSize?: number
  /** Milliseconds; 0 for no limit. */
  readonly mirrorMaxAge?: number
  /** Milliseconds. */
  readonly gracePeriod?: number
}

/** How a folder is to be served, but for the folder. */
export interface ServeSettings {
  readonly server: Omit<ServerOptions, 'dir' | 'mirrors'>
  readonly mirrors: readonly MirrorSettings[]
  readonly log: LogForm
}

export interface ReadSettingsOptions {
  readonly context: CliContext
  /** Told of what changes in the configuration file later, and cannot take effect. */
  readonly onWarning: (message: string) => void
}

/**
 * Puts the command line and the configuration file together, and reads the users and keys that they name.
 * @throws DrayError `USAGE`, `IO`
 */
export async function readServeSettings(
  flags: ServeFlags,
  options: ReadSettingsOptions,
): Promise<ServeSettings> {
  const watched = flags.config === undefined ? undefined : await watchConfig(flags.config, options)
  const config: ServeConfig = watched?.config ?? {}
  const { limits = {} } = config
  return {
    server: {
      ...(flags.address ?? parseAddress(config.address ?? defaultAddress)),
      tls: tlsOf(flags, config.tls),
      auth: await authOf(flags, config.auth),
      access: watched?.access,
      readOnly: flags.readOnly ?? config.readOnly,
      requireBlobs: flags.requireBlobs ?? config.requireBlobs,
      metrics: flags.metricsAddress ?? (config.metrics && parseAddress(config.metrics.address)),
      trustedProxies: flags.trustedProxy ?? config.trustedProxies,
      gc: gcOf(flags.gc, config.gc),
      mirrorLimits: mirrorLimitsOf(flags, config.mirrorLimits),
      limits: {
        connections: limits.connections,
        bytesPerSecond: limits.bytesPerSecond,
        headersMs: milliseconds(limits.headersSeconds),
        idleMs: milliseconds(limits.idleSeconds),
        keepAliveMs: milliseconds(limits.keepAliveSeconds),
      },
      graceMs: flags.gracePeriod ?? milliseconds(limits.graceSeconds),
    },
    mirrors: mirrorsOf(flags, config.mirrors),
    log: flags.log ?? config.log ?? 'text',
  }
}

const dayMs = 86_400_000

const defaultAddress = '127.0.0.1:5000'

/** The name of the registry in its tokens, where nobody gave it one. */
const defaultService = 'dray'

async function watchConfig(
  file: string,
  { context, onWarning }: ReadSettingsOptions,
): Promise<WatchedConfig> {
  const { watchServeConfig } = await import('../server/settings/watched-config.ts')
  return watchServeConfig(file, context.homeDir, onWarning)
}

function gcOf(interval: ServeFlags['gc'], config: ServeConfig['gc']): ServerOptions['gc'] {
  if (interval === undefined && config === undefined) return undefined
  const { everySeconds, graceSeconds, untagged } = config ?? {}
  const everyMs = typeof interval === 'number' ? interval : milliseconds(everySeconds)
  return { everyMs, graceMs: milliseconds(graceSeconds), untagged }
}

/** A mirror of the command line takes the place of one of the same name. */
function mirrorsOf(flags: ServeFlags, config: ServeConfig['mirrors'] = []) {
  const { mirror = [], mirrorFresh } = flags
  const idle = (['mirrorFresh', 'mirrorMaxSize', 'mirrorMaxAge'] as const).some(
    flag => flags[flag] !== undefined,
  )
  if (idle && mirror.length + config.length === 0) {
    throw new DrayError('USAGE', '--mirror-fresh, --mirror-max-size and --mirror-max-age need --mirror')
  }
  const named = new Set(mirror.map(({ name }) => name))
  const others = config.filter(({ name }) => !named.has(name))
  return [
    ...mirror.map(place => ({ place, freshMs: mirrorFresh })),
    ...others.map(({ name, url, freshSeconds }) => ({
      place: mirrorPlace(name, url),
      freshMs: mirrorFresh ?? milliseconds(freshSeconds),
    })),
  ]
}

function mirrorLimitsOf(
  { mirrorMaxSize, mirrorMaxAge }: ServeFlags,
  config: ServeConfig['mirrorLimits'] = {},
): ServerOptions['mirrorLimits'] {
  const { maxBytes, maxAgeDays } = config
  const maxAgeMs = mirrorMaxAge ?? (maxAgeDays === undefined ? undefined : maxAgeDays * dayMs)
  return {
    maxBytes: mirrorMaxSize ?? maxBytes,
    maxAgeMs: maxAgeMs === 0 ? Number.POSITIVE_INFINITY : maxAgeMs,
  }
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000)
}

function tlsOf(flags: ServeFlags, config: ServeConfig['tls']): TlsOptions | undefined {
  const certFile = flags.tlsCert ?? config?.cert
  const keyFile = flags.tlsKey ?? config?.key
  const clientCaFile = flags.tlsClientCa ?? config?.clientCa
  if (certFile !== undefined && keyFile !== undefined) {
    const { clientCertificates, clientUser } = config ?? {}
    return { certFile, keyFile, clientCaFile, clientCertificates, clientUser }
  }
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined
  throw new DrayError('USAGE', 'TLS needs both --tls-cert and --tls-key')
}

async function authOf(flags: ServeFlags, config: ServeConfig['auth'] = {}): Promise<ServerAuth> {
  const { external, token } = config
  const file = flags.htpasswd ?? config.htpasswd
  const anonymousPull = flags.anonymousPull ?? config.anonymousPull
  if (external !== undefined) {
    if (flags.htpasswd === undefined) return externalAuth(external)
    throw new DrayError('USAGE', '--htpasswd and the external token service of the configuration contradict')
  }
  if (file === undefined) {
    if (flags.auth === undefined && !anonymousPull && flags.tokenKey === undefined)
      return { kind: 'anonymous' }
    throw new DrayError('USAGE', '--auth, --token-key and --anonymous-pull need --htpasswd')
  }
  const { readHtpasswd } = await import('../server/auth/htpasswd.ts')
  const access = { users: await readHtpasswd(file), anonymousPull }
  const way = flags.auth ?? (token === undefined && flags.tokenKey === undefined ? 'basic' : 'token')
  if (way === 'basic') return { kind: 'basic', ...access }
  return { kind: 'token', ...access, ...(await tokenSettings(flags.tokenKey, token)) }
}

type TokenConfig = NonNullable<ServeConfig['auth']>['token']
type ExternalConfig = NonNullable<NonNullable<ServeConfig['auth']>['external']>

async function tokenSettings(tokenKey: string | undefined, config: TokenConfig) {
  const keyFile = tokenKey ?? config?.keyFile
  const { TokenKey } = await import('../server/auth/token-key.ts')
  const { algorithm, lifetimeSeconds } = config ?? {}
  const key = await (keyFile === undefined ? TokenKey.generate(algorithm) : TokenKey.open(keyFile, algorithm))
  const { service = defaultService, issuer, otherServices, realm, jwksFile } = config ?? {}
  return { service, issuer, otherServices, realm, jwksFile, key, tokenTtlSeconds: lifetimeSeconds }
}

async function externalAuth({ keys, ...named }: ExternalConfig): Promise<ServerAuth> {
  const { readPublicKeys } = await import('../server/auth/public-keys.ts')
  return { kind: 'external-token', ...named, keys: await readPublicKeys(keys) }
}

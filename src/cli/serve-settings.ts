import { DrayError } from '../errors.ts'
import { type Address, parseAddress } from '../server/address.ts'
import type { ServeConfig } from '../server/config-file.ts'
import type { ServerAuth, ServerOptions, TlsOptions } from '../server/server.ts'
import type { CliContext } from './context.ts'
import type { LogForm } from './request-log.ts'

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
  /** Milliseconds. */
  readonly gracePeriod?: number
}

/** How a folder is to be served, but for the folder. */
export interface ServeSettings {
  readonly server: Omit<ServerOptions, 'dir'>
  readonly log: LogForm
}

/**
 * Puts the command line and the configuration file together, and reads the users and keys that they name.
 * @throws DrayError `USAGE`, `IO`
 */
export async function readServeSettings(flags: ServeFlags, { homeDir }: CliContext): Promise<ServeSettings> {
  const config = flags.config === undefined ? {} : await readConfig(flags.config, homeDir)
  const { rules, groups, limits = {} } = config
  return {
    server: {
      ...(flags.address ?? parseAddress(config.address ?? defaultAddress)),
      tls: tlsOf(flags, config.tls),
      auth: await authOf(flags, config.auth),
      access: rules && { rules, groups },
      readOnly: flags.readOnly ?? config.readOnly,
      requireBlobs: flags.requireBlobs ?? config.requireBlobs,
      metrics: flags.metricsAddress ?? (config.metrics && parseAddress(config.metrics.address)),
      limits: {
        connections: limits.connections,
        bytesPerSecond: limits.bytesPerSecond,
        headersMs: milliseconds(limits.headersSeconds),
        idleMs: milliseconds(limits.idleSeconds),
        keepAliveMs: milliseconds(limits.keepAliveSeconds),
      },
      graceMs: flags.gracePeriod ?? milliseconds(limits.graceSeconds),
    },
    log: flags.log ?? config.log ?? 'text',
  }
}

const defaultAddress = '127.0.0.1:5000'

/** The name of the registry in its tokens, where nobody gave it one. */
const defaultService = 'dray'

async function readConfig(file: string, homeDir: string): Promise<ServeConfig> {
  const { readServeConfig } = await import('../server/config-file.ts')
  return readServeConfig(file, homeDir)
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
  const { algorithm, jwksFile } = config ?? {}
  const key = await (keyFile === undefined ? TokenKey.generate(algorithm) : TokenKey.open(keyFile, algorithm))
  if (jwksFile !== undefined) {
    const { replaceFile } = await import('../files/replace-file.ts')
    await replaceFile(jwksFile, `${JSON.stringify(key.jwks, null, 2)}\n`)
  }
  const { service = defaultService, issuer, otherServices, realm, lifetimeSeconds } = config ?? {}
  return { service, issuer, otherServices, realm, key, tokenTtlSeconds: lifetimeSeconds }
}

async function externalAuth({ keys, ...named }: ExternalConfig): Promise<ServerAuth> {
  const { readPublicKeys } = await import('../server/auth/public-keys.ts')
  return { kind: 'external-token', ...named, keys: await readPublicKeys(keys) }
}

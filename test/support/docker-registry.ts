import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import type { KeyPair } from './certificates.ts'
import { start } from './run.ts'
import { fastParent, makeTempDir } from './temp-dir.ts'

/** Who may do what. Token mode wants a token service beside it (`startTokenService`). */
export type DockerRegistryAuth =
  | 'none'
  /** Passwords by user name. */
  | { readonly htpasswd: Readonly<Record<string, string>> }
  | {
      readonly token: {
        readonly realm: string
        readonly service: string
        readonly issuer: string
        /** The path of a PEM file. */
        readonly rootcertbundle: string
      }
    }

export interface DockerRegistryOptions {
  readonly auth?: DockerRegistryAuth | undefined
  /** With a key pair the registry speaks HTTPS; with `clientAuthority` (a PEM path) it wants client certificates. */
  readonly tls?: (KeyPair & { readonly clientAuthority?: string }) | undefined
  /** Whether manifests and blobs may be deleted; they may if not given. */
  readonly delete?: boolean | undefined
}

/** Debian's docker-registry (distribution 2.8), empty, on a free port of 127.0.0.1. */
export interface DockerRegistry extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` or `https://…`. */
  readonly url: string
  /** `127.0.0.1:PORT`, as references have it. */
  readonly host: string
  /** The folder that holds all that was pushed. */
  readonly storage: string
  /** Its access log so far, a line for each answered request; a line may come shortly after its answer. */
  accessLog(): string[]
  stop(): Promise<void>
}

/** Starts a registry and returns when it listens. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir(await fastParent()))
  const storage = join(folder.path, 'storage')
  await mkdir(storage)
  const config = join(folder.path, 'config.json') // JSON is YAML too
  await writeFile(config, JSON.stringify(await configuration(options, folder.path)))
  const running = starting.use(await start('docker-registry', ['serve', config]))
  const [, host = ''] = await running.printed(/listening on (127\.0\.0\.1:\d+)/)
  const started = starting.move()
  const stop = () => started.disposeAsync()
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    storage,
    accessLog: () => running.stdout.split('\n').filter(line => line !== ''),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function configuration(options: DockerRegistryOptions, folder: string): Promise<object> {
  const { auth = 'none', tls } = options
  return {
    version: 0.1,
    log: { level: 'info', formatter: 'text' },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      delete: { enabled: options.delete ?? true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: '127.0.0.1:0',
      secret: 'for tests only',
      ...(tls === undefined ? {} : { tls: tlsConfiguration(tls) }),
    },
    ...(auth === 'none' ? {} : { auth: await authConfiguration(auth, folder) }),
  }
}

function tlsConfiguration({
  certificate,
  key,
  clientAuthority,
}: NonNullable<DockerRegistryOptions['tls']>): object {
  return {
    certificate,
    key,
    ...(clientAuthority === undefined ? {} : { clientcas: [clientAuthority] }),
  }
}

async function authConfiguration(auth: Exclude<DockerRegistryAuth, 'none'>, folder: string): Promise<object> {
  if ('token' in auth) return { token: auth.token }
  const path = join(folder, 'htpasswd')
  const users = Object.entries(auth.htpasswd)
  const lines = await Promise.all(
    users.map(async ([user, password]) => `${user}:${await hash(password, 4)}\n`),
  )
  await writeFile(path, lines.join(''))
  return { htpasswd: { realm: 'docker-registry of a test', path } }
}

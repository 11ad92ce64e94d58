import type { Credential, FindCredential } from '../credential.ts'
import type { CredentialContext } from '../credentials/context.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { unusedEnvironmentCredential } from '../credentials/environment.ts'
import { DrayError } from '../errors.ts'
import type { ProxySettings, Transport } from '../http/send.ts'
import type { TlsSettings } from '../http/tls.ts'
import type { TraceEvent } from '../http/trace.ts'
import type { RegistryEvent } from '../registry/context.ts'
import type { Registry } from '../registry/registry.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'
import { readPasswordFromStdin } from './password-stdin.ts'
import { version } from './version.ts'

export interface ConnectionsOptions {
  /** The registries that the command talks to, so that a credential of the environment goes to no second one. */
  readonly registries: readonly string[]
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
  /** Gets every request of the wire, for `--debug`. */
  readonly onTrace?: ((event: TraceEvent) => void) | undefined
}

/** The largest PEM file that is read, in bytes; all the CAs of a system are a quarter of a MiB. */
const maxPemBytes = 16 * 1024 * 1024

/** Opens registries as the flags and the environment say, and closes what it opened. */
export class Connections {
  readonly #context: CliContext
  readonly #options: ConnectionsOptions
  readonly #registries = new Map<string, Promise<Registry>>()
  readonly #transports: Transport[] = []

  constructor(context: CliContext, options: ConnectionsOptions) {
    this.#context = context
    this.#options = options
    const unused = unusedEnvironmentCredential({ env: context.env, soleRegistry: this.#soleRegistry })
    if (unused !== undefined) options.onEvent?.({ type: 'warning', message: unused })
  }

  /**
   * The registry as these flags reach it; the same object for the same flags, so that tokens are shared.
   * @throws DrayError `USAGE` for flags that make no sense together, `IO` for files that cannot be read
   */
  registry(name: string, flags: EndFlags): Promise<Registry> {
    const key = JSON.stringify([name, flags])
    const opened = this.#registries.get(key) ?? this.#open(name, flags)
    this.#registries.set(key, opened)
    return opened
  }

  /** How credentials for these flags are found, without those that the flags themselves give. */
  credentialContext(flags: EndFlags): CredentialContext {
    const { env, homeDir, platform, uid, signal } = this.#context
    return {
      env,
      homeDir,
      platform,
      uid,
      signal,
      authFile: flags.authfile,
      soleRegistry: this.#soleRegistry,
      helperTimeoutMs: flags.timeout,
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map(transport => transport.close()))
  }

  get #soleRegistry(): string | undefined {
    const names = [...new Set(this.#options.registries)]
    return names.length === 1 ? names[0] : undefined
  }

  /** What speaks to registries is loaded here, so that a verb on a local layout starts without it. */
  async #open(name: string, flags: EndFlags): Promise<Registry> {
    await keepMemorySmall()
    const { createTransport } = await import('../http/send.ts')
    const { stack } = await import('../http/message.ts')
    const { trace } = await import('../http/trace.ts')
    const { isLoopback, Registry } = await import('../registry/registry.ts')
    const transport = createTransport({
      tls: await this.#tls(flags),
      proxy: isLoopback(name) ? undefined : proxySettings(this.#context.env),
      timeoutMs: flags.timeout,
      connectTimeoutMs: flags.timeout,
      signal: this.#context.signal,
    })
    this.#transports.push(transport)
    const { onTrace, onEvent } = this.#options
    const given = await flagCredential(flags, this.#context)
    // A file that was named must be there; otherwise a slip would go on with another login, or none.
    if (flags.authfile !== undefined) await mustBeThere(flags.authfile)
    return new Registry({
      registry: name,
      send: onTrace === undefined ? transport.send : stack(transport.send, trace(onTrace)),
      findCredential: given === undefined ? this.#stored(flags) : async () => given,
      requireCredential: given !== undefined,
      plainHttp: flags.plainHttp ?? (wantsTls(flags) ? false : undefined),
      headers: readHeaders(flags.header ?? []),
      userAgent: `dray/${version}`,
      retryPolicy: {
        ...(flags.retries === undefined ? {} : { retries: flags.retries }),
        ...(flags.maxRetryAfter === undefined ? {} : { maxRetryAfterMs: flags.maxRetryAfter }),
      },
      requestsPerSecond: flags.requestsPerSecond,
      onEvent,
      signal: this.#context.signal,
    })
  }

  /** Logins are looked for when a registry asks, and opened once. */
  #stored(flags: EndFlags): FindCredential {
    let opened: Promise<Credentials> | undefined
    const open = async () => {
      const { openCredentials } = await import('../credentials/credentials.ts')
      return openCredentials(this.credentialContext(flags))
    }
    return async target => {
      opened ??= open()
      return (await opened).findCredential(target)
    }
  }

  async #tls(flags: EndFlags): Promise<TlsSettings> {
    const { SSL_CERT_FILE: sslCertFile, NODE_EXTRA_CA_CERTS: extraCaFile } = this.#context.env
    const caFiles = [flags.caFile, sslCertFile]
    // Node adds these by itself only as long as nobody else names a CA.
    if (caFiles.some(file => file !== undefined)) caFiles.push(extraCaFile)
    if ((flags.certFile === undefined) !== (flags.keyFile === undefined)) {
      throw new DrayError('USAGE', 'a client certificate needs both --cert-file and --key-file')
    }
    return {
      ca: await Promise.all(caFiles.flatMap(file => (file ? [readPem(file, { mayBeEmpty: true })] : []))),
      cert: flags.certFile === undefined ? undefined : await readPem(flags.certFile),
      key: flags.keyFile === undefined ? undefined : await readPem(flags.keyFile),
      insecure: flags.insecure,
    }
  }
}

/**
 * The credential that the flags give, if any.
 * @throws DrayError `USAGE` when a half is missing
 */
export async function flagCredential(flags: EndFlags, context: CliContext): Promise<Credential | undefined> {
  const { username, identityToken, passwordStdin } = flags
  if (identityToken !== undefined) return { kind: 'identity-token', token: identityToken }
  const password = passwordStdin ? await readPasswordFromStdin(context.stdin) : flags.password
  if (username === undefined && password === undefined) return undefined
  if (username === undefined) throw new DrayError('USAGE', 'a password needs a name: give --username')
  if (password === undefined) {
    throw new DrayError('USAGE', '--username needs a password', { hint: 'pipe it in with --password-stdin' })
  }
  return { kind: 'basic', username, password }
}

/**
 * What makes V8 faster in the long run costs a command, which is over in seconds, 30 MB: a second, better compilation of
 * undici's parser of HTTP (WebAssembly), and more room for young objects.
 */
async function keepMemorySmall(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  setFlagsFromString('--semi-space-growth-factor=1')
}

async function mustBeThere(file: string): Promise<void> {
  const { access } = await import('node:fs/promises')
  const { onDisk } = await import('../files/io-error.ts')
  await onDisk(file, access(file), 'IO')
}

/** A flag about certificates says that TLS is meant, on loopback too. */
function wantsTls(flags: EndFlags): boolean {
  return flags.caFile !== undefined || flags.certFile !== undefined || flags.insecure === true
}

function proxySettings(env: CliContext['env']): ProxySettings | undefined {
  const http = env.http_proxy || env.HTTP_PROXY || undefined
  const https = env.https_proxy || env.HTTPS_PROXY || undefined
  if (http === undefined && https === undefined) return undefined
  return { http, https, no: env.no_proxy || env.NO_PROXY || undefined }
}

/** A file that a flag names must be there: `NOT_FOUND` is for images. Of CAs there may be none, as in `/dev/null`. */
async function readPem(file: string, { mayBeEmpty = false } = {}): Promise<string> {
  const { readBounded } = await import('../files/read-bounded.ts')
  const text = (await readBounded(file, maxPemBytes, 'IO')).toString('utf8')
  if (text.includes('-----BEGIN ') || (mayBeEmpty && text.trim() === '')) return text
  throw new DrayError('USAGE', `${file} is not in PEM form`)
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):\s*([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
    // The line is not shown, since it may hold a secret.
    if (!match?.[1]) throw new DrayError('USAGE', '--header takes a line of the form "Name: value"')
    headers[match[1].toLowerCase()] = (match[2] ?? '').trim()
  }
  return headers
}

import { access } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { type CertificatesContext, findCertificates } from '../config/certificates.ts'
import type { RegistrySettings } from '../config/settings.ts'
import type { FindCredential } from '../credential.ts'
import { DrayError } from '../errors.ts'
import { onDisk } from '../files/io-error.ts'
import { type Send, stack } from '../http/message.ts'
import { createTransport, type ProxySettings, type Transport, type TransportOptions } from '../http/send.ts'
import { type TraceEvent, trace } from '../http/trace.ts'
import type { RegistryEvent } from '../registry/context.ts'
import { Registry } from '../registry/registry.ts'
import { registryUrl } from '../registry/registry-url.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'
import { plainHttpWanted, speaksTls } from './plain-http.ts'
import { readTlsFiles, type TlsWishes } from './tls-files.ts'
import { version } from './version.ts'

export interface OpenRegistryOptions {
  readonly flags: EndFlags
  readonly settings: RegistrySettings
  readonly context: CliContext
  /** Where `certs.d` folders are. */
  readonly files: CertificatesContext
  readonly findCredential: FindCredential
  /** The credential was given by flags. */
  readonly requireCredential: boolean
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
  readonly onTrace?: ((event: TraceEvent) => void) | undefined
}

/** A registry, and what must be closed when it is not needed any more. */
export interface OpenedRegistry {
  readonly registry: Registry
  readonly transport: Transport
  /** What was decided on the way. */
  readonly road: Road
}

/** How a registry is reached, and who said so. */
export interface Road {
  /** Where its API answers. */
  readonly url: URL
  readonly connection: TransportOptions
  readonly wishes: TlsWishes
}

/**
 * Opens a registry as flags, configuration and environment say, the stronger first.
 * @throws DrayError `USAGE`, `IO`
 */
export async function openRegistry(name: string, options: OpenRegistryOptions): Promise<OpenedRegistry> {
  const { flags, settings, onTrace, onEvent } = options
  const { env, signal } = options.context
  const certificates = await findCertificates(name, options.files)
  const wishes = { flags, settings, certificates, env }
  const headers = { ...settings.headers?.value, ...readHeaders(flags.header ?? []) }
  // A file that was named must be there; otherwise a slip would go on with another login, or none.
  if (flags.authfile !== undefined) await onDisk(flags.authfile, access(flags.authfile), 'IO')
  const connection: TransportOptions = {
    tls: await readTlsFiles(wishes),
    proxy: proxySettings(env),
    timeoutMs: flags.timeout,
    connectTimeoutMs: flags.timeout,
    signal,
  }
  const transport = createTransport(connection)
  const send = onTrace === undefined ? transport.send : stack(transport.send, trace(onTrace))
  const plainHttp = await decided(plainHttpWanted(wishes), { name, send })
  const url = registryUrl(name, plainHttp)
  if (!options.context.isLasting) keepMemorySmall(url)
  const registry = new Registry({
    registry: name,
    send,
    findCredential: options.findCredential,
    requireCredential: options.requireCredential,
    plainHttp,
    headers,
    userAgent: `dray/${version}`,
    retryPolicy: {
      ...(flags.retries === undefined ? {} : { retries: flags.retries }),
      ...(flags.maxRetryAfter === undefined ? {} : { maxRetryAfterMs: flags.maxRetryAfter }),
    },
    requestsPerSecond: flags.requestsPerSecond ?? settings.requestsPerSecond?.value,
    maxRequestsUnderWay: settings.jobs?.value,
    provider: settings.provider?.value,
    env,
    onEvent,
    signal,
  })
  return { registry, transport, road: { url, connection, wishes } }
}

/** The one question goes out for registries alone of which a `registries.conf` leaves it open. */
async function decided(
  wanted: boolean | 'unless-tls' | undefined,
  { name, send }: { readonly name: string; readonly send: Send },
): Promise<boolean | undefined> {
  return wanted === 'unless-tls' ? !(await speaksTls(send, registryUrl(name, false))) : wanted
}

/**
 * What makes V8 faster in the long run costs a command, which is over in seconds, 40 MB and time: a second, better compilation
 * of undici's parser of HTTP (WebAssembly), early ones of JavaScript, and more room for young objects. Once a flag is changed,
 * V8 refuses the compiled code that Node brings for its own modules, so those that every request needs are loaded before.
 */
function keepMemorySmall({ protocol }: URL): void {
  process.getBuiltinModule(protocol === 'https:' ? 'node:tls' : 'node:net')
  setFlagsFromString('--wasm-tiering-budget=1000000000')
  setFlagsFromString('--semi-space-growth-factor=1')
  // V8 has these since Node 22, and complains about what it does not know.
  if (Number.parseInt(process.versions.node, 10) < 22) return
  setFlagsFromString('--invocation-count-for-maglev=2000')
  setFlagsFromString('--invocation-count-for-turbofan=30000')
}

/** The proxies that the environment names, undefined where it names none. */
export function proxySettings(env: CliContext['env']): ProxySettings | undefined {
  const http = env.http_proxy || env.HTTP_PROXY || undefined
  const https = env.https_proxy || env.HTTPS_PROXY || undefined
  if (http === undefined && https === undefined) return undefined
  return { http, https, no: env.no_proxy || env.NO_PROXY || undefined }
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

import type { Socket } from 'node:net'
import type { DrayError } from '../errors.ts'
import { untilAborted } from '../until-aborted.ts'
import { type Anchor, anchorFinder, type CertificateFacts, chainOf } from './certificate.ts'
import { openTcp, openTls } from './connector.ts'
import { aborted, networkError, proxyError } from './network-error.ts'
import { type HttpProxy, type ProxySettings, proxyFor } from './proxy.ts'
import { type TlsOptions, type TlsSettings, tlsOptions } from './tls.ts'
import { CertificateFault } from './tls-fault.ts'
import { digTunnel } from './tunnel.ts'
import { steadyNow, type Waiting } from './waiting.ts'
import { WireFault } from './wire/wire-fault.ts'

export interface ProbeOptions {
  readonly tls?: TlsSettings | undefined
  readonly proxy?: ProxySettings | undefined
  /** Bounds each step, in milliseconds; 15 s if not given. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One step on the way; it failed when there is an error. */
export interface ProbeStep<Found> {
  /** How long it took, in milliseconds. */
  readonly ms: number
  /** What was found; of a step that failed, as far as it came. */
  readonly found?: Found
  readonly error?: DrayError
}

/** What was found of a way to a server. A step is undefined where it is not needed, or not reached. */
export interface ConnectionProbe {
  /** The proxy in between, which `dns` and `tcp` are about then. */
  readonly proxy: Pick<HttpProxy, 'url' | 'variable'> | undefined
  readonly dns: ProbeStep<{ readonly host: string; readonly addresses: readonly string[] }>
  readonly tcp: ProbeStep<{ readonly address: string; readonly port: number }> | undefined
  /** The way through a proxy for HTTPS; plain HTTP is forwarded. */
  readonly tunnel: ProbeStep<never> | undefined
  readonly tls: ProbeStep<TlsFacts> | undefined
}

/** What was agreed upon over TLS. */
export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly protocol: string
  /** As OpenSSL has it: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string
  /** Which of `h2` and `http/1.1` the server took; undefined when it knows no ALPN. */
  readonly alpn: string | undefined
  /** The server's certificate first, and what is known of those above it. */
  readonly chain: readonly CertificateFacts[]
  /** Why the certificate is not accepted; with `insecure` it is used all the same. */
  readonly fault?: DrayError | undefined
  /** The authority that an accepted certificate goes back to. */
  readonly anchor?: Anchor | undefined
}

const defaultTimeoutMs = 15_000

/**
 * Walks the way to a server up to where HTTP would begin, and says what it met; sends nothing but what opens the way.
 * @throws DrayError `USAGE` for settings that make no sense, `ABORTED`
 */
export async function probeConnection(url: URL, options: ProbeOptions = {}): Promise<ConnectionProbe> {
  const { ca = [] } = options.tls ?? {}
  const tls = url.protocol === 'https:' ? await tlsOptions(options.tls ?? {}) : undefined
  const proxy = proxyFor(url, options.proxy ?? {})
  const way: Way = { url, end: proxy?.url ?? url, proxy, options }
  try {
    const dns = await resolve(way)
    const tcp = dns.error === undefined ? await reach(way) : undefined
    const mayGoOn = tls !== undefined && way.socket !== undefined
    const tunnel = mayGoOn && proxy !== undefined ? await cross(way, { proxy, tls }) : undefined
    const isThere = mayGoOn && tunnel?.error === undefined
    // Without the login in it.
    const shown = proxy && { url: proxy.url, variable: proxy.variable }
    return { proxy: shown, dns, tcp, tunnel, tls: isThere ? await shakeHands(way, { ca, tls }) : undefined }
  } finally {
    way.socket?.destroy()
  }
}

interface Way {
  readonly url: URL
  /** Where the first connection goes: to the URL's host, or to the proxy. */
  readonly end: URL
  readonly proxy: HttpProxy | undefined
  readonly options: ProbeOptions
  /** The connection as far as it came. */
  socket?: Socket
}

function resolve({ end, ...way }: Way): Promise<ConnectionProbe['dns']> {
  return step({ end, ...way }, async (waiting, note) => {
    const { lookup } = await import('node:dns/promises')
    const host = end.hostname.replace(/^\[(.*)\]$/, '$1')
    const late = AbortSignal.timeout(Math.ceil(waiting.endsAt - steadyNow()))
    const signal = waiting.signal === undefined ? late : AbortSignal.any([late, waiting.signal])
    // The system's own resolver, as connections use it; it cannot be stopped, but it need not be waited for.
    const found = await untilAborted(
      lookup(host, { all: true }),
      signal,
      () => new WireFault('CONNECT_TIMEOUT'),
    )
    note({ host, addresses: found.map(({ address }) => address) })
  })
}

function reach(way: Way): Promise<NonNullable<ConnectionProbe['tcp']>> {
  return step(way, async (waiting, note) => {
    way.socket = await openTcp(way.end, { waiting })
    note({ address: way.socket.remoteAddress ?? '', port: way.socket.remotePort ?? 0 })
  })
}

interface Crossing {
  readonly proxy: HttpProxy
  readonly tls: TlsOptions
}

function cross(way: Way, { proxy, tls }: Crossing): Promise<ProbeStep<never>> {
  return step<never>(way, async waiting => {
    if (way.socket === undefined) return
    if (proxy.url.protocol === 'https:') {
      way.socket = await openTls(proxy.url, { waiting, tls: async () => tls, through: way.socket })
    }
    way.socket = await digTunnel(way.socket, { proxy, url: way.url, waiting })
  })
}

interface Handshake {
  readonly ca: readonly string[]
  readonly tls: TlsOptions
}

async function shakeHands({ proxy, ...way }: Way, { ca, tls }: Handshake): Promise<ProbeStep<TlsFacts>> {
  const anchorOf = await anchorFinder(ca)
  // From here on it is the server that is at fault, not the proxy.
  return step({ ...way, proxy: undefined }, async (waiting, note) => {
    const socket = await openTls(way.url, {
      waiting,
      // A certificate that is not accepted is looked at all the same; nothing is sent over the connection.
      tls: async () => ({ ...tls, rejectUnauthorized: false }),
      through: way.socket,
      protocols: ['h2', 'http/1.1'],
    })
    const chain = chainOf(socket.getPeerCertificate(true))
    const refusal = String(socket.authorizationError)
    const fault = socket.authorized ? undefined : new CertificateFault(refusal, way.url.hostname, chain)
    note({
      protocol: socket.getProtocol() ?? '',
      cipher: socket.getCipher().name,
      alpn: socket.alpnProtocol || undefined,
      chain,
      ...(fault === undefined ? { anchor: anchorOf(chain) } : { fault: networkError(fault, way.url) }),
    })
    if (fault !== undefined && tls.rejectUnauthorized) throw fault
  })
}

/** Takes the time of a step, and makes an error of it that names who is at fault. */
async function step<Found>(
  { url, proxy, options }: Way,
  run: (waiting: Waiting, note: (found: Found) => void) => Promise<void>,
): Promise<ProbeStep<Found>> {
  const { signal, timeoutMs = defaultTimeoutMs } = options
  const startedAt = steadyNow()
  const ms = () => Math.round(steadyNow() - startedAt)
  let found: Found | undefined
  const note = (what: Found) => {
    found = what
  }
  try {
    await run({ endsAt: startedAt + timeoutMs, signal }, note)
    return { ms: ms(), ...(found === undefined ? {} : { found }) }
  } catch (error) {
    if (signal?.aborted) throw aborted(signal)
    const explained = proxy === undefined ? networkError(error, url) : proxyError(error, proxy)
    return { ms: ms(), error: explained, ...(found === undefined ? {} : { found }) }
  }
}

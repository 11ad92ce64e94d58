import type { OnReadOpts, Socket } from 'node:net'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { RecentMap } from '../recent-map.ts'
import { chainOf } from './certificate.ts'
import { aborted, networkError, proxyError } from './network-error.ts'
import type { HttpProxy } from './proxy.ts'
import type { TlsOptions } from './tls.ts'
import { CertificateFault } from './tls-fault.ts'
import { onSocket, steadyNow, type Waiting } from './waiting.ts'

export interface ConnectorOptions {
  /** Bounds all up to a connection that can be used, in milliseconds: TCP, what a proxy says, and TLS. */
  readonly connectTimeoutMs: number
  /** For https; never asked for http, so that TLS is not loaded there. */
  readonly tls: () => Promise<TlsOptions>
  /** Which proxy a URL is reached through; none is when absent. */
  readonly proxyFor?: ((url: URL) => Promise<HttpProxy | undefined>) | undefined
  /** Ends every attempt that has no signal of its own. */
  readonly signal?: AbortSignal | undefined
}

/** A connection that is wanted. */
export interface WantedConnection {
  readonly url: URL
  readonly signal?: AbortSignal | undefined
  /** Memory that bytes come in; a connection inside another one emits `data` all the same. */
  readonly onread?: OnReadOpts | undefined
  /** Gets the socket that the bytes come through as soon as there is one, before it is connected. */
  readonly onSocket?: ((socket: Socket) => void) | undefined
}

/**
 * Opens a connection over which the host of a URL can be asked: straight, to the proxy that forwards plain HTTP, or through
 * a tunnel; with TLS where the URL says so. Rejects with a DrayError (`NETWORK`, `TIMEOUT`, `ABORTED`, `USAGE`).
 */
export type Connect = (wanted: WantedConnection) => Promise<Socket>

/** Makes what opens connections; those to one origin over TLS go on with one another's sessions. */
export function createConnector(options: ConnectorOptions): Connect {
  const sessions = new RecentMap<string, Buffer>()
  return async wanted => {
    const { url, onread, onSocket } = wanted
    const { tls } = options
    const signal = wanted.signal ?? options.signal
    const waiting = { endsAt: steadyNow() + options.connectTimeoutMs, signal }
    try {
      const proxy = await options.proxyFor?.(url)
      if (url.protocol === 'http:') {
        const how = { waiting, tls, onread, onSocket }
        return await (proxy === undefined ? openTcp(url, how) : connectToProxy(proxy, how))
      }
      return await openTls(url, {
        waiting,
        tls,
        onread,
        onSocket,
        through: proxy && (await openTunnel(proxy, url, { tls, waiting })),
        session: sessions.get(url.origin),
        onSession: session => sessions.set(url.origin, session),
      })
    } catch (error) {
      sessions.delete(url.origin)
      if (signal?.aborted) throw aborted(signal)
      throw networkError(error, url)
    }
  }
}

export interface OpenOptions extends Pick<WantedConnection, 'onread' | 'onSocket'> {
  readonly waiting: Waiting
}

/** A TCP connection to the host of a URL. @throws what the socket says, or the signal's reason */
export async function openTcp(url: URL, { waiting, onread, onSocket: tell }: OpenOptions): Promise<Socket> {
  const { connect } = await import('node:net')
  const socket = connect({ ...tcpOptions(url), ...(onread === undefined ? {} : { onread }) })
  tell?.(socket)
  return connected(socket, 'connect', waiting)
}

export interface OpenTlsOptions extends OpenOptions {
  readonly tls: () => Promise<TlsOptions>
  /** A connection to go inside of; without one, a TCP connection is opened first. */
  readonly through?: Socket | undefined
  /** What an earlier connection agreed upon, which saves both sides most of the work. */
  readonly session?: Buffer | undefined
  readonly onSession?: ((session: Buffer) => void) | undefined
  /** What is offered by ALPN (RFC 7301); HTTP/1.1 only if not given. */
  readonly protocols?: string[] | undefined
}

/**
 * A connection over TLS to the host of a URL, whose certificate is accepted.
 * @throws what the socket says, a CertificateFault, or the signal's reason
 */
export async function openTls(url: URL, options: OpenTlsOptions): Promise<TLSSocket> {
  const { through, session, onread, protocols = ['http/1.1'] } = options
  const [{ isIP }, { connect }, { secureContext, rejectUnauthorized }] = await Promise.all([
    import('node:net'),
    import('node:tls'),
    options.tls(),
  ])
  const { host, ...tcp } = tcpOptions(url)
  const socket = connect({
    ...(through === undefined
      ? { host, ...tcp, ...(onread === undefined ? {} : { onread }) }
      : { socket: through }),
    secureContext,
    rejectUnauthorized,
    // Node compares this, or else the host, with the names of the certificate.
    ...(isIP(host) === 0 ? { servername: host } : { host, servername: '' }),
    ALPNProtocols: protocols,
    ...(session === undefined ? {} : { session }),
  })
  options.onSocket?.(socket)
  // An alert does not end the connection by itself; undici would take the end that follows for the cause.
  socket.on('error', () => socket.destroy())
  // Node tells of sessions only once it has accepted the certificate.
  if (options.onSession !== undefined) socket.on('session', options.onSession)
  return verified(connected(socket, 'secureConnect', options.waiting), { socket, host })
}

/** Node closes a connection whose certificate it does not accept before anybody could ask what is wrong with it. */
async function verified<Connected>(
  connecting: Promise<Connected>,
  { socket, host }: { readonly socket: TLSSocket; readonly host: string },
): Promise<Connected> {
  let shown: DetailedPeerCertificate | undefined
  socket.prependOnceListener('secure', () => {
    shown = socket.getPeerCertificate(true)
  })
  try {
    return await connecting
  } catch (error) {
    if (shown === undefined || !(error instanceof Error && 'code' in error)) throw error
    throw new CertificateFault(String(error.code), host, chainOf(shown))
  }
}

/** A connection to a proxy. @throws DrayError that names the proxy, or the signal's reason */
export async function connectToProxy(
  proxy: HttpProxy,
  options: OpenOptions & Pick<OpenTlsOptions, 'tls'>,
): Promise<Socket> {
  const { url } = proxy
  try {
    return await (url.protocol === 'https:' ? openTls(url, options) : openTcp(url, options))
  } catch (error) {
    if (options.waiting.signal?.aborted) throw error
    throw proxyError(error, proxy)
  }
}

async function openTunnel(
  proxy: HttpProxy,
  url: URL,
  options: Pick<OpenTlsOptions, 'tls' | 'waiting'>,
): Promise<Socket> {
  const { digTunnel } = await import('./tunnel.ts')
  // A certificate that cannot be used needs no tunnel.
  await options.tls()
  return digTunnel(await connectToProxy(proxy, options), { proxy, url, waiting: options.waiting })
}

/** Registries may take minutes to answer an upload, which some routers take for the end of a silent connection. */
const keepAliveAfterMs = 60_000

function tcpOptions(url: URL) {
  return {
    // Without the brackets around an IPv6 address.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveAfterMs,
  }
}

function connected<Connected extends Socket>(
  socket: Connected,
  event: 'connect' | 'secureConnect',
  waiting: Waiting,
): Promise<Connected> {
  return onSocket(socket, waiting, ({ resolve }) => {
    const ready = () => resolve(socket)
    socket.once(event, ready)
    return () => socket.off(event, ready)
  })
}

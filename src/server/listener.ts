import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { DrayError } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'
import { type ServerLimits, withDefaults } from './limits.ts'
import { RunningRequests } from './running-requests.ts'
import { TlsFiles, type TlsOptions } from './tls.ts'

/** An address that is served. */
export interface Listener {
  /** `http://127.0.0.1:5000` or `https://…`, without a slash at the end. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** How much is going on. */
  readonly load: Load
  /** Reads certificates again where they have changed, for connections to come. @throws DrayError `USAGE`, `IO` */
  reload(): Promise<void>
  /** Takes no more requests, lets running ones end for a while, then cuts them. */
  close(): Promise<void>
}

/** How much is going on at one moment. */
export interface Load {
  readonly connections: number
  readonly requests: number
}

/** Where to listen, and how long `close` waits for running requests, in milliseconds. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly graceMs: number
  readonly tls?: TlsOptions | undefined
  readonly limits?: ServerLimits | undefined
}

const idleCheckMs = 20
/** Tokens with much in them are long. */
const maxHeaderBytes = 64 * 1024

/**
 * Serves HTTP/1.1 on an address.
 * @throws DrayError `IO` when the address is taken or not ours, `USAGE` or `IO` for certificates
 */
export async function listen(serve: RequestListener, options: ListenOptions): Promise<Listener> {
  const { host, port, graceMs } = options
  const limits = withDefaults(options.limits)
  const leastBytes = (limits.bytesPerSecond * limits.idleMs) / 1000
  const running = new RunningRequests({ periodMs: limits.idleMs, leastBytes })
  const track: RequestListener = (request, response) => {
    running.add(request, response)
    serve(request, response)
  }
  const { server, reload } = await createListener(track, options)
  // The listener decides when the body is wanted; see `Exchange.body`.
  server.on('checkContinue', track)
  server.setTimeout(limits.idleMs)
  server.maxConnections = limits.connections
  const connections = openSockets(server, 'connection')
  const ready = options.tls === undefined ? connections : openSockets(server, 'secureConnection')
  await bind(server, host, port)
  running.start()
  const address = server.address()
  const actualPort = typeof address === 'object' && address !== null ? address.port : port
  const urlHost = host.includes(':') ? `[${host}]` : host
  let closing: Promise<void> | undefined
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${urlHost}:${actualPort}`,
    host,
    port: actualPort,
    get load() {
      return { connections: connections.size, requests: running.size }
    },
    reload,
    close() {
      closing ??= close(server, { connections, ready, running, graceMs })
      return closing
    },
  }
}

interface CreatedServer {
  readonly server: Server
  reload(): Promise<void>
}

async function createListener(serve: RequestListener, options: ListenOptions): Promise<CreatedServer> {
  const { headersMs, keepAliveMs } = withDefaults(options.limits)
  const settings = {
    headersTimeout: headersMs,
    connectionsCheckingInterval: Math.min(headersMs, 5000),
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
    // It would bound the whole body, which a large blob may take any time for; see `RunningRequests`.
    requestTimeout: 0,
  }
  const { tls } = options
  if (tls === undefined)
    return {
      server: process.getBuiltinModule('node:http').createServer(settings, serve),
      reload: async () => {},
    }
  const files = await TlsFiles.watch(tls)
  const { createServer: createTlsServer } = await import('node:https')
  const requestCert = tls.clientCaFile !== undefined
  const server: TlsServer = createTlsServer(
    {
      ...settings,
      ...(await files.read()),
      handshakeTimeout: headersMs,
      requestCert,
      rejectUnauthorized: requestCert && tls.clientCertificates !== 'optional',
    },
    serve,
  )
  const reload = async () => {
    const changed = await files.readIfChanged()
    if (changed !== undefined) server.setSecureContext(changed)
  }
  return { server, reload }
}

async function bind(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    const reason = `cannot listen on ${host}:${port}: ${reasonOf(cause)}`
    const isTaken = systemCode(cause) === 'EADDRINUSE'
    throw new DrayError('IO', reason, { cause, ...(isTaken && { hint: 'port 0 takes one that is free' }) })
  }
}

/** Node's own list lacks those that are shaking hands, or have never asked for anything. */
function openSockets(server: Server, event: 'connection' | 'secureConnection'): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  server.on(event, (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}

interface Closing {
  /** Those too that are still shaking hands. */
  readonly connections: ReadonlySet<Socket>
  /** Those by which requests come. */
  readonly ready: ReadonlySet<Socket>
  readonly running: RunningRequests
  readonly graceMs: number
}

async function close(server: Server, { connections, ready, running, graceMs }: Closing): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const closeIdle = () => {
    const busy = running.sockets
    for (const socket of ready) if (!busy.has(socket)) socket.destroy()
  }
  closeIdle()
  const idle = setInterval(closeIdle, idleCheckMs)
  const cut = setTimeout(() => {
    for (const socket of connections) socket.destroy()
  }, graceMs)
  try {
    await closed
  } finally {
    clearInterval(idle)
    clearTimeout(cut)
    running.stop()
  }
}

function reasonOf(error: unknown): string {
  const code = systemCode(error)
  if (code === 'EADDRINUSE') return 'the address is in use'
  if (code === 'EADDRNOTAVAIL') return 'the address is not one of this machine'
  if (code === 'ENOTFOUND') return 'there is no such host'
  if (code === 'EACCES') return 'permission denied'
  return error instanceof Error ? error.message : String(error)
}

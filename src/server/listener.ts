import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { DrayError } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'

/** A running registry. */
export interface RegistryServer {
  /** `http://127.0.0.1:5000`, without a slash at the end. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Takes no more requests, lets running ones end for a while, then cuts them. */
  close(): Promise<void>
}

/** Where to listen, and how long `close` waits for running requests, in milliseconds. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly graceMs: number
}

const headersTimeoutMs = 30_000
const idleCheckMs = 20
const keepAliveMs = 60_000
/** A connection on which nothing moves for so long is cut; a long upload that moves is not. */
const idleTimeoutMs = 120_000

/**
 * Serves HTTP on an address.
 * @throws DrayError `IO` when the address is taken or not ours
 */
export async function listen(serve: RequestListener, options: ListenOptions): Promise<RegistryServer> {
  const { host, port, graceMs } = options
  // Node's requestTimeout bounds the whole body, which a large blob may take any time for.
  const timeouts = { headersTimeout: headersTimeoutMs, requestTimeout: 0, keepAliveTimeout: keepAliveMs }
  const server = createServer(timeouts, serve)
  server.setTimeout(idleTimeoutMs)
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new DrayError('IO', `cannot listen on ${host}:${port}: ${reasonOf(cause)}`, { cause })
  }
  const address = server.address()
  const actualPort = typeof address === 'object' && address !== null ? address.port : port
  const urlHost = host.includes(':') ? `[${host}]` : host
  let closing: Promise<void> | undefined
  return {
    url: `http://${urlHost}:${actualPort}`,
    host,
    port: actualPort,
    close() {
      closing ??= close(server, graceMs)
      return closing
    },
  }
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // A connection kept alive would hold the server open after its request has ended.
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs)
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  try {
    await closed
  } finally {
    clearInterval(idle)
    clearTimeout(cut)
  }
}

function reasonOf(error: unknown): string {
  const code = systemCode(error)
  if (code === 'EADDRINUSE') return 'the address is in use'
  if (code === 'EADDRNOTAVAIL') return 'the address is not one of this machine'
  if (code === 'EACCES') return 'permission denied'
  return error instanceof Error ? error.message : String(error)
}

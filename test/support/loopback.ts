import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A server on 127.0.0.1, on a port that was free. */
export interface LoopbackServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` or `https://…`, without a slash at the end. */
  readonly url: string
  /** `127.0.0.1:PORT`. */
  readonly host: string
  /** Ends all connections and the server; a second call does nothing. */
  stop(): Promise<void>
}

export interface LoopbackOptions {
  /** PEM texts; with them the server speaks HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** Starts an HTTP(S) server on a free port of 127.0.0.1. */
export async function startLoopback(
  listener: RequestListener,
  options: LoopbackOptions = {},
): Promise<LoopbackServer> {
  const server: Server =
    options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  Server as TlsServer,
} from 'node:tls'
import type { Chunks } from '../../../src/flow.ts'
import { type ConnectorOptions, createConnector } from '../../../src/http/connector.ts'
import type { HttpRequest, HttpResponse } from '../../../src/http/message.ts'
import { tlsOptions } from '../../../src/http/tls.ts'
import { createWire, type Wire, type WireOptions } from '../../../src/http/wire/wire.ts'

/** The server's end of one connection. It takes from the client no more than it is asked for. */
export class Peer {
  readonly socket: Socket
  /** Which connection it is, from 1. */
  readonly number: number
  readonly #gone: Promise<unknown>
  #rest: Buffer = Buffer.alloc(0)
  #wake: () => void = () => undefined

  constructor(socket: Socket, number: number) {
    this.socket = socket
    this.number = number
    this.#gone = new Promise(resolve => socket.on('close', resolve))
    socket.on('error', () => undefined)
    socket.on('data', bytes => {
      socket.pause()
      this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
      this.#wake()
    })
    for (const end of ['end', 'close']) socket.on(end, () => this.#wake())
    socket.pause()
  }

  /** Resolves when the connection is gone, however that comes. What still arrives is thrown away. */
  get closed(): Promise<unknown> {
    const { socket } = this
    socket.removeAllListeners('data').resume()
    if (socket.readableEnded) socket.end()
    else socket.on('end', () => socket.end())
    return this.#gone
  }

  /** The head of the next request, without its empty line. Rejects when the client sends no more. */
  async request(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end >= 0) {
        const head = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + 4)
        return head
      }
      await this.#more()
    }
  }

  /** So many bytes behind what was read. */
  async read(length: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (let left = length; left > 0; ) {
      if (this.#rest.length === 0) await this.#more()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  }

  /** The next request with the body that its Content-Length announces. */
  async whole(): Promise<{ readonly head: string; readonly body: Buffer }> {
    const head = await this.request()
    return { head, body: await this.read(Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0)) }
  }

  /** Resolves when the system has taken all of it, or the client is gone. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    await new Promise<unknown>(resolve => this.socket.write(all, resolve))
  }

  async #more(): Promise<void> {
    const known = this.#rest.length
    if (!this.socket.readableEnded && !this.socket.destroyed) {
      await new Promise<void>(wake => {
        this.#wake = wake
        this.socket.resume()
      })
    }
    if (this.#rest.length === known) throw new Error('the client sends no more')
  }
}

export interface RawServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly host: string
  /** Each connection that came, the oldest first. */
  readonly peers: readonly Peer[]
  /** Has TLS sessions sealed by other keys from now on; those that were given out are worth nothing any more. */
  forget(ticketKeys: Buffer): void
}

export interface RawServerOptions {
  readonly tls?: TlsOptions | undefined
  readonly host?: string | undefined
}

/** A server on loopback that gives each connection to `script`, byte for byte. A script may end where its client goes. */
export async function startRawServer(
  script: (peer: Peer) => unknown,
  { tls, host = '127.0.0.1' }: RawServerOptions = {},
): Promise<RawServer> {
  const peers: Peer[] = []
  const open = new Set<Socket>()
  const accept = (socket: Socket | TLSSocket) => {
    const peer = new Peer(socket, peers.length + 1)
    peers.push(peer)
    Promise.resolve(peer)
      .then(script)
      .catch(() => undefined)
  }
  const server =
    tls === undefined
      ? createServer({ noDelay: true, allowHalfOpen: true }, accept)
      : createTlsServer({ noDelay: true, ...tls }, accept)
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${port}`,
    host: `${name}:${port}`,
    peers,
    forget: keys => {
      if (server instanceof TlsServer) server.setTicketKeys(keys)
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** A wire beside a scripted server. */
export interface Meeting extends AsyncDisposable {
  readonly server: RawServer
  readonly wire: Wire
  ask(request?: Partial<HttpRequest> & { readonly path?: string }): Promise<HttpResponse>
}

export async function meet(
  script: (peer: Peer) => unknown,
  options: RawServerOptions & { readonly wire?: Partial<WireOptions & ConnectorOptions> } = {},
): Promise<Meeting> {
  const server = await startRawServer(script, options)
  const connect = createConnector({
    connectTimeoutMs: 5000,
    tls: () => tlsOptions({ insecure: true }),
    ...options.wire,
  })
  const wire = createWire({ connect, timeoutMs: 5000, uploadTimeoutMs: 5000, ...options.wire })
  return {
    server,
    wire,
    ask: ({ path = '/', ...request } = {}) =>
      wire.send({ method: 'GET', url: new URL(path, server.url), ...request }),
    async [Symbol.asyncDispose]() {
      wire.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** All of some content, as text. */
export async function text(chunks: Chunks): Promise<string> {
  return (await bytes(chunks)).toString('latin1')
}

/** All of some content. */
export async function bytes(chunks: Chunks): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of chunks) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** A promise, and what keeps it. */
export function gate<Value = void>(): {
  readonly open: (value: Value) => void
  readonly passed: Promise<Value>
} {
  let open: (value: Value) => void = () => undefined
  const passed = new Promise<Value>(resolve => {
    open = resolve
  })
  return { open, passed }
}

/** Bytes that differ from place to place, so that a piece in a wrong place shows. */
export function pattern(length: number, seed = 1): Buffer {
  const made = Buffer.allocUnsafe(length)
  let state = seed
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    made[at] = state >>> 24
  }
  return made
}

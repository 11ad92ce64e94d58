import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface ForwardProxyOptions {
  /** PEM texts; with them the proxy itself speaks TLS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** A proxy in this process, on a free port of 127.0.0.1. */
export interface ForwardProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` or `https://…`. */
  readonly url: string
  /** What was asked for: `CONNECT host:port`, or the method and the whole URL. */
  readonly asked: readonly string[]
  /** The login of each request, as it was sent. */
  readonly logins: readonly (string | undefined)[]
}

/** Starts a proxy that takes every name for one server on this machine. */
export async function startForwardProxy(
  target: string,
  { tls }: ForwardProxyOptions = {},
): Promise<ForwardProxy> {
  const { hostname, port } = new URL(target)
  const asked: string[] = []
  const logins: (string | undefined)[] = []
  const note = ({ method, url, headers }: IncomingMessage) => {
    asked.push(`${method} ${url}`)
    logins.push(headers['proxy-authorization'])
  }
  const answer: RequestListener = (request, response) => {
    note(request)
    const { pathname, search } = new URL(request.url ?? '')
    const { method, headers } = request
    const onward = forward({ hostname, port, path: pathname + search, method, headers }, answered => {
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
    })
    request.pipe(onward)
  }
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  const tunnels = new Set<Socket>()
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    note(request)
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) {
      tunnels.add(end)
      end.on('error', () => end.destroy())
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    logins,
    [Symbol.asyncDispose]: async () => {
      for (const end of tunnels) end.destroy()
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

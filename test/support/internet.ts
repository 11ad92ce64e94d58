import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { makeAuthority, readKeyPair } from './certificates.ts'
import { makeTempDir } from './temp-dir.ts'

/** Hosts of the world outside, played on this machine and reached by their own names, over TLS, through a proxy. */
export interface Internet extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for HTTPS_PROXY; it opens tunnels to the hosts and to nothing else. */
  readonly proxy: string
  /** The path of the certificate (PEM) of who vouches for the hosts. */
  readonly caFile: string
  /** `hub.docker.com GET /v2/…` of each request so far. */
  readonly lines: readonly string[]
}

/** Plays hosts by name: `await using internet = await startInternet({ 'hub.docker.com': (request, response) => … })`. */
export async function startInternet(hosts: Readonly<Record<string, RequestListener>>): Promise<Internet> {
  const folder = await makeTempDir()
  const authority = await makeAuthority(folder.path)
  const names = Object.keys(hosts).map(host => `${isIP(host) ? 'IP' : 'DNS'}:${host}`)
  const certificate = await readKeyPair(await authority.issue('hosts', { usage: 'server', names }))
  const lines: string[] = []
  const tls = createTlsServer(certificate, (request, response) => {
    const host = request.headers.host ?? ''
    lines.push(`${host} ${request.method} ${request.url}`)
    const listener = hosts[host]
    if (listener === undefined) response.writeHead(421).end()
    else listener(request, response)
  })
  const tunnels = new Set<Duplex>()
  const proxy = createServer((_, response) => response.writeHead(501).end())
  proxy.on('connect', (request, socket: Duplex) => {
    tunnels.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => tunnels.delete(socket))
    const [host = ''] = (request.url ?? '').split(':')
    if (hosts[host] === undefined) return socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    tls.emit('connection', socket)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caFile: authority.certificate,
    lines,
    async [Symbol.asyncDispose]() {
      const closed = once(proxy, 'close')
      proxy.close()
      for (const socket of tunnels) socket.destroy()
      proxy.closeAllConnections()
      tls.close()
      await closed
      await folder.remove()
    },
  }
}

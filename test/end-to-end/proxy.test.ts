import { once } from 'node:events'
import { createServer, request as forward, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const image = 'registry.example/hello:1.0'

interface Proxy extends AsyncDisposable {
  readonly url: string
  /** What was asked for: `CONNECT host:port`, or the method and the whole URL. */
  readonly asked: readonly string[]
}

/** A proxy that takes every name for one server on this machine. */
async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { pathname, search } = new URL(request.url ?? '')
    const { method, headers } = request
    const onward = forward({ hostname, port, path: pathname + search, method, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`)
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => end.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('through a proxy, dray', patience, () => {
  it('reaches a registry over TLS by a tunnel', async () => {
    await using folder = await makeTempDir()
    const authority = await makeAuthority(folder.path)
    const tls = await authority.issue('registry', { usage: 'server', names: ['DNS:registry.example'] })
    await using registry = await startDockerRegistry({ tls })
    await using proxy = await startProxy(registry.url)
    const env = { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: authority.certificate }
    await dray(['copy', hello, image], { env })
    expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
    expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT registry.example:443']))
  })

  it('reaches a registry over plain HTTP by requests for whole URLs', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startProxy(registry.url)
    const env = { http_proxy: proxy.url }
    await dray(['copy', '--to-plain-http', hello, image], { env })
    expect((await dray(['digest', '--plain-http', image], { env })).stdout).toBe(`${digest}\n`)
    expect(proxy.asked.at(-1)).toBe('HEAD http://registry.example/v2/hello/manifests/1.0')
  })

  it('does not send what is TLS through the proxy for plain HTTP', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startProxy(registry.url)
    await drayFails(5, ['digest', 'registry.invalid/hello:1.0'], { env: { HTTP_PROXY: proxy.url } })
    expect(proxy.asked).toEqual([])
  })

  it('leaves it out for hosts that NO_PROXY names, and on loopback', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startProxy(registry.url)
    const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '.invalid' }
    await dray(['copy', hello, `${registry.host}/hello:1.0`], { env })
    await drayFails(5, ['digest', 'registry.invalid/hello:1.0'], { env })
    expect(proxy.asked).toEqual([])
  })
})

import { describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const image = 'registry.example/hello:1.0'

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('through a proxy, dray', patience, () => {
  it('reaches a registry over TLS by a tunnel', async () => {
    await using folder = await makeTempDir()
    const authority = await makeAuthority(folder.path)
    const tls = await authority.issue('registry', { usage: 'server', names: ['DNS:registry.example'] })
    await using registry = await startDockerRegistry({ tls })
    await using proxy = await startForwardProxy(registry.url)
    const env = { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: authority.certificate }
    await dray(['copy', hello, image], { env })
    expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
    expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT registry.example:443']))
  })

  it('reaches a registry over plain HTTP by requests for whole URLs', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startForwardProxy(registry.url)
    const env = { http_proxy: proxy.url }
    await dray(['copy', '--to-plain-http', hello, image], { env })
    expect((await dray(['digest', '--plain-http', image], { env })).stdout).toBe(`${digest}\n`)
    expect(proxy.asked.at(-1)).toBe('HEAD http://registry.example/v2/hello/manifests/1.0')
  })

  it('does not send what is TLS through the proxy for plain HTTP', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startForwardProxy(registry.url)
    await drayFails(5, ['digest', 'registry.invalid/hello:1.0'], { env: { HTTP_PROXY: proxy.url } })
    expect(proxy.asked).toEqual([])
  })

  it('leaves it out for hosts that NO_PROXY names, and on loopback', async () => {
    await using registry = await startDockerRegistry()
    await using proxy = await startForwardProxy(registry.url)
    const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '.invalid' }
    await dray(['copy', hello, `${registry.host}/hello:1.0`], { env })
    await drayFails(5, ['digest', 'registry.invalid/hello:1.0'], { env })
    expect(proxy.asked).toEqual([])
  })
})

import { describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { freePort } from '../support/free-port.ts'
import { requirePeers } from '../support/peers.ts'
import { runDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { startTinyproxy } from '../support/tinyproxy.ts'
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

describe.skipIf(!requirePeers('docker-registry', 'openssl', 'tinyproxy'))(
  'through a real proxy, dray',
  patience,
  () => {
    /** To this system 0.0.0.0 is itself, but it is not the loopback that proxies are never asked for. */
    const beyondLoopback = (host: string) => host.replace('127.0.0.1', '0.0.0.0')
    const login = { user: 'ci', password: 'hush' }

    it('copies to a registry over TLS and back, with a login for the proxy', async () => {
      await using folder = await makeTempDir()
      const authority = await makeAuthority(folder.path)
      const tls = await authority.issue('registry', { usage: 'server', names: ['IP:0.0.0.0'] })
      await using registry = await startDockerRegistry({ tls })
      await using proxy = await startTinyproxy({ login })
      const host = beyondLoopback(registry.host)
      const env = { HTTPS_PROXY: `http://ci:hush@${proxy.host}`, SSL_CERT_FILE: authority.certificate }
      await dray(['copy', hello, `${host}/hello:1.0`], { env })
      const back = `oci:${folder.path}/back:1.0`
      const copied = await dray(['copy', `${host}/hello:1.0`, back, '--debug'], { env })
      expect((await dray(['digest', back])).stdout).toBe(`${digest}\n`)
      expect(copied.stderr).not.toMatch(/hush|aHVza|Y2k6/)
      expect(new Set(proxy.asked())).toEqual(new Set([`CONNECT ${host}`]))
    })

    it('copies to a registry over plain HTTP and back', async () => {
      await using folder = await makeTempDir()
      await using registry = await startDockerRegistry()
      await using proxy = await startTinyproxy()
      const host = beyondLoopback(registry.host)
      const env = { http_proxy: proxy.host }
      await dray(['copy', '--to-plain-http', hello, `${host}/hello:1.0`], { env })
      const back = `oci:${folder.path}/back:1.0`
      await dray(['copy', '--from-plain-http', `${host}/hello:1.0`, back], { env })
      expect((await dray(['digest', back])).stdout).toBe(`${digest}\n`)
      expect(proxy.asked().every(line => line.includes(` http://${host}/v2/`))).toBe(true)
    })

    it('leaves it out for networks that NO_PROXY names', async () => {
      await using registry = await startDockerRegistry()
      await using proxy = await startTinyproxy()
      const host = beyondLoopback(registry.host)
      const env = { HTTP_PROXY: proxy.host, NO_PROXY: 'registry.example,0.0.0.0/8' }
      await dray(['copy', '--to-plain-http', hello, `${host}/hello:1.0`], { env })
      expect(proxy.asked()).toEqual([])
    })

    it('says what a proxy wants, without its secrets', async () => {
      await using proxy = await startTinyproxy({ login })
      const ask = (HTTPS_PROXY: string) => drayFails(5, ['digest', image], { env: { HTTPS_PROXY } })
      expect(await ask(proxy.host)).toMatch(
        /the proxy 127\.0\.0\.1:\d+ \(HTTPS_PROXY\) asks for a user and a password \(407\)\nhint: .* HTTPS_PROXY, in front of the host/,
      )
      const wrong = await ask(`http://ci:hushed@${proxy.host}`)
      expect(wrong).toMatch(/does not accept the user and the password in its URL\nhint: /)
      const debugged = await runDray(['digest', '--debug', image], {
        env: { HTTPS_PROXY: `http://ci:hushed@${proxy.host}` },
      })
      expect(`${wrong}${debugged.stderr}`).not.toMatch(/hushed|aHVza|Y2k6/)
      const senseless = { HTTPS_PROXY: 'ftp://ci:hushed@host' }
      expect(await drayFails(2, ['digest', image], { env: senseless })).toBe(
        'dray: HTTPS_PROXY is not the URL of an HTTP proxy\nhint: for example http://host:3128\n',
      )
      const excepted = { HTTPS_PROXY: proxy.host, NO_PROXY: '10.0.0.0/33' }
      expect(await drayFails(2, ['digest', image], { env: excepted })).toContain(
        'NO_PROXY holds "10.0.0.0/33"',
      )
    })

    it('says that it is the proxy that is not there', async () => {
      const env = { HTTPS_PROXY: `http://127.0.0.1:${await freePort()}` }
      expect(await drayFails(5, ['digest', image], { env })).toMatch(
        /cannot reach the proxy 127\.0\.0\.1:\d+ \(HTTPS_PROXY\): connection refused\nhint: check HTTPS_PROXY/,
      )
    })
  },
)

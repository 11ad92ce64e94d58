import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority, makeSelfSigned } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startNginx } from '../support/nginx.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('over TLS, dray', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let authority: Authority
  let registry: DockerRegistry

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    authority = await makeAuthority(folder.path)
    const tls = await authority.issue('registry', { usage: 'server' })
    registry = opened.use(await startDockerRegistry({ tls }))
    await dray(['copy', '--ca-file', authority.certificate, hello, `${registry.host}/hello:1.0`])
  })
  afterAll(() => opened.disposeAsync())

  it('trusts a private CA that is named for one end, by a flag or by the environment', async () => {
    await using plain = await startDockerRegistry()
    const ca = ['--from-ca-file', authority.certificate]
    const copied = await dray(['copy', ...ca, `${registry.host}/hello:1.0`, `${plain.host}/hello:1.0`])
    expect(copied.stdout).toBe(`${plain.host}/hello:1.0@${digest}\n`)
    for (const name of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
      const options = { env: { [name]: authority.certificate } }
      const { stdout } = await dray(['digest', '--no-plain-http', `${registry.host}/hello:1.0`], options)
      expect(stdout).toBe(`${digest}\n`)
    }
  })

  it('refuses a certificate of a CA that it was not told of, and says what to do', async () => {
    const said = await drayFails(5, ['digest', '--no-plain-http', `${registry.host}/hello:1.0`])
    expect(said).toMatch(/unknown authority, "CN=dray test authority"\nhint: .*--ca-file/)
  })

  it('accepts any certificate when it is told to', async () => {
    const { stdout } = await dray(['digest', '--insecure', `${registry.host}/hello:1.0`])
    expect(stdout).toBe(`${digest}\n`)
  })

  it('refuses a certificate for another name', async () => {
    const tls = await authority.issue('elsewhere', { usage: 'server', names: ['DNS:registry.example'] })
    await using elsewhere = await startDockerRegistry({ tls })
    const args = ['ls', '--ca-file', authority.certificate, `${elsewhere.host}/hello`]
    expect(await drayFails(5, args)).toMatch(
      /its certificate is for another name: "registry\.example", not "127\.0\.0\.1"\nhint: .*--insecure/,
    )
  })

  it('refuses a file of CAs that holds something else', async () => {
    const { key } = await authority.issue('mistaken', { usage: 'client' })
    expect(await drayFails(2, ['ls', '--ca-file', key, `${registry.host}/hello`])).toContain(
      `${key} holds no certificate in PEM form`,
    )
  })

  it('says it when the other side does not speak TLS', async () => {
    await using plain = await startDockerRegistry()
    const said = await drayFails(5, ['ls', '--no-plain-http', `${plain.host}/hello`])
    expect(said).toMatch(/it does not speak TLS\nhint: .*--plain-http/)
  })

  it('shows its own certificate where one is wanted', async () => {
    const tls = await authority.issue('strict', { usage: 'server' })
    const client = await authority.issue('client', { usage: 'client' })
    await using strict = await startDockerRegistry({
      tls: { ...tls, clientAuthority: authority.certificate },
    })
    const ca = ['--ca-file', authority.certificate]
    const said = await drayFails(5, ['catalog', ...ca, strict.host])
    expect(said).toMatch(/client certificate, or that there is none\nhint: .*--cert-file and --key-file/)
    await drayFails(2, ['catalog', ...ca, '--cert-file', client.certificate, strict.host])
    const mixed = ['--cert-file', client.certificate, '--key-file', tls.key]
    expect(await drayFails(2, ['catalog', ...ca, ...mixed, strict.host])).toContain(
      'the key of the client certificate is that of another certificate',
    )
    await dray(['catalog', ...ca, '--cert-file', client.certificate, '--key-file', client.key, strict.host])
  })
})

describe.skipIf(!requirePeers('docker-registry', 'nginx', 'openssl'))('behind nginx, dray', patience, () => {
  it('shows its own certificate, or says that one is wanted', async () => {
    await using folder = await makeTempDir()
    const authority = await makeAuthority(folder.path)
    const tls = await authority.issue('nginx', { usage: 'server' })
    const client = await authority.issue('client', { usage: 'client' })
    await using registry = await startDockerRegistry()
    for (const protocols of [['TLSv1.2'], ['TLSv1.3']]) {
      await using nginx = await startNginx({
        upstream: registry.url,
        tls,
        clientAuthority: authority.certificate,
        protocols,
      })
      const image = `${nginx.host}/hello:1.0`
      const ca = ['--ca-file', authority.certificate]
      const own = ['--cert-file', client.certificate, '--key-file', client.key]
      await dray(['copy', ...[...ca, ...own].map(each => each.replace(/^--/, '--to-')), hello, image])
      expect((await dray(['digest', ...ca, ...own, image])).stdout).toBe(`${digest}\n`)
      for (const args of [
        ['digest', image],
        ['ls', `${nginx.host}/hello`],
      ]) {
        const said = await drayFails(5, [...args, ...ca])
        expect(said).toMatch(/^dray: [^\n]*it wants a client certificate\nhint: .*--cert-file and --key-file/)
      }
      const stranger = await makeSelfSigned(folder.path, 'stranger')
      const strange = ['--cert-file', stranger.certificate, '--key-file', stranger.key]
      expect(await drayFails(5, ['digest', ...ca, ...strange, image])).toContain(
        'does not accept the client cert',
      )
    }
  })

  it('says it when TLS is spoken where plain HTTP was asked for', async () => {
    await using folder = await makeTempDir()
    const authority = await makeAuthority(folder.path)
    const tls = await authority.issue('server', { usage: 'server' })
    await using registry = await startDockerRegistry({ tls })
    await using nginx = await startNginx({ upstream: registry.url, tls })
    for (const host of [nginx.host, registry.host]) {
      expect(await drayFails(5, ['digest', `${host}/hello:1.0`])).toMatch(
        /it speaks TLS, and was asked in plain HTTP\nhint: leave out --plain-http/,
      )
    }
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
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
    expect(said).toMatch(/unknown authority\nhint: .*--ca-file/)
  })

  it('accepts any certificate when it is told to', async () => {
    const { stdout } = await dray(['digest', '--insecure', `${registry.host}/hello:1.0`])
    expect(stdout).toBe(`${digest}\n`)
  })

  it('refuses a certificate for another name', async () => {
    const tls = await authority.issue('elsewhere', { usage: 'server', names: ['DNS:registry.example'] })
    await using elsewhere = await startDockerRegistry({ tls })
    const args = ['ls', '--ca-file', authority.certificate, `${elsewhere.host}/hello`]
    expect(await drayFails(5, args)).toContain('its certificate is for another name')
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
    await drayFails(5, ['catalog', ...ca, '--retries', '0', strict.host])
    await drayFails(2, ['catalog', ...ca, '--cert-file', client.certificate, strict.host])
    await dray(['catalog', ...ca, '--cert-file', client.certificate, '--key-file', client.key, strict.host])
  })
})

import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('a certs.d folder', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let authority: Authority
  let registry: DockerRegistry
  let image = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    authority = await makeAuthority(folder.path)
    const tls = await authority.issue('registry', { usage: 'server' })
    const clientAuthority = authority.certificate
    registry = opened.use(await startDockerRegistry({ tls: { ...tls, clientAuthority } }))
    image = `${registry.host}/hello:1.0`
  })
  afterAll(() => opened.disposeAsync())

  /** A home folder with certificates for the registry. */
  async function home(certs: string): Promise<{ readonly HOME: string; readonly folder: string }> {
    const HOME = join(folder.path, certs.replaceAll('/', '-'))
    const host = join(HOME, certs, registry.host)
    await mkdir(host, { recursive: true })
    const client = await authority.issue('client', { usage: 'client' })
    await copyFile(authority.certificate, join(host, 'ca.crt'))
    await copyFile(client.certificate, join(host, 'client.cert'))
    await copyFile(client.key, join(host, 'client.key'))
    return { HOME, folder: host }
  }

  it.each(['.docker/certs.d', '.config/containers/certs.d'])(
    'in ~/%s brings the CA and the client certificate that a registry wants',
    async certs => {
      const { HOME } = await home(certs)
      await dray(['copy', hello, image], { env: { HOME } })
      expect((await dray(['digest', image], { env: { HOME } })).stdout).toBe(`${digest}\n`)
    },
  )

  it('is for its host alone', async () => {
    const { HOME, folder: host } = await home('.docker/certs.d')
    const elsewhere = `localhost:${registry.host.split(':').at(-1)}/hello:1.0`
    const said = await drayFails(5, ['digest', '--no-plain-http', elsewhere], { env: { HOME } })
    expect(said).toContain('unknown authority')
    await rm(join(host, 'client.key'))
    expect(await drayFails(2, ['digest', image], { env: { HOME } })).toContain(
      `${join(host, 'client.cert')} needs client.key beside it`,
    )
  })

  it('comes behind the flags', async () => {
    const { HOME } = await home('.docker/certs.d')
    const stranger = await makeAuthority(opened.use(await makeTempDir()).path)
    const { certificate, key } = await stranger.issue('stranger', { usage: 'client' })
    const flags = ['--cert-file', certificate, '--key-file', key]
    await drayFails(5, ['digest', '--retries', '0', ...flags, image], { env: { HOME } })
  })
})

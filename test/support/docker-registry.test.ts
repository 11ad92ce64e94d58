import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { type Authority, makeAuthority, readKeyPair } from './certificates.ts'
import { type DockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { type FixtureLayout, fixtureDescriptor, fixturePath } from './fixtures.ts'
import { requirePeers } from './peers.ts'
import { run } from './run.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import { startTokenService, type TokenService } from './token-service.ts'

let folder: TempDir
let authority: Authority

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('docker-registry in tests', () => {
  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
  })
  afterAll(() => folder.remove())

  it('answers anybody when it has no auth, and logs the request', async () => {
    await using registry = await startDockerRegistry()
    expect((await fetch(`${registry.url}/v2/`)).status).toBe(200)
    await expect
      .poll(() => registry.accessLog())
      .toEqual([expect.stringContaining('"GET /v2/ HTTP/1.1" 200')])
  })

  it('is gone after its end', async () => {
    const registry = await startDockerRegistry()
    await registry.stop()
    await expect(fetch(`${registry.url}/v2/`)).rejects.toThrow('fetch failed')
  })

  it('lets in those whose passwords it was given', async () => {
    await using registry = await startDockerRegistry({ auth: { htpasswd: { anna: 's3cret:$' } } })
    const ask = (password: string) =>
      fetch(`${registry.url}/v2/`, {
        headers: { authorization: `Basic ${Buffer.from(`anna:${password}`).toString('base64')}` },
      })
    expect((await fetch(`${registry.url}/v2/`)).headers.get('www-authenticate')).toMatch(/^Basic realm=/)
    expect((await ask('wrong')).status).toBe(401)
    expect((await ask('s3cret:$')).status).toBe(200)
  })

  it('speaks HTTPS with a certificate of the private authority', async () => {
    const tls = await authority.issue('registry', { usage: 'server' })
    await using registry = await startDockerRegistry({ tls })
    await expect(getHttps(`${registry.url}/v2/`)).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
    const ca = await readFile(authority.certificate)
    expect(await getHttps(`${registry.url}/v2/`, { ca })).toMatchObject({ status: 200 })
  })

  it('wants a client certificate where it is told so', async () => {
    const tls = await authority.issue('strict', { usage: 'server' })
    await using registry = await startDockerRegistry({
      tls: { ...tls, clientAuthority: authority.certificate },
    })
    const ca = await readFile(authority.certificate)
    await expect(getHttps(`${registry.url}/v2/`, { ca })).rejects.toThrow()
    const pair = await readKeyPair(await authority.issue('client', { usage: 'client' }))
    expect(await getHttps(`${registry.url}/v2/`, { ca, ...pair })).toMatchObject({ status: 200 })
  })

  it('takes the tokens that the token service signs, for what they allow', async () => {
    await using service = await startTokenService({ authority, users: { anna: 'pass' } })
    await using registry = await startDockerRegistry({ auth: { token: service.token } })
    const tags = `${registry.url}/v2/team/app/tags/list`
    const challenge = (await fetch(tags)).headers.get('www-authenticate')
    expect(challenge).toContain(`realm="${service.token.realm}",service="${service.token.service}"`)
    expect(challenge).toContain('scope="repository:team/app:pull"')
    const token = await getToken(service, 'repository:team/app:pull')
    expect((await fetch(tags, { headers: { authorization: `Bearer ${token}` } })).status).toBe(404)
    const start = await fetch(`${registry.url}/v2/team/app/blobs/uploads/`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    })
    expect(start.status).toBe(401)
    expect(start.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
  })

  it('refuses a token that has expired', async () => {
    await using service = await startTokenService({ authority, users: {}, settings: { lifetime: -120 } })
    await using registry = await startDockerRegistry({ auth: { token: service.token } })
    const token = await getToken(service, 'repository:app:pull')
    const reply = await fetch(`${registry.url}/v2/app/tags/list`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(reply.status).toBe(401)
    expect(reply.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })
})

describe.skipIf(!requirePeers('crane', 'docker-registry', 'oras', 'skopeo'))(
  'docker-registry and its peers',
  () => {
    it('holds fixtures/hello under its own digest after skopeo copied it in', async () => {
      await using registry = await startDockerRegistry()
      const places = [`oci:${fixturePath('hello')}:1.0`, `docker://${registry.host}/hello:1.0`]
      const args = ['--insecure-policy', 'copy', '--all', '--dest-tls-verify=false', ...places]
      expect(await run('skopeo', args)).toMatchObject({ code: 0 })
      await expectFixture(registry, 'hello')
    })

    it('holds fixtures/hello-docker under its own digest after oras copied it in', async () => {
      await using registry = await startDockerRegistry()
      const places = [`${fixturePath('hello-docker')}:1.0`, `${registry.host}/hello:1.0`]
      expect(await run('oras', ['copy', '--from-oci-layout', '--to-plain-http', ...places])).toMatchObject({
        code: 0,
      })
      await expectFixture(registry, 'hello-docker')
    })
  },
)

/** Asks by plain fetch and by crane, which reads registries on loopback by HTTP. */
async function expectFixture(registry: DockerRegistry, layout: FixtureLayout): Promise<void> {
  const { digest, mediaType } = fixtureDescriptor(layout, '1.0')
  const reply = await fetch(`${registry.url}/v2/hello/manifests/1.0`, { headers: { accept: mediaType } })
  expect(digestOf(await reply.bytes())).toBe(digest)
  expect(reply.headers.get('content-type')).toBe(mediaType)
  const read = await run('crane', ['digest', `${registry.host}/hello:1.0`])
  expect(read).toMatchObject({ code: 0, stdout: `${digest}\n` })
}

async function getToken(service: TokenService, scope: string): Promise<string> {
  const query = new URLSearchParams({ service: service.token.service, scope })
  const reply = await fetch(`${service.token.realm}?${query}`)
  return ((await reply.json()) as { token: string }).token
}

function getHttps(
  url: string,
  options: { ca?: Buffer; cert?: string; key?: string } = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ...options, agent: false }, reply => {
      text(reply).then(body => resolve({ status: reply.statusCode, body }), reject)
    })
      .on('error', reject)
      .end()
  })
}

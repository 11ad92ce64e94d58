import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createTransport } from '../../../src/http/send.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { Registry } from '../../../src/registry/registry.ts'
import { copyImage } from '../../../src/transfer/copy.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { type SampleBlob, sampleBlob, sampleImage, sampleManifest } from '../../support/sample-image.ts'
import { mirrorOf, openBlob, startUpstream } from './site.ts'

const users = { check: async (name: string, word: string) => word === `${name}s word` }
const basic = (name: string) => ({
  Authorization: `Basic ${Buffer.from(`${name}:${name}s word`).toString('base64')}`,
})

/** Puts a manifest into a repository that does not have the blob which it names. */
async function putLure(registry: EmbeddedRegistry, repository: string, { descriptor }: SampleBlob) {
  const config = sampleBlob('{}', mediaTypes.ociConfig)
  await registry.putBlob(repository, config)
  const about = { schemaVersion: 2, mediaType: mediaTypes.ociManifest }
  const lure = sampleManifest({ ...about, config: config.descriptor, layers: [descriptor] })
  const headers = { 'Content-Type': lure.mediaType }
  const path = `/v2/${repository}/manifests/v1`
  expect((await registry.ask('PUT', path, { headers, body: lure.bytes })).status).toBe(201)
}

describe('who may read one repository gets nothing of another', () => {
  it('that is half way here, because a manifest names it', async () => {
    const secret = sampleBlob(
      Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8) * 17) % 256)),
    )
    const { digest } = secret.descriptor
    await using upstream = await startUpstream()
    await upstream.registry.putBlob('corp/private', secret)
    await putLure(upstream.registry, 'lures/public', secret)
    const half = secret.bytes.length / 2
    let letGo = () => {}
    upstream.answer = ({ method, url }, response) => {
      if (method !== 'GET' || url !== `/v2/corp/private/blobs/${digest}`) return false
      response.writeHead(200, { 'Content-Length': secret.bytes.length }).write(secret.bytes.subarray(0, half))
      letGo = () => response.end(secret.bytes.subarray(half))
      return true
    }
    const access = {
      rules: [
        { repositories: ['docker.io/corp/**'], allow: ['pull' as const], users: ['ann'] },
        { repositories: ['docker.io/lures/**'], allow: ['pull' as const], users: ['mallory'] },
      ],
    }
    const auth = { kind: 'basic' as const, users }
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)], access, auth })
    const hers = await openBlob(site, `/v2/docker.io/corp/private/blobs/${digest}`, basic('ann'))
    const path = '/v2/docker.io/lures/public'
    const headers = basic('mallory')
    expect((await site.ask('GET', `${path}/manifests/v1`, { headers })).status).toBe(200)
    expect(await site.ask('GET', `${path}/blobs/${digest}`, { headers })).toMatchObject({
      status: 404,
      codes: ['BLOB_UNKNOWN'],
    })
    letGo()
    expect((await buffer(hers)).equals(secret.bytes)).toBe(true)
  })

  it('that is here whole, because a manifest names it', async () => {
    const secret = sampleBlob('of another repository')
    await using upstream = await startUpstream()
    await putLure(upstream.registry, 'library/lure', secret)
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    await site.putBlob('team/private', secret)
    expect((await site.ask('GET', '/v2/docker.io/library/lure/manifests/v1')).status).toBe(200)
    const path = `/v2/docker.io/library/lure/blobs/${secret.descriptor.digest}`
    expect(await site.ask('GET', path)).toMatchObject({ status: 404, codes: ['BLOB_UNKNOWN'] })
  })

  it('nor what login we have at the upstream', async () => {
    const auth = { kind: 'basic' as const, users: { check: async () => false } }
    await using upstream = await startUpstream({ auth })
    const login = {
      kind: 'basic',
      username: 'operator',
      password: 'word',
      origin: '/home/op',
      source: 'x',
    } as const
    const mirror = mirrorOf(upstream, { findCredential: async () => login })
    const warnings: string[] = []
    await using site = await startEmbeddedRegistry({
      mirrors: [mirror],
      onWarning: text => warnings.push(text),
    })
    const { status, body } = await site.ask('GET', '/v2/docker.io/library/x/manifests/v1')
    expect(status).toBe(403)
    expect(String(body)).not.toContain('operator')
    expect(warnings.join()).toContain('operator')
  })
})

it.each(['v1', 'v2'])(
  'a copy to the short name of an image that the upstream has is a whole copy: %s',
  async tag => {
    await using upstream = await startUpstream()
    const image = sampleImage('alpine')
    await upstream.registry.putImage('library/alpine', image, 'v1')
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const transport = createTransport()
    const at = (registry: string) =>
      new Registry({ registry, send: transport.send, plainHttp: true }).repository('library/alpine')
    await copyImage({ source: at(upstream.host), destination: at(site.host), from: 'v1', tags: [tag] })
    await transport.close()
    await upstream.stop()
    expect((await site.ask('GET', `/v2/library/alpine/manifests/${tag}`)).body).toEqual(
      Buffer.from(image.manifest.bytes),
    )
    const layer = await site.ask('GET', `/v2/library/alpine/blobs/${image.layer.descriptor.digest}`)
    expect(layer.body).toEqual(image.layer.bytes)
  },
)

it('a repository that is redirected in circles does not take the others away', async () => {
  await using upstream = await startUpstream()
  await upstream.registry.putImage('library/ok', sampleImage('ok'), 'v1')
  upstream.answer = ({ url }, response) => {
    if (!url?.startsWith('/v2/made/up')) return false
    response.writeHead(302, { Location: url }).end()
    return true
  }
  await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
  expect((await site.ask('GET', '/v2/docker.io/made/up/manifests/v1')).status).toBe(502)
  expect((await site.ask('GET', '/v2/docker.io/library/ok/manifests/v1')).status).toBe(200)
})

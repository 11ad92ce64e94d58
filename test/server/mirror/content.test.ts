import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleImage, sampleIndex } from '../../support/sample-image.ts'
import { mirrorOf, startUpstream, type UpstreamSite } from './site.ts'

const image = sampleImage('mirrored')
const { digest } = image.manifest
const manifestPath = '/v2/library/alpine/manifests'
const mirroredPath = '/v2/docker.io/library/alpine/manifests'

/** A clock that stands still until a test moves it. */
function handClock() {
  const clock = Object.assign(() => clock.time, { time: Date.now() })
  return clock
}

async function startSite(): Promise<UpstreamSite> {
  const upstream = await startUpstream()
  await upstream.registry.putImage('library/alpine', image, '3.20')
  return upstream
}

describe('a mirrored image', () => {
  it('is fetched when it is asked for first, and then given out from here', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    for (const _ of [1, 2]) {
      const got = await site.ask('GET', `${mirroredPath}/3.20`)
      expect(got).toMatchObject({ status: 200, body: Buffer.from(image.manifest.bytes) })
      expect(got.headers).toMatchObject({
        'content-type': image.manifest.mediaType,
        'docker-content-digest': digest,
      })
      for (const { descriptor, bytes } of [image.config, image.layer]) {
        const blob = await site.ask('GET', `/v2/docker.io/library/alpine/blobs/${descriptor.digest}`)
        expect(blob).toMatchObject({ status: 200, body: bytes })
      }
    }
    expect(upstream.lines).toEqual([
      `HEAD ${manifestPath}/3.20`,
      `GET ${manifestPath}/${digest}`,
      `GET /v2/library/alpine/blobs/${image.config.descriptor.digest}`,
      `GET /v2/library/alpine/blobs/${image.layer.descriptor.digest}`,
    ])
    const layout = await openLayout(join(site.dir, 'docker.io/library/alpine'))
    expect((await layout.resolve('3.20')).digest).toBe(digest)
    await expect.poll(() => layout.hasBlob(image.layer.descriptor)).toBe(true)
  })

  it.each([
    ['the name in full', '/v2/docker.io/library/alpine', ''],
    ['the name in full, without library', '/v2/docker.io/alpine', ''],
    ["containerd's namespace", '/v2/library/alpine', '?ns=docker.io'],
    ["docker's way, without a registry", '/v2/library/alpine', ''],
    ["docker's way, without library", '/v2/alpine', ''],
  ])('goes by %s', async (_, path, query) => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    expect(await site.ask('GET', `${path}/manifests/3.20${query}`)).toMatchObject({ status: 200 })
    const tags = await site.ask('GET', `${path}/tags/list${query}`)
    expect(tags.json()).toEqual({ name: path.replace('/v2/', ''), tags: ['3.20'] })
    const blob = await site.ask('GET', `${path}/blobs/${image.layer.descriptor.digest}${query}`)
    expect(blob.body).toEqual(image.layer.bytes)
  })

  it.each([
    ['fetched', 0],
    ['here already', 1],
  ])(
    'keeps the tag that it was looked for by, as docker does, and is then %s by its digest',
    async (_, before) => {
      const clock = handClock()
      await using upstream = await startSite()
      await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)], clock })
      for (let asked = 0; asked < before; asked += 1)
        await site.ask('GET', `${manifestPath}/${digest}?ns=docker.io`)
      await site.ask('HEAD', `${manifestPath}/3.20?ns=docker.io`)
      await site.ask('GET', `${manifestPath}/${digest}?ns=docker.io`)
      await upstream.stop()
      clock.time += 3600_000
      const found = await site.ask('HEAD', `${manifestPath}/3.20?ns=docker.io`)
      expect(found).toMatchObject({ status: 200, headers: { 'docker-content-digest': digest } })
      expect(found.headers.warning).toBe('110 - "Response is Stale"')
    },
  )

  it('that a tag has left is not what the tag stands for again, when a slow client asks for it', async () => {
    const clock = handClock()
    const young = sampleImage('younger')
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)], clock })
    await site.ask('HEAD', `${mirroredPath}/3.20`)
    clock.time += 40_000
    await upstream.registry.putImage('library/alpine', young, '3.20')
    expect((await site.ask('GET', `${mirroredPath}/3.20`)).body).toEqual(Buffer.from(young.manifest.bytes))
    expect((await site.ask('GET', `${mirroredPath}/${digest}`)).status).toBe(200)
    await upstream.stop()
    clock.time += 40_000
    const stale = await site.ask('GET', `${mirroredPath}/3.20`)
    expect(stale.headers['docker-content-digest']).toBe(young.manifest.digest)
  })

  it('of another registry than Docker Hub is never meant by a name without it', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { name: 'ghcr.io' })] })
    expect(await site.ask('GET', `${manifestPath}/3.20`)).toMatchObject({
      status: 404,
      codes: ['NAME_UNKNOWN'],
    })
    expect(upstream.lines).toEqual([])
    expect((await site.ask('GET', `${manifestPath}/3.20?ns=ghcr.io`)).status).toBe(200)
  })

  it('never takes the place of one of our own of the same name', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const own = sampleImage('our own')
    expect((await site.putImage('library/alpine', own, 'v1')).status).toBe(201)
    expect((await site.ask('GET', `${manifestPath}/v1`)).headers['docker-content-digest']).toBe(
      own.manifest.digest,
    )
    expect((await site.ask('GET', `${manifestPath}/3.20`)).status).toBe(404)
    expect((await site.ask('GET', `${mirroredPath}/3.20`)).status).toBe(200)
    expect(upstream.lines).not.toContain(`HEAD ${manifestPath}/v1`)
  })

  it('does not keep who pushes one of the same name from sending its blobs', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const path = `/v2/library/alpine/blobs/${image.layer.descriptor.digest}`
    expect((await site.ask('HEAD', path)).status).toBe(404)
    expect((await site.putImage('library/alpine', image, 'own')).status).toBe(201)
    expect((await site.ask('HEAD', path)).status).toBe(200)
    expect(upstream.lines).toEqual([])
  })

  it('cannot be written to, in any way, while what is ours can', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const writes: readonly [string, string][] = [
      ['POST', '/v2/docker.io/library/alpine/blobs/uploads/'],
      ['PUT', `${mirroredPath}/x`],
      ['DELETE', `${mirroredPath}/3.20`],
      ['PUT', `${manifestPath}/x?ns=docker.io`],
    ]
    for (const [method, path] of writes) {
      const refused = await site.ask(method, path)
      expect(refused).toMatchObject({ status: 405, codes: ['UNSUPPORTED'] })
      expect(`${refused.body}`).toContain(
        'docker.io/library/alpine, a mirror of another registry, is read-only',
      )
    }
    expect((await site.putImage('team/app', image, 'v1')).status).toBe(201)
    expect(upstream.lines).toEqual([])
  })

  it('is asked for by HEAD without a manifest or blob being fetched', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const head = await site.ask('HEAD', `${mirroredPath}/3.20`)
    expect(head.headers).toMatchObject({
      'docker-content-digest': digest,
      'content-length': `${image.manifest.bytes.length}`,
      'content-type': image.manifest.mediaType,
    })
    expect((await site.ask('HEAD', `${mirroredPath}/${digest}`)).status).toBe(200)
    const blob = await site.ask('HEAD', `/v2/docker.io/library/alpine/blobs/${image.layer.descriptor.digest}`)
    expect(blob.headers['content-length']).toBe(`${image.layer.bytes.length}`)
    expect(upstream.lines.filter(line => !line.startsWith('HEAD'))).toEqual([])
    expect(upstream.lines).toHaveLength(3)
  })

  it.each([
    [`manifests/none`, 'MANIFEST_UNKNOWN'],
    [`manifests/${digestOf('none')}`, 'MANIFEST_UNKNOWN'],
    [`blobs/${digestOf('none')}`, 'BLOB_UNKNOWN'],
  ])('that the upstream does not have is not here either: %s', async (path, code) => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const got = await site.ask('GET', `/v2/docker.io/library/alpine/${path}`)
    expect(got).toMatchObject({ status: 404, codes: [code] })
    expect((await site.ask('HEAD', `/v2/docker.io/library/alpine/${path}`)).status).toBe(404)
    await expect(openLayout(join(site.dir, 'docker.io/library/alpine'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('is listed in the catalog once there is something of it', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    await site.ask('HEAD', `${mirroredPath}/3.20`)
    expect((await site.ask('GET', '/v2/_catalog')).json()).toEqual({ repositories: [] })
    await site.ask('GET', `${mirroredPath}/3.20`)
    expect((await site.ask('GET', '/v2/_catalog')).json()).toEqual({
      repositories: ['docker.io/library/alpine'],
    })
  })

  it('that is an index is fetched platform by platform, as they are asked for', async () => {
    await using upstream = await startSite()
    const other = sampleImage('other platform')
    await upstream.registry.putImage('library/alpine', other, other.manifest.digest)
    const index = sampleIndex([image.manifest, other.manifest])
    const headers = { 'Content-Type': index.mediaType }
    await upstream.registry.ask('PUT', `${manifestPath}/multi`, { headers, body: index.bytes })
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    for (const reference of ['multi', digest, digest]) await site.ask('GET', `${mirroredPath}/${reference}`)
    expect(upstream.lines).toEqual([
      `HEAD ${manifestPath}/multi`,
      `GET ${manifestPath}/${index.digest}`,
      `GET ${manifestPath}/${digest}`,
    ])
  })

  it('takes a blob that another repository here has, once the upstream says that it has it too', async () => {
    await using upstream = await startSite()
    await upstream.registry.putImage('library/other', image, 'v1')
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const { bytes, descriptor } = image.layer
    const path = (name: string) => `/v2/docker.io/library/${name}/blobs/${descriptor.digest}`
    await site.putBlob('own/app', image.layer)
    expect((await site.ask('GET', path('other'))).body).toEqual(bytes)
    expect((await site.ask('GET', path('none'))).codes).toEqual(['BLOB_UNKNOWN'])
    expect(upstream.lines).toEqual([
      `HEAD ${path('other').replace('docker.io/', '')}`,
      `HEAD ${path('none').replace('docker.io/', '')}`,
    ])
    const { nlink } = await stat(
      join(site.dir, 'docker.io/library/other/blobs', descriptor.digest.replace(':', '/')),
    )
    expect(nlink).toBe(3)
  })

  it('is fetched again where its files were removed', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    await site.ask('GET', `${mirroredPath}/3.20`)
    await rm(join(site.dir, 'docker.io/library/alpine/blobs'), { recursive: true })
    expect((await site.ask('GET', `${mirroredPath}/3.20`)).body).toEqual(Buffer.from(image.manifest.bytes))
    expect(upstream.lines.filter(line => line === `GET ${manifestPath}/${digest}`)).toHaveLength(2)
  })
})

describe('a mirrored tag', () => {
  it('is looked at again by HEAD when what is known of it is not fresh any more', async () => {
    await using upstream = await startSite()
    const clock = handClock()
    const mirrors = [mirrorOf(upstream, { freshMs: 30_000 })]
    await using site = await startEmbeddedRegistry({ mirrors, clock })
    await site.ask('GET', `${mirroredPath}/3.20`)
    clock.time += 29_000
    await site.ask('GET', `${mirroredPath}/3.20`)
    expect(upstream.lines).toHaveLength(2)
    clock.time += 2000
    for (const _ of [1, 2]) expect((await site.ask('GET', `${mirroredPath}/3.20`)).status).toBe(200)
    expect(upstream.lines.slice(2)).toEqual([`HEAD ${manifestPath}/3.20`])
  })

  it('that was moved upstream is moved here, and the new image fetched', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { freshMs: 0 })] })
    await site.ask('GET', `${mirroredPath}/3.20`)
    const next = sampleImage('next')
    await upstream.registry.putImage('library/alpine', next, '3.20')
    expect((await site.ask('HEAD', `${mirroredPath}/3.20`)).headers['docker-content-digest']).toBe(
      next.manifest.digest,
    )
    expect((await site.ask('GET', `${mirroredPath}/3.20`)).body).toEqual(Buffer.from(next.manifest.bytes))
    const layout = await openLayout(join(site.dir, 'docker.io/library/alpine'))
    expect((await layout.resolve('3.20')).digest).toBe(next.manifest.digest)
    expect((await layout.readManifest(digest)).digest).toBe(digest)
  })

  it('that was deleted upstream goes here too, but not its content', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { freshMs: 0 })] })
    await site.ask('GET', `${mirroredPath}/3.20`)
    await upstream.registry.ask('DELETE', `${manifestPath}/3.20`)
    expect(await site.ask('GET', `${mirroredPath}/3.20`)).toMatchObject({
      status: 404,
      codes: ['MANIFEST_UNKNOWN'],
    })
    const layout = await openLayout(join(site.dir, 'docker.io/library/alpine'))
    expect(await layout.listTags()).toEqual([])
    await upstream.stop()
    expect((await site.ask('GET', `${mirroredPath}/${digest}`)).status).toBe(200)
  })

  it('that many ask for at the same time is asked for once', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => site.ask('GET', `${mirroredPath}/3.20`)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(upstream.lines).toEqual([`HEAD ${manifestPath}/3.20`, `GET ${manifestPath}/${digest}`])
  })
})

describe('the lists of a mirrored repository', () => {
  it('are those of the upstream, in our pages, read anew when they are not fresh any more', async () => {
    await using upstream = await startSite()
    const tags = ['b', 'a', 'c', 'B']
    for (const tag of tags) await upstream.registry.putImage('library/alpine', image, tag)
    const clock = handClock()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)], clock })
    const first = await site.ask('GET', '/v2/docker.io/alpine/tags/list?n=3')
    expect(first.json()).toEqual({ name: 'docker.io/alpine', tags: ['3.20', 'B', 'a'] })
    const next = /<(.*)>/.exec(`${first.headers.link}`)?.[1] ?? ''
    expect((await site.ask('GET', next)).json()).toMatchObject({ tags: ['b', 'c'] })
    expect(upstream.lines).toHaveLength(1)
    await upstream.registry.putImage('library/alpine', image, 'd')
    clock.time += 31_000
    expect((await site.ask('GET', '/v2/docker.io/alpine/tags/list')).json()).toMatchObject({
      tags: ['3.20', 'B', 'a', 'b', 'c', 'd'],
    })
    expect(await site.ask('GET', '/v2/docker.io/none/tags/list')).toMatchObject({ codes: ['NAME_UNKNOWN'] })
  })

  it('name what refers to an image, and are what is here when the upstream is away', async () => {
    await using upstream = await startSite()
    const { mediaType, digest, bytes } = image.manifest
    const subject = { mediaType, digest, size: bytes.length }
    const signature = sampleImage('signature', { subject, artifactType: 'application/x.sig' })
    await upstream.registry.putImage('library/alpine', signature, signature.manifest.digest)
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { freshMs: 0 })] })
    const referrers = `/v2/docker.io/alpine/referrers/${digest}`
    const entry = expect.objectContaining({ digest: signature.manifest.digest })
    expect((await site.ask('GET', referrers)).json()).toMatchObject({ manifests: [entry] })
    const filtered = await site.ask('GET', `${referrers}?artifactType=other`)
    expect(filtered.json()).toMatchObject({ manifests: [] })
    for (const reference of ['3.20', signature.manifest.digest])
      await site.ask('GET', `${mirroredPath}/${reference}`)
    await upstream.stop()
    const stale = await site.ask('GET', referrers)
    expect(stale.json()).toMatchObject({ manifests: [entry] })
    expect(stale.headers.warning).toBe('110 - "Response is Stale"')
    const tags = await site.ask('GET', '/v2/docker.io/alpine/tags/list')
    expect(tags.json()).toEqual({ name: 'docker.io/alpine', tags: ['3.20'] })
  })
})

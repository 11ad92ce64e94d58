import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { digestOf, hexOf } from '../../../src/oci/digest.ts'
import { descriptorOf } from '../../../src/oci/manifest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import {
  putSample,
  sampleBlob,
  sampleImage,
  sampleIndex,
  sampleManifest,
} from '../../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const image = sampleImage('one')
const { digest, bytes } = image.manifest

describe('putting a manifest', () => {
  it('under a tag makes it found by tag and digest, byte for byte', async () => {
    const put = await registry.putImage('put/tag', image, 'v1')
    expect(put).toMatchObject({
      status: 201,
      headers: { location: `/v2/put/tag/manifests/${digest}`, 'docker-content-digest': digest },
    })
    for (const reference of ['v1', digest, digest.replace(':', '%3A')]) {
      const got = await registry.ask('GET', `/v2/put/tag/manifests/${reference}`, {
        headers: { Accept: 'text/html' },
      })
      expect(got).toMatchObject({
        status: 200,
        headers: {
          'content-type': mediaTypes.ociManifest,
          'content-length': String(bytes.length),
          'docker-content-digest': digest,
          'docker-distribution-api-version': 'registry/2.0',
        },
      })
      expect(got.body).toEqual(bytes)
      const head = await registry.ask('HEAD', `/v2/put/tag/manifests/${reference}`)
      expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) })
      expect(head.headers['content-length']).toBe(String(bytes.length))
      expect(head.headers['docker-content-digest']).toBe(digest)
    }
  })

  it.each(['sha256', 'sha512'] as const)('under its %s digest needs no tag', async algorithm => {
    const reference = digestOf(bytes, algorithm)
    const put = await registry.putImage(`put/${algorithm}`, image, reference)
    expect(put).toMatchObject({ status: 201, headers: { 'docker-content-digest': reference } })
    const got = await registry.ask('GET', `/v2/put/${algorithm}/manifests/${reference}`)
    expect(got.body).toEqual(bytes)
    const tags = await registry.ask('GET', `/v2/put/${algorithm}/tags/list`)
    expect(tags.json()).toEqual({ name: `put/${algorithm}`, tags: [] })
  })

  it('under a digest that it does not have is refused', async () => {
    const put = await registry.putImage('put/wrong', image, digestOf('other'))
    expect(put).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  })

  it.each(['sha256', 'sha512'] as const)('under its %s digest takes many tags at once', async algorithm => {
    const repository = `put/tags/${algorithm}`
    const reference = digestOf(bytes, algorithm)
    const tags = Array.from({ length: 12 }, (_, number) => `v1.${number}`)
    const query = [...tags, 'v1.0'].map(tag => `tag=${tag}`).join('&')
    const put = await registry.putImage(repository, image, `${reference}?${query}`)
    expect(put).toMatchObject({ status: 201, headers: { 'oci-tag': tags.join(', ') } })
    expect(put.headers['docker-content-digest']).toBe(reference)
    const listed = await registry.ask('GET', `/v2/${repository}/tags/list`)
    expect(listed.json()).toEqual({ name: repository, tags: tags.sort() })
    const got = await registry.ask('GET', `/v2/${repository}/manifests/v1.11`)
    expect(got).toMatchObject({ body: bytes, headers: { 'docker-content-digest': reference } })
  })

  it('stores nothing when one of many tags cannot be', async () => {
    const put = await registry.putImage('put/tags/wrong', image, `${digest}?tag=good&tag=-bad`)
    expect(put).toMatchObject({ status: 400, codes: ['MANIFEST_INVALID'] })
    expect((await registry.ask('HEAD', `/v2/put/tags/wrong/manifests/${digest}`)).status).toBe(404)
  })

  it('takes tags from the query only beside a digest', async () => {
    const put = await registry.putImage('put/tags/none', image, 'v1?tag=v2')
    expect(put.headers['oci-tag']).toBeUndefined()
    expect((await registry.ask('GET', '/v2/put/tags/none/tags/list')).json()).toMatchObject({ tags: ['v1'] })
  })

  it('moves a tag, and the old manifest stays under its digest', async () => {
    const other = sampleImage('other')
    await registry.putImage('put/move', image, 'latest')
    await registry.putImage('put/move', other, 'latest')
    const got = await registry.ask('HEAD', '/v2/put/move/manifests/latest')
    expect(got.headers['docker-content-digest']).toBe(other.manifest.digest)
    expect((await registry.ask('HEAD', `/v2/put/move/manifests/${digest}`)).status).toBe(200)
  })

  it('keeps the type of its Content-Type where the manifest has none', async () => {
    const mediaType = mediaTypes.dockerManifest
    const config = sampleBlob('{}')
    await registry.putBlob('put/type', config)
    const { bytes: body } = sampleManifest({ schemaVersion: 2, config: config.descriptor, layers: [] })
    const headers = { 'Content-Type': `${mediaType}; charset=utf-8` }
    for (const reference of ['v1', digestOf(body)]) {
      const put = await registry.ask('PUT', `/v2/put/type/manifests/${reference}`, { headers, body })
      expect(put.status).toBe(201)
      const got = await registry.ask('GET', `/v2/put/type/manifests/${reference}`)
      expect(got.headers['content-type']).toBe(mediaType)
    }
  })

  it('takes Docker manifests and lists', async () => {
    const config = sampleBlob('{}', mediaTypes.dockerConfig)
    await registry.putBlob('put/docker', config)
    const child = sampleManifest({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: config.descriptor,
      layers: [],
    })
    const list = sampleIndex([child], { mediaType: mediaTypes.dockerList })
    for (const [manifest, reference] of [
      [child, child.digest],
      [list, 'v1'],
    ] as const) {
      const headers = { 'Content-Type': manifest.mediaType }
      const path = `/v2/put/docker/manifests/${reference}`
      expect((await registry.ask('PUT', path, { headers, body: manifest.bytes })).status).toBe(201)
      expect((await registry.ask('GET', path)).headers['content-type']).toBe(manifest.mediaType)
    }
  })

  it('takes one whose blobs are not there, and warns', async () => {
    const headers = { 'Content-Type': image.manifest.mediaType }
    const put = await registry.ask('PUT', '/v2/put/thin/manifests/v1', { headers, body: bytes })
    const words = `stored without blobs that it refers to: ${image.config.descriptor.digest} and 1 more`
    expect(put).toMatchObject({ status: 201, headers: { warning: `299 - "${words}"` } })
    expect((await registry.ask('GET', '/v2/put/thin/manifests/v1')).body).toEqual(bytes)
    await registry.putBlob('put/thin', image.config)
    const again = await registry.ask('PUT', '/v2/put/thin/manifests/v1', { headers, body: bytes })
    expect(again.headers.warning).toContain(`refers to: ${image.layer.descriptor.digest}"`)
    expect((await registry.putImage('put/thin', image, 'v1')).headers.warning).toBeUndefined()
  })

  it('refuses one whose blobs are not there, naming the first, where it wants them all', async () => {
    await using registry = await startEmbeddedRegistry({ requireBlobs: true })
    const headers = { 'Content-Type': image.manifest.mediaType }
    const put = await registry.ask('PUT', '/v2/put/missing/manifests/v1', { headers, body: bytes })
    expect(put).toMatchObject({ status: 400, codes: ['MANIFEST_BLOB_UNKNOWN'] })
    expect(put.json()).toMatchObject({ errors: [{ detail: { digest: image.config.descriptor.digest } }] })
    expect((await registry.ask('GET', '/v2/put/missing/tags/list')).codes).toEqual(['NAME_UNKNOWN'])
    expect((await registry.putImage('put/missing', image, 'v1')).status).toBe(201)
  })

  it('refuses one alone of many that come at the same time, and leaves nothing of it', async () => {
    await using registry = await startEmbeddedRegistry({ requireBlobs: true })
    await registry.putImage('put/together', image, 'v')
    const images = Array.from({ length: 20 }, (_, number) => sampleImage(`together ${number}`))
    const answers = await Promise.all(
      images.map(async (one, number) => {
        if (number % 4 !== 0) return registry.putImage('put/together', one, `v${number}`)
        const headers = { 'Content-Type': one.manifest.mediaType }
        const path = `/v2/put/together/manifests/v${number}`
        return registry.ask('PUT', path, { headers, body: one.manifest.bytes })
      }),
    )
    const stored = images.flatMap((_, number) => (number % 4 === 0 ? [] : [number]))
    expect(answers.map(({ status }) => status)).toEqual(images.map((_, at) => (at % 4 === 0 ? 400 : 201)))
    const tags = await registry.ask('GET', '/v2/put/together/tags/list')
    expect(tags.json()).toMatchObject({ tags: ['v', ...stored.map(number => `v${number}`)].sort() })
    const blobs = await readdir(join(registry.dir, 'put/together/blobs/sha256'))
    const samples = [image, ...stored.flatMap(number => images[number] ?? [])]
    const digests = samples.flatMap(({ config, layer, manifest }) => [
      config.descriptor.digest,
      layer.descriptor.digest,
      manifest.digest,
    ])
    expect(blobs.sort()).toEqual([...new Set(digests)].map(hexOf).sort())
  })

  it('never leaves a tag without its manifest where others delete it at the same time', async () => {
    await using registry = await startEmbeddedRegistry()
    await registry.putImage('put/fought', image, 'v')
    const headers = { 'Content-Type': image.manifest.mediaType }
    const path = (reference: string) => `/v2/put/fought/manifests/${reference}`
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, number) =>
          number % 3 === 2
            ? registry.ask('DELETE', path(digest))
            : registry.ask('PUT', path(`v${number}`), { headers, body: bytes }),
        ),
      )
      for (const { status } of answers) expect([201, 202, 404]).toContain(status)
      const { tags } = (await registry.ask('GET', '/v2/put/fought/tags/list')).json() as { tags: string[] }
      for (const tag of tags) expect((await registry.ask('GET', path(tag))).body).toEqual(bytes)
    }
  })

  it('does not ask for foreign layers', async () => {
    const foreign = { ...sampleBlob('far away').descriptor, urls: ['https://example.com/layer'] }
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
    const { config } = image
    await registry.putBlob('put/foreign', config)
    const manifest = sampleManifest({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: config.descriptor,
      layers: [{ ...foreign, mediaType }],
    })
    const headers = { 'Content-Type': manifest.mediaType }
    const put = await registry.ask('PUT', '/v2/put/foreign/manifests/v1', { headers, body: manifest.bytes })
    expect(put.status).toBe(201)
  })

  it('takes an index of which not all manifests are there', async () => {
    const index = sampleIndex([sampleImage('not there').manifest])
    const headers = { 'Content-Type': index.mediaType }
    const put = await registry.ask('PUT', '/v2/put/sparse/manifests/v1', { headers, body: index.bytes })
    expect(put.status).toBe(201)
  })

  it.each([
    ['what is not JSON', 'nothing', mediaTypes.ociManifest],
    ['what is no manifest', '{"schemaVersion":2}', ''],
    ['a layer list that is none', '{"schemaVersion":2,"config":{},"layers":{}}', mediaTypes.ociManifest],
    ['another type than its Content-Type', Buffer.from(bytes).toString(), mediaTypes.ociIndex],
    ['a schema 1 image', '{"schemaVersion":1,"fsLayers":[]}', mediaTypes.dockerSchema1],
  ])('refuses %s', async (_, body, type) => {
    const headers = type === '' ? {} : { 'Content-Type': type }
    const put = await registry.ask('PUT', '/v2/put/invalid/manifests/v1', { headers, body })
    expect(put).toMatchObject({ status: 400, codes: ['MANIFEST_INVALID'] })
  })

  it.each(['-v1', 'a%20b', 'x'.repeat(129), '..', '%00'])('refuses the tag %s', async tag => {
    const put = await registry.ask('PUT', `/v2/put/invalid/manifests/${tag}`, { body: bytes })
    expect(put).toMatchObject({ status: 400, codes: ['MANIFEST_INVALID'] })
  })

  it.each([
    ['that says its length', {}],
    ['that does not', { 'Transfer-Encoding': 'chunked' }],
  ])('refuses one of more than 4 MiB %s', async (_, framing) => {
    const body = Buffer.alloc(4 * 1024 * 1024 + 1, ' ')
    const headers = { 'Content-Type': mediaTypes.ociManifest, ...framing }
    const put = await registry.ask('PUT', '/v2/put/large/manifests/v1', { headers, body })
    expect(put).toMatchObject({ status: 413, codes: ['SIZE_INVALID'] })
  })

  it('leaves the children of an index to the index in the layout', async () => {
    const other = sampleImage('other')
    for (const child of [image, other]) await registry.putImage('put/all', child, child.manifest.digest)
    const index = sampleIndex([image.manifest, other.manifest])
    const headers = { 'Content-Type': index.mediaType }
    await registry.ask('PUT', '/v2/put/all/manifests/all', { headers, body: index.bytes })
    const layout = await openLayout(join(registry.dir, 'put/all'))
    expect(await layout.listManifests()).toEqual([expect.objectContaining({ digest: index.digest })])
    expect((await registry.ask('GET', `/v2/put/all/manifests/${digest}`)).body).toEqual(bytes)
  })
})

describe('getting a manifest', () => {
  it.each([
    ['of an unknown repository', 'get/none/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['of an unknown tag', 'get/some/manifests/v2', 404, 'MANIFEST_UNKNOWN'],
    ['of what cannot be a tag', 'get/some/manifests/.INVALID', 404, 'MANIFEST_UNKNOWN'],
    ['of an unknown digest', `get/some/manifests/${digestOf('none')}`, 404, 'MANIFEST_UNKNOWN'],
    ['of a malformed digest', 'get/some/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
    [
      'of a blob that is none',
      `get/some/manifests/${image.layer.descriptor.digest}`,
      404,
      'MANIFEST_UNKNOWN',
    ],
    [
      'of a config, which looks like one',
      `get/some/manifests/${image.config.descriptor.digest}`,
      404,
      'MANIFEST_UNKNOWN',
    ],
  ])('%s is refused', async (_, path, status, code) => {
    await registry.putImage('get/some', image, 'v1')
    expect(await registry.ask('GET', `/v2/${path}`)).toMatchObject({ status, codes: [code] })
    expect(await registry.ask('HEAD', `/v2/${path}`)).toMatchObject({ status, body: Buffer.alloc(0) })
  })

  it('is not sent to who has it already', async () => {
    await registry.putImage('get/known', image, 'v1')
    for (const [tag, status] of [
      [`"${digest}"`, 304],
      [`"${digestOf('other')}"`, 200],
    ] as const) {
      const headers = { 'If-None-Match': tag }
      const got = await registry.ask('GET', '/v2/get/known/manifests/v1', { headers })
      expect(got).toMatchObject({ status, headers: { etag: `"${digest}"` } })
      expect(got.body.length).toBe(status === 304 ? 0 : bytes.length)
    }
  })

  it('shows at once what another program did to the layout', async () => {
    // As if nobody had written for long, so that what was read is kept.
    await using registry = await startEmbeddedRegistry({ clock: () => Date.now() + 3_600_000 })
    const repository = 'get/shared'
    await registry.putImage(repository, image, 'v1')
    const layout = await openLayout(join(registry.dir, repository))
    for (const tag of ['v2', 'v3', 'v4']) {
      await layout.putManifest(image.manifest, [tag])
      const got = await registry.ask('GET', `/v2/${repository}/manifests/${tag}`)
      expect(got.body).toEqual(bytes)
    }
    await layout.deleteTag('v2')
    const { tags } = (await registry.ask('GET', `/v2/${repository}/tags/list`)).json() as { tags: string[] }
    expect(tags).toEqual(['v1', 'v3', 'v4'])
  })

  it('serves a layout that was put into the folder as it is', async () => {
    const layout = await openLayout(join(registry.dir, 'by/hand'), { create: true })
    await putSample(layout, image, ['v1'])
    expect((await registry.ask('GET', '/v2/by/hand/manifests/v1')).body).toEqual(bytes)
  })

  it('never gives out a manifest that was changed on disk, nor says where it is', async () => {
    const changed = sampleImage('changed')
    await registry.putImage('get/changed', changed, 'v1')
    const path = join(registry.dir, 'get/changed/blobs/sha256', hexOf(changed.manifest.digest))
    await writeFile(path, (await readFile(path, 'utf8')).replace('amd64', 'arm64').replace('2', '3'))
    const got = await registry.ask('GET', '/v2/get/changed/manifests/v1')
    expect(got).toMatchObject({ status: 500, codes: ['UNKNOWN'] })
    expect(got.body.toString()).not.toContain(registry.dir)
  })
})

describe('deleting a manifest', () => {
  it('by tag takes that tag only', async () => {
    await registry.putImage('delete/tag', image, 'v1')
    await registry.putImage('delete/tag', image, 'v2')
    expect((await registry.ask('DELETE', '/v2/delete/tag/manifests/v1')).status).toBe(202)
    expect((await registry.ask('HEAD', '/v2/delete/tag/manifests/v1')).status).toBe(404)
    expect((await registry.ask('HEAD', '/v2/delete/tag/manifests/v2')).status).toBe(200)
    await registry.ask('DELETE', '/v2/delete/tag/manifests/v2')
    expect((await registry.ask('HEAD', `/v2/delete/tag/manifests/${digest}`)).status).toBe(200)
    const layout = await openLayout(join(registry.dir, 'delete/tag'))
    expect(await layout.listManifests()).toEqual([descriptorOf(image.manifest)])
  })

  it('by digest takes its tags along', async () => {
    await registry.putImage('delete/digest', image, 'v1')
    await registry.putImage('delete/digest', image, 'v2')
    expect((await registry.ask('DELETE', `/v2/delete/digest/manifests/${digest}`)).status).toBe(202)
    for (const reference of ['v1', 'v2', digest]) {
      expect((await registry.ask('HEAD', `/v2/delete/digest/manifests/${reference}`)).status).toBe(404)
    }
    const tags = await registry.ask('GET', '/v2/delete/digest/tags/list')
    expect(tags.json()).toEqual({ name: 'delete/digest', tags: [] })
  })

  it.each([
    ['delete/some/manifests/v2', 404, 'MANIFEST_UNKNOWN'],
    [`delete/some/manifests/${digestOf('none')}`, 404, 'MANIFEST_UNKNOWN'],
    [`delete/some/manifests/${image.layer.descriptor.digest}`, 404, 'MANIFEST_UNKNOWN'],
    ['delete/some/manifests/sha1:00', 400, 'DIGEST_INVALID'],
    ['delete/none/manifests/v1', 404, 'NAME_UNKNOWN'],
  ])('refuses %s', async (path, status, code) => {
    await registry.putImage('delete/some', image, 'v1')
    expect(await registry.ask('DELETE', `/v2/${path}`)).toMatchObject({ status, codes: [code] })
    const layer = `/v2/delete/some/blobs/${image.layer.descriptor.digest}`
    expect((await registry.ask('HEAD', layer)).status).toBe(200)
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTransport, type Transport } from '../../src/http/send.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import type { ReferrersOptions } from '../../src/registry/referrers.ts'
import { Registry } from '../../src/registry/registry.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { requirePeers } from '../support/peers.ts'
import { putSample, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { type Handler, startFront } from './front.ts'

const subject = sampleImage('subject')
const tag = `sha256-${subject.manifest.digest.slice(7)}`
const tagPath = `/v2/app/manifests/${tag}`

/** An image that refers to the subject. */
const referrer = (name: string, extra: Record<string, unknown> = {}) =>
  sampleImage(name, { subject: descriptorOf(subject.manifest), ...extra })
const [one, two, three] = [referrer('one'), referrer('two'), referrer('three')]

async function listed(repository: Repository, options?: ReferrersOptions): Promise<Descriptor[]> {
  const found: Descriptor[] = []
  for await (const referrer of repository.referrers(subject.manifest.digest, options)) found.push(referrer)
  return found
}

/** A registry without referrers that keeps manifests and heeds no conditions, but for what a test answers itself. */
function keepsManifests(own: Partial<Record<string, (usual: Handler) => Handler>> = {}) {
  const kept = new Map<string, Buffer>()
  const usual: Record<string, Handler> = {
    PUT: async (seen, response) => {
      kept.set(seen.path, await seen.body())
      response.writeHead(201).end()
    },
    GET: ({ path }, response) => {
      const bytes = kept.get(path)
      if (bytes === undefined) return response.writeHead(404).end()
      response
        .writeHead(200, { 'content-type': mediaTypes.ociIndex, etag: `"${digestOf(bytes)}"` })
        .end(bytes)
    },
    DELETE: ({ path }, response) => response.writeHead(kept.delete(path) ? 202 : 404).end(),
  }
  const handler: Handler = (seen, response) => {
    const handle = usual[seen.method]
    if (handle === undefined) return response.writeHead(405).end()
    return (own[`${seen.method} ${seen.path}`]?.(handle) ?? handle)(seen, response)
  }
  const put = (path: string, manifest: Manifest) => kept.set(path, Buffer.from(manifest.bytes))
  return { handler, kept, put }
}

const digests = (found: readonly Descriptor[]) => found.map(({ digest }) => digest)

describe('the list of referrers in a tag', () => {
  it.each<[what: string, extra: Record<string, unknown>, artifactType: string]>([
    ['its own type', { artifactType: 'sig/1', annotations: { a: 'b' } }, 'sig/1'],
    ['the type of its configuration where it has none', { annotations: { a: 'b' } }, mediaTypes.ociConfig],
    [
      'the type of its configuration where its own is empty',
      { artifactType: '', annotations: { a: 'b' } },
      mediaTypes.ociConfig,
    ],
  ])('names a manifest with its annotations and %s', async (_, extra, artifactType) => {
    await using front = await startFront(keepsManifests().handler)
    const { manifest } = referrer('typed', extra)
    await front.repository.putManifest(manifest)
    expect(await listed(front.repository)).toEqual([
      { ...descriptorOf(manifest), artifactType, annotations: { a: 'b' } },
    ])
  })

  it('names an index that has no type without one', async () => {
    await using front = await startFront(keepsManifests().handler)
    const index = sampleIndex([one.manifest], { subject: descriptorOf(subject.manifest) })
    await front.repository.putManifest(index)
    expect(await listed(front.repository)).toEqual([descriptorOf(index)])
  })

  it('names each manifest once, however often and by however many tags it is pushed', async () => {
    await using front = await startFront(keepsManifests().handler)
    await front.repository.putManifest(one.manifest, ['a', 'b'])
    await front.repository.putManifest(one.manifest)
    expect(digests(await listed(front.repository))).toEqual([one.manifest.digest])
    expect(front.lines.filter(line => line === `PUT ${tagPath}`)).toHaveLength(1)
  })

  it('keeps what else there is of it', async () => {
    const { handler, put, kept } = keepsManifests()
    put(tagPath, sampleIndex([two.manifest], { annotations: { by: 'another' } }))
    await using front = await startFront(handler)
    await front.repository.putManifest(one.manifest)
    const index = JSON.parse(kept.get(tagPath)?.toString() ?? '')
    expect(index).toMatchObject({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      annotations: { by: 'another' },
    })
    expect(digests(index.manifests)).toEqual([two.manifest.digest, one.manifest.digest])
  })

  it('is written by one after another where several are pushed at a time', async () => {
    await using front = await startFront(keepsManifests().handler)
    const again = front.registry.repository('app', 'pull,push')
    await Promise.all([
      front.repository.putManifest(one.manifest),
      again.putManifest(two.manifest),
      front.repository.putManifest(three.manifest),
    ])
    expect(digests(await listed(front.repository)).toSorted()).toEqual(
      [one, two, three].map(({ manifest }) => manifest.digest).toSorted(),
    )
    expect(front.lines.filter(line => line === `PUT ${tagPath}`)).toHaveLength(3)
  })

  it('is written again where another writer undid it', async () => {
    let writes = 0
    const { handler, put } = keepsManifests({
      [`PUT ${tagPath}`]: usual => async (seen, response) => {
        await usual(seen, response)
        writes += 1
        if (writes <= 2) put(tagPath, sampleIndex([two.manifest]))
      },
    })
    await using front = await startFront(handler)
    await front.repository.putManifest(one.manifest)
    expect(digests(await listed(front.repository))).toEqual([two.manifest.digest, one.manifest.digest])
    expect(writes).toBe(3)
    expect(front.clock.sleeps).toHaveLength(2)
  })

  it('is read again where the registry heeds the condition (412), which names what was read', async () => {
    const conditions: unknown[] = []
    const { handler, put, kept } = keepsManifests({
      [`PUT ${tagPath}`]: usual => async (seen, response) => {
        conditions.push([seen.headers['if-match'], seen.headers['if-none-match']])
        if (conditions.length > 1) return usual(seen, response)
        await seen.body()
        put(tagPath, sampleIndex([two.manifest]))
        response.writeHead(412).end()
      },
    })
    await using front = await startFront(handler)
    await front.repository.putManifest(one.manifest)
    expect(digests(JSON.parse(kept.get(tagPath)?.toString() ?? '').manifests)).toEqual([
      two.manifest.digest,
      one.manifest.digest,
    ])
    const other = digestOf(Buffer.from(sampleIndex([two.manifest]).bytes))
    expect(conditions).toEqual([
      [undefined, '*'],
      [`"${other}"`, undefined],
    ])
  })

  it('is given up where others undo it again and again', async () => {
    const { handler } = keepsManifests({
      [`PUT ${tagPath}`]: () => async (seen, response) => {
        await seen.body()
        response.writeHead(201).end()
      },
    })
    await using front = await startFront(handler, { retryPolicy: { retries: 2 } })
    await expect(front.repository.putManifest(one.manifest)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining(`${front.host}/app:${tag}`),
    })
    expect(front.lines.filter(line => line === `PUT ${tagPath}`)).toHaveLength(3)
  })

  it('is not put in the place of an image', async () => {
    const { handler, put } = keepsManifests()
    put(tagPath, two.manifest)
    await using front = await startFront(async (seen, response) => handler(seen, response))
    await expect(front.repository.putManifest(one.manifest)).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(front.lines).not.toContain(`PUT ${tagPath}`)
  })
})

describe('a referrer that is deleted', () => {
  it('is taken off the list', async () => {
    await using front = await startFront(keepsManifests().handler)
    await front.repository.putManifest(one.manifest)
    await front.repository.putManifest(two.manifest)
    await front.repository.delete(one.manifest.digest)
    expect(digests(await listed(front.repository))).toEqual([two.manifest.digest])
  })

  it('leaves a list alone that does not name it, or that is not there', async () => {
    const { handler, put } = keepsManifests()
    await using front = await startFront(handler)
    put(`/v2/app/manifests/${one.manifest.digest}`, one.manifest)
    await front.repository.delete(one.manifest.digest)
    put(`/v2/app/manifests/${one.manifest.digest}`, one.manifest)
    put(tagPath, sampleIndex([two.manifest]))
    await front.repository.delete(one.manifest.digest)
    expect(front.lines.filter(line => line.startsWith('PUT'))).toEqual([])
  })

  it('is deleted, with a warning, where the list cannot be written', async () => {
    const { handler, kept } = keepsManifests()
    let isClosed = false
    await using front = await startFront((seen, response) =>
      isClosed && seen.method === 'PUT' ? response.writeHead(403).end() : handler(seen, response),
    )
    await front.repository.putManifest(one.manifest)
    isClosed = true
    await front.repository.delete(one.manifest.digest)
    expect([...kept.keys()]).toEqual([tagPath])
    expect(front.events).toEqual([
      {
        type: 'warning',
        message: expect.stringMatching(/is deleted, but still listed as a referrer: cannot write/),
      },
    ])
  })

  it('and a manifest without a subject asks for no list', async () => {
    const { handler, put } = keepsManifests()
    put(`/v2/app/manifests/${subject.manifest.digest}`, subject.manifest)
    await using front = await startFront(handler)
    await front.repository.delete(subject.manifest.digest)
    const path = `/v2/app/manifests/${subject.manifest.digest}`
    expect(front.lines).toEqual([`GET ${path}`, `DELETE ${path}`])
  })
})

describe('referrers in the embedded registry', () => roundTrip(startEmbeddedRegistry, []))

describe.skipIf(!requirePeers('docker-registry'))(
  'referrers in docker-registry, which has no API for them',
  () => roundTrip(startDockerRegistry, [tag]),
)

function roundTrip(
  start: () => Promise<AsyncDisposable & { readonly host: string }>,
  tagsLeft: readonly string[],
): void {
  let server: AsyncDisposable & { readonly host: string }
  let transport: Transport
  beforeAll(async () => {
    server = await start()
    transport = createTransport()
  })
  afterAll(async () => {
    await transport.close()
    await server[Symbol.asyncDispose]()
  })

  it('are pushed, listed, filtered and deleted', async () => {
    const registry = new Registry({ registry: server.host, send: transport.send })
    const repository = registry.repository('app', 'pull,push')
    const signature = referrer('signature', { artifactType: 'sig/1', annotations: { a: 'b' } })
    await putSample(repository, subject, ['v1'])
    expect(await listed(repository)).toEqual([])
    await Promise.all([signature, one, two].map(image => putSample(repository, image)))
    expect(digests(await listed(repository)).toSorted()).toEqual(
      [signature, one, two].map(({ manifest }) => manifest.digest).toSorted(),
    )
    expect(await listed(repository, { artifactType: 'sig/1' })).toEqual([
      { ...descriptorOf(signature.manifest), artifactType: 'sig/1', annotations: { a: 'b' } },
    ])
    await repository.delete(signature.manifest.digest)
    expect(digests(await listed(repository)).toSorted()).toEqual(
      [one, two].map(({ manifest }) => manifest.digest).toSorted(),
    )
    const tags: string[] = []
    for await (const name of repository.tags()) tags.push(name)
    expect(tags.toSorted()).toEqual([...tagsLeft, 'v1'].toSorted())
  })
}

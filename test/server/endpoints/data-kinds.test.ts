import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DigestAlgorithm, digestOf } from '../../../src/oci/digest.ts'
import { descriptorOf, type Manifest, maxManifestBytes } from '../../../src/oci/manifest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { parseManifest } from '../../../src/oci/parse-manifest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { type SampleBlob, sampleBlob } from '../../support/sample-image.ts'

// What the official conformance suite pushes, each by digest and by tag, and what it then asks for.

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

interface Content {
  readonly blobs: readonly SampleBlob[]
  /** Children before parents. */
  readonly manifests: readonly Manifest[]
}

const empty = sampleBlob('{}', 'application/vnd.oci.empty.v1+json')
const artifactType = 'application/vnd.example+type'

/** A manifest whose digest is of an algorithm, as its children's may be. */
function manifest(document: Record<string, unknown>, algorithm: DigestAlgorithm = 'sha256'): Manifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...document }))
  return parseManifest(bytes, { digest: digestOf(bytes, algorithm) })
}

function image(name: string, extra: Record<string, unknown> = {}, algorithm?: DigestAlgorithm): Content {
  const config = sampleBlob(
    JSON.stringify({ architecture: 'amd64', os: 'linux', author: name }),
    mediaTypes.ociConfig,
    algorithm,
  )
  const layer = sampleBlob(`layer of ${name}`, 'application/vnd.oci.image.layer.v1.tar', algorithm)
  const mediaType = mediaTypes.ociManifest
  const document = { mediaType, config: config.descriptor, layers: [layer.descriptor], ...extra }
  return { blobs: [config, layer], manifests: [manifest(document, algorithm)] }
}

function index(
  children: readonly Content[],
  extra: Record<string, unknown> = {},
  algorithm?: DigestAlgorithm,
): Content {
  const tops = children.flatMap(({ manifests }) => manifests.slice(-1)).map(descriptorOf)
  const parent = manifest({ mediaType: mediaTypes.ociIndex, manifests: tops, ...extra }, algorithm)
  return {
    blobs: children.flatMap(({ blobs }) => blobs),
    manifests: [...children.flatMap(({ manifests }) => manifests), parent],
  }
}

const one = image('one')
const two = image('two')
const absentSubject = { mediaType: mediaTypes.ociManifest, digest: digestOf('absent'), size: 123 }
const artifact = { artifactType, config: empty.descriptor, layers: [empty.descriptor] }
const foreign = { ...sampleBlob('far away').descriptor, urls: ['https://store.example.com/blob'] }
const withData = (blob: SampleBlob) => ({ ...blob.descriptor, data: blob.bytes.toString('base64') })

const kinds: Record<string, Content> = {
  'an image': one,
  'an image with a manifest of almost 4 MiB': image('large', {
    annotations: Object.fromEntries(Array.from({ length: 390 }, (_, at) => [`a${at}`, 'A'.repeat(10_000)])),
  }),
  'an image without layers': image('bare', { layers: [] }),
  'an image with a foreign layer': image('foreign', {
    layers: [{ ...foreign, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }],
  }),
  'an image of which a layer is missing': { ...image('sparse'), blobs: image('sparse').blobs.slice(0, 1) },
  'an image with fields of its own': image('custom', { 'org.example.custom': { deep: [1, null, 'x'] } }),
  'an index': index([one, two]),
  'an index without manifests': index([]),
  'an index of indexes': index([index([one]), index([two])]),
  'an index of which an image is missing': index([one, { blobs: [], manifests: [] }], {
    manifests: [...one.manifests.map(descriptorOf), absentSubject],
  }),
  'an index with a type and a subject': index([one], {
    artifactType,
    subject: absentSubject,
    annotations: { by: 'me' },
  }),
  'an artifact': { blobs: [empty], manifests: image('artifact', artifact).manifests },
  'an artifact that refers to what is not there': {
    blobs: [empty],
    manifests: image('referrer', { ...artifact, subject: absentSubject }).manifests,
  },
  'an artifact with its data in its descriptors': {
    blobs: [empty],
    manifests: image('data', { ...artifact, config: withData(empty), layers: [withData(empty)] }).manifests,
  },
  'an image named by sha512': image('long', {}, 'sha512'),
  'an index named by sha512': index([image('long', {}, 'sha512'), one], {}, 'sha512'),
}

describe.each(Object.entries(kinds))('%s', (kind, { blobs, manifests }) => {
  const repository = `kinds/${kind.toLowerCase().replaceAll(' ', '-')}`
  const at = (reference: string) => `/v2/${repository}/manifests/${reference}`
  const top = manifests.at(-1) as Manifest

  it('is pushed, listed, asked for, pulled and deleted', async () => {
    for (const blob of blobs) await registry.putBlob(repository, blob)
    for (const { bytes: body, digest, mediaType, content } of manifests) {
      const headers = { 'Content-Type': mediaType }
      const tags = digest === top.digest ? '?tag=one&tag=two' : ''
      const put = await registry.ask('PUT', at(digest) + tags, { headers, body })
      expect(put).toMatchObject({ status: 201, headers: { location: at(digest) } })
      expect(put.headers['docker-content-digest']).toBe(digest)
      expect(put.headers['oci-subject']).toBe(content.subject?.digest)
    }
    const list = await registry.ask('GET', `/v2/${repository}/tags/list`)
    expect(list.json()).toEqual({ name: repository, tags: ['one', 'two'] })
    for (const reference of ['one', 'two', ...manifests.map(({ digest }) => digest)]) {
      await expectManifest(reference, manifests.find(({ digest }) => digest === reference) ?? top)
    }
    expect((await registry.ask('DELETE', at('one'))).status).toBe(202)
    expect((await registry.ask('HEAD', at('one'))).status).toBe(404)
    for (const { digest } of manifests.toReversed()) {
      expect((await registry.ask('DELETE', at(digest))).status).toBe(202)
      expect((await registry.ask('GET', at(digest))).codes).toEqual(['MANIFEST_UNKNOWN'])
    }
    expect((await registry.ask('GET', at('two'))).codes).toEqual(['MANIFEST_UNKNOWN'])
    for (const { descriptor } of new Map(blobs.map(blob => [blob.descriptor.digest, blob])).values()) {
      const path = `/v2/${repository}/blobs/${descriptor.digest}`
      expect((await registry.ask('DELETE', path)).status).toBe(202)
      expect((await registry.ask('HEAD', path)).status).toBe(404)
    }
  })

  async function expectManifest(reference: string, { bytes, digest, mediaType }: Manifest): Promise<void> {
    const headers = {
      'content-type': mediaType,
      'content-length': String(bytes.length),
      'docker-content-digest': digest,
    }
    const got = await registry.ask('GET', at(reference))
    expect(got).toMatchObject({ status: 200, headers })
    expect(got.body.equals(bytes)).toBe(true)
    expect(await registry.ask('HEAD', at(reference))).toMatchObject({ status: 200, headers })
  }
})

describe('the data of these tests', () => {
  it('has a manifest close to the largest that is taken', () => {
    const sizes = Object.values(kinds).flatMap(({ manifests }) => manifests.map(({ bytes }) => bytes.length))
    expect(Math.max(...sizes)).toBeGreaterThan(0.9 * maxManifestBytes)
  })
})

import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { childBlobs, childManifests, descriptorOf, maxManifestBytes } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { type ParseManifestOptions, parseManifest } from '../../src/oci/parse-manifest.ts'

const json = (document: unknown): Uint8Array => Buffer.from(JSON.stringify(document))
const blob = (content: string, mediaType = 'application/octet-stream') => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
})
const layer = blob('layer', 'application/vnd.oci.image.layer.v1.tar+gzip')
const config = blob('config', mediaTypes.ociConfig)
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }
const child = { ...blob('child', mediaTypes.ociManifest), platform: { os: 'linux', architecture: 'amd64' } }
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] }

function fault(bytes: Uint8Array | string, options: ParseManifestOptions = {}): DrayError {
  try {
    parseManifest(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, { name: 'h.io/app:1', ...options })
  } catch (error) {
    if (error instanceof DrayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseManifest reads', () => {
  it('an OCI image, with its config before its layers', () => {
    const manifest = parseManifest(json(image))
    expect(manifest).toMatchObject({ kind: 'image', mediaType: mediaTypes.ociManifest, content: image })
    expect(childBlobs(manifest)).toEqual([config, layer])
    expect(childManifests(manifest)).toEqual([])
  })

  it('an OCI index, which may list another index', () => {
    const nested = blob('nested', mediaTypes.ociIndex)
    const manifest = parseManifest(json({ ...index, manifests: [child, nested] }))
    expect(manifest).toMatchObject({ kind: 'index', mediaType: mediaTypes.ociIndex })
    expect(childManifests(manifest)).toEqual([child, nested])
    expect(childBlobs(manifest)).toEqual([])
  })

  it("Docker's schema 2 image and list", () => {
    const docker = parseManifest(json({ ...image, mediaType: mediaTypes.dockerManifest }))
    const list = parseManifest(json({ ...index, mediaType: mediaTypes.dockerList }))
    expect([docker.kind, docker.mediaType]).toEqual(['image', mediaTypes.dockerManifest])
    expect([list.kind, list.mediaType]).toEqual(['index', mediaTypes.dockerList])
  })

  it('an artifact with subject and artifactType, in an image manifest', () => {
    const empty = blob('{}', mediaTypes.ociEmpty)
    const subject = blob('subject', mediaTypes.ociManifest)
    const artifact = {
      ...image,
      config: empty,
      layers: [empty],
      subject,
      artifactType: 'application/vnd.acme',
    }
    const manifest = parseManifest(json(artifact))
    expect(manifest).toMatchObject({
      kind: 'image',
      content: { subject, artifactType: 'application/vnd.acme' },
    })
    expect(childBlobs(manifest)).toEqual([empty, empty])
  })

  it('an index with a subject', () => {
    const subject = blob('subject', mediaTypes.ociManifest)
    expect(parseManifest(json({ ...index, subject })).content.subject).toEqual(subject)
  })

  it("the artifact manifest of image-spec's release candidates, with and without blobs", () => {
    const artifact = { mediaType: mediaTypes.ociArtifact, artifactType: 'a/b', blobs: [layer] }
    const manifest = parseManifest(json(artifact))
    expect(manifest.kind).toBe('artifact')
    expect(childBlobs(manifest)).toEqual([layer])
    const bare = parseManifest(json({ mediaType: mediaTypes.ociArtifact, subject: child }))
    expect([bare.kind, childBlobs(bare)]).toEqual(['artifact', []])
  })

  it.each([
    ['image', image],
    ['index', index],
    ['artifact', { blobs: [layer] }],
  ])('an unknown media type, kept as it came, with the fields of an %s', (kind, document) => {
    const mediaType = 'application/vnd.Acme.manifest.v7+json'
    expect(parseManifest(json({ ...document, mediaType }))).toMatchObject({ kind, mediaType })
    expect(parseManifest(json({ ...document, mediaType: undefined }), { mediaType })).toMatchObject({
      kind,
      mediaType,
    })
  })

  it('fields that it does not know, in every place', () => {
    const document = {
      ...index,
      extra: { deep: [null] },
      manifests: [{ ...child, extra: 1, platform: { ...child.platform, features: ['sse4'] } }],
    }
    expect(parseManifest(json(document)).content).toEqual(document)
  })

  it('descriptors with urls, annotations, artifactType and data', () => {
    const full = {
      ...layer,
      urls: ['https://h.io/layer'],
      annotations: { '': 'empty key', a: '' },
      artifactType: 'a/b',
      data: Buffer.from('layer').toString('base64'),
    }
    expect(childBlobs(parseManifest(json({ ...image, layers: [full] })))[1]).toEqual(full)
  })

  it('descriptors without a media type or with null, as an empty one', () => {
    const { digest, size } = layer
    const layers = [
      { digest, size },
      { digest, size, mediaType: null },
    ]
    const blobs = childBlobs(parseManifest(json({ ...image, layers })))
    expect(blobs.slice(1)).toEqual([
      { mediaType: '', digest, size },
      { mediaType: '', digest, size },
    ])
  })

  it('null where Go writes a list or map that was never filled', () => {
    const absent = { annotations: null, subject: null, artifactType: null, mediaType: null }
    const empty = parseManifest(json({ ...image, ...absent, layers: null }))
    expect(childBlobs(empty)).toEqual([config])
    expect(empty.content.annotations).toBeUndefined()
    expect(empty.content.subject).toBeUndefined()
    expect(childManifests(parseManifest(json({ ...index, ...absent, manifests: null })))).toEqual([])
    const nulls = { urls: null, annotations: null, platform: null, data: null, artifactType: null }
    expect(parseManifest(json({ ...image, layers: [{ ...layer, ...nulls }] })).kind).toBe('image')
  })

  it('an image without layers, and an index without manifests in its list', () => {
    expect(childBlobs(parseManifest(json({ ...image, layers: undefined })))).toEqual([config])
    expect(childManifests(parseManifest(json({ ...index, manifests: [] })))).toEqual([])
  })

  it('empty lists that belong to one manifest each', () => {
    const first = parseManifest(json({ config }))
    const second = parseManifest(json({ config }))
    if (first.kind !== 'image' || second.kind !== 'image') throw new Error('not images')
    expect(first.content.layers).not.toBe(second.content.layers)
  })

  it('sizes from zero to the largest exact number', () => {
    const layers = [0, Number.MAX_SAFE_INTEGER].map(size => ({ ...layer, size }))
    expect(childBlobs(parseManifest(json({ ...image, layers }))).map(({ size }) => size)).toEqual([
      6,
      0,
      Number.MAX_SAFE_INTEGER,
    ])
  })

  it('fields that it does not know, however they nest within reason', () => {
    const text = `{"config":${JSON.stringify(config)},"z":${'['.repeat(900)}${']'.repeat(900)}}`
    expect(parseManifest(Buffer.from(text)).kind).toBe('image')
  })

  it('the last of two equal keys, as Go does', () => {
    const text = `{"config":${JSON.stringify(config)},"layers":[],"layers":[${JSON.stringify(layer)}]}`
    expect(childBlobs(parseManifest(Buffer.from(text)))).toEqual([config, layer])
  })
})

describe('the media type of a manifest', () => {
  const { mediaType: _, ...bare } = image

  it('is what the document says, before what the registry says', () => {
    expect(parseManifest(json(image), { mediaType: mediaTypes.dockerManifest }).mediaType).toBe(
      mediaTypes.ociManifest,
    )
  })

  it('is what the registry says, where the document says nothing', () => {
    for (const silent of [bare, { ...bare, mediaType: '' }, { ...bare, mediaType: null }]) {
      expect(parseManifest(json(silent), { mediaType: mediaTypes.dockerManifest }).mediaType).toBe(
        mediaTypes.dockerManifest,
      )
    }
  })

  it.each([undefined, '', 'application/json', 'text/plain', 'application/octet-stream'])(
    'is told from the fields where nobody says it (%j)',
    mediaType => {
      const typeOf = (document: unknown) => parseManifest(json(document), { mediaType }).mediaType
      expect(typeOf(bare)).toBe(mediaTypes.ociManifest)
      expect(typeOf({ manifests: [] })).toBe(mediaTypes.ociIndex)
      expect(typeOf({ blobs: [] })).toBe(mediaTypes.ociArtifact)
    },
  )
})

describe('parseManifest refuses', () => {
  it.each([
    ['its media type', { mediaType: mediaTypes.dockerSchema1 }, undefined],
    ['its signed media type', { mediaType: mediaTypes.dockerSchema1Signed, schemaVersion: 1 }, undefined],
    ['the Content-Type', { fsLayers: [] }, mediaTypes.dockerSchema1Signed],
    ['its version alone', { schemaVersion: 1, fsLayers: [], history: [] }, 'application/json'],
    ['its version, though it looks like an image', { ...image, schemaVersion: 1 }, mediaTypes.ociManifest],
  ])('schema 1, known by %s, and says what to do', (_, document, mediaType) => {
    const error = fault(json(document), { mediaType })
    expect(error).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('h.io/app:1: this is a Docker schema 1 image'),
      hint: expect.stringContaining('push it again'),
    })
  })

  it.each([
    ['', 'is not JSON'],
    ['{', 'is not JSON'],
    ['{"layers":[]', 'is not JSON'],
    ['{"layers":[],}', 'is not JSON'],
    ["{'layers':[]}", 'is not JSON'],
    ['<html>', 'is not JSON'],
    [`\ufeff${JSON.stringify(image)}`, 'is not JSON'],
    ['null', 'is not a JSON object'],
    ['[]', 'is not a JSON object'],
    ['"text"', 'is not a JSON object'],
    ['7', 'is not a JSON object'],
    ['{}', 'neither an index nor an image manifest'],
    ['{"errors":[{"code":"DENIED"}]}', 'neither an index nor an image manifest'],
    [`{"mediaType":"${mediaTypes.ociIndex}"}`, 'neither an index nor an image manifest'],
    ['{"mediaType":7,"layers":[]}', 'malformed at "mediaType": expected string'],
    ['{"mediaType":"a\\nb","manifests":[]}', 'is not a media type'],
    ['{"mediaType":"\u00e9\u2713","manifests":[]}', 'is not a media type'],
    ['{"manifests":{}}', 'malformed at "manifests": expected array'],
    ['{"layers":[]}', 'malformed at "config": expected object'],
    ['{"config":[],"layers":[]}', 'malformed at "config"'],
  ])('%j because it %s', (text, why) => {
    expect(fault(text)).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(why) })
    expect(fault(text).message).toMatch(/^h\.io\/app:1: /)
  })

  it('bytes that are not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"config":{},"a":"'), Buffer.from([0xff]), Buffer.from('"}')])
    expect(fault(bytes)).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining('UTF-8') })
  })

  it('what is an index to one reader and an image to another', () => {
    for (const both of [
      { ...image, manifests: [] },
      { ...index, layers: [] },
      { ...index, config: null },
    ]) {
      expect(fault(json(both))).toMatchObject({
        code: 'INTEGRITY',
        message: 'h.io/app:1: the manifest has both "manifests" and "layers" or "config"',
      })
    }
  })

  it.each([
    [mediaTypes.ociIndex, image, 'promises an index, but the fields are those of an image'],
    [mediaTypes.dockerList, image, 'promises an index, but the fields are those of an image'],
    [mediaTypes.ociManifest, index, 'promises an image, but the fields are those of an index'],
    [mediaTypes.dockerManifest, index, 'promises an image, but the fields are those of an index'],
    [mediaTypes.ociArtifact, image, 'promises an artifact, but the fields are those of an image'],
    [mediaTypes.ociManifest, { blobs: [] }, 'promises an image, but the fields are those of an artifact'],
  ])('%s with the fields of another kind', (mediaType, document, why) => {
    expect(fault(json({ ...document, mediaType }))).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(why),
    })
    expect(fault(json({ ...document, mediaType: undefined }), { mediaType }).message).toContain(why)
  })

  it.each([
    ['a negative size', { ...layer, size: -1 }, 'layers.0.size'],
    ['a broken size', { ...layer, size: 1.5 }, 'layers.0.size'],
    ['a size that is text', { ...layer, size: '5' }, 'layers.0.size'],
    ['a size beyond exact numbers', { ...layer, size: 2 ** 53 }, 'layers.0.size'],
    ['no size', { ...layer, size: undefined }, 'layers.0.size'],
    ['null for a size', { ...layer, size: null }, 'layers.0.size'],
    ['no digest', { ...layer, digest: undefined }, 'layers.0.digest'],
    ['a digest of another algorithm', { ...layer, digest: `md5:${'0'.repeat(32)}` }, 'layers.0.digest'],
    ['a digest that is a path', { ...layer, digest: 'sha256:../../etc/passwd' }, 'layers.0.digest'],
    ['urls that are no list', { ...layer, urls: 'https://h.io' }, 'layers.0.urls'],
    ['an annotation that is no text', { ...layer, annotations: { a: 1 } }, 'layers.0.annotations.a'],
    ['a media type that is no text', { ...layer, mediaType: 1 }, 'layers.0.mediaType'],
    ['null for the whole', null, 'layers.0'],
  ])('a descriptor with %s, and says where', (_, descriptor, where) => {
    expect(fault(json({ ...image, layers: [descriptor] }))).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`h.io/app:1: the manifest is malformed at "${where}": `),
    })
  })

  it('sizes that JSON writes beyond any number', () => {
    expect(fault(`{"config":{"digest":"${config.digest}","size":1e999}}`).message).toContain('config.size')
  })

  it('more bytes than the limit, and takes as many as it says', () => {
    const padded = (length: number) => Buffer.from(JSON.stringify(image).padEnd(length))
    expect(parseManifest(padded(maxManifestBytes)).kind).toBe('image')
    expect(fault(padded(maxManifestBytes + 1))).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`over the limit of ${maxManifestBytes}`),
    })
  })

  it.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('%s within one another without end', (_, open, close) => {
    const depth = Math.floor((maxManifestBytes - 1000) / (open.length + close.length))
    const inner = open === '[' ? '' : '1'
    const bomb = `{"config":${JSON.stringify(config)},"z":${open.repeat(depth)}${inner}${close.repeat(depth)}}`
    expect(fault(bomb)).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('nested deeper'),
    })
    expect(fault(`{"z":${open.repeat(depth)}`).message).toContain('is not JSON')
  })

  it('controls of a terminal in its messages', () => {
    const key = '\u001b[2J\n'
    const messages = [
      fault(json({ mediaType: key })),
      fault(json({ ...image, annotations: { [key]: 1 } })),
      fault(json({ ...image, annotations: { [key.repeat(100_000)]: 1 } })),
    ].map(error => error.message)
    for (const message of messages) {
      expect(message).toContain('\\u{1b}[2J\\u{a}')
      expect(message).not.toMatch(/\p{Cc}/u)
      expect(message.length).toBeLessThan(5000)
    }
  })
})

describe('the prototype of objects', () => {
  it('is not reached by keys of a manifest', () => {
    const text = `{"__proto__":{"manifests":[]},"constructor":{"prototype":{"polluted":1}},
      "config":${JSON.stringify(config)},"layers":[{"digest":"${layer.digest}","size":5,"__proto__":{"polluted":1}}],
      "annotations":{"__proto__":"x","b":"c"}}`
    const manifest = parseManifest(Buffer.from(text))
    expect(manifest.kind).toBe('image')
    for (const value of [manifest.content, childBlobs(manifest)[1], manifest.content.annotations]) {
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(value).not.toHaveProperty('polluted')
    }
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('the bytes of a manifest', () => {
  // Spaces, the order of keys, escapes and a line break at the end would all be lost by writing it anew.
  const bytes = Buffer.from(
    `{\n  "layers" : [],\t"config": ${JSON.stringify(config)}, "a\\u002fb": 1.0e0,\r\n "mediaType":"${mediaTypes.ociManifest}" }\n`,
  )

  it('stay as they came, and the digest and size are of exactly them', () => {
    const before = Buffer.from(bytes)
    const manifest = parseManifest(bytes)
    expect(manifest.bytes).toBe(bytes)
    expect(Buffer.compare(bytes, before)).toBe(0)
    expect(manifest.digest).toBe(digestOf(before))
    expect(descriptorOf(manifest)).toEqual({
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(before),
      size: before.length,
    })
  })

  it('have the digest of the algorithm that was asked for', () => {
    const digest = digestOf(bytes, 'sha512')
    expect(parseManifest(bytes, { digest }).digest).toBe(digest)
  })

  it.each(['sha256', 'sha512'] as const)(
    'of another %s digest are refused before they are read',
    algorithm => {
      const digest: Digest = digestOf('other', algorithm)
      expect(fault('not even JSON', { digest })).toMatchObject({
        code: 'INTEGRITY',
        message: `h.io/app:1: the content has digest ${digestOf('not even JSON', algorithm)}, not ${digest}`,
      })
    },
  )
})

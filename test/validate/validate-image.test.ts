import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { type ValidateOptions, validateImage } from '../../src/validate/validate-image.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { addAttestation, addBlob, addIndex, addManifest, platforms, tag } from '../transfer/images.ts'
import { addLayered, archiveOf, layerOf, packed, type TestEntry, type TestImage } from './layered-image.ts'

const hello = { name: 'etc/hello', text: 'hello' }
const base = await layerOf({ name: 'etc/', type: 'directory' }, hello, {
  name: 'bin/hello',
  type: 'link',
  linkname: 'etc/hello',
})
const top = await layerOf(
  { name: 'etc/.wh.hello' },
  { name: 'var/.wh..wh..opq' },
  { name: 'usr', type: 'symlink', linkname: '../../..' },
)
const plain = await packed(base.archive, 'none')
const empty = await layerOf()
const ofAufs = await layerOf({ name: '.wh..wh.plnk/', type: 'directory' })
const withoutEnd = await packed(base.archive.subarray(0, base.archive.length - 1024))
const withMore = await packed(Buffer.concat([base.archive, Buffer.from('more')]))
const good: TestImage = { layers: [base, top] }
const other = digestOf('other')

interface Said {
  readonly severity: string
  readonly path: string
  readonly what: unknown
}

/** A finding as a test expects it: its severity, its path, and what it says. */
function said(severity: 'error' | 'warning', path: string, what: string | RegExp): Said {
  return { severity, path, what: typeof what === 'string' ? what : expect.stringMatching(what) }
}

async function validate(build: (store: MemoryStore) => Descriptor, options: Partial<ValidateOptions> = {}) {
  const source = new MemoryStore('from.test/app')
  tag(source, '1.0', build(source))
  const validation = await validateImage({ source, reference: '1.0', ...options })
  return { source, validation, findings: findingsOf(validation) }
}

function findingsOf({ findings }: Awaited<ReturnType<typeof validateImage>>) {
  return findings.map(({ severity, path, what }) => ({ severity, path, what }))
}

describe('an image that is right', () => {
  it('has no findings, and the report counts what was checked', async () => {
    const { source, validation } = await validate(store => addLayered(store, good))
    const sizes = [...source.blobs.values(), ...[...source.manifests.values()].map(({ bytes }) => bytes)]
    expect(validation).toEqual({
      digest: source.tags.get('1.0'),
      mediaType: mediaTypes.ociManifest,
      valid: true,
      errors: 0,
      warnings: 0,
      findings: [],
      checked: {
        manifests: 1,
        blobs: 3,
        foreign: 0,
        bytes: sizes.reduce((sum, { length }) => sum + length, 0),
      },
    })
  })

  it.each<[string, TestImage]>([
    ['of no layers', { layers: [] }],
    ['of the same layer twice', { layers: [base, base] }],
    ['of an empty archive', { layers: [empty] }],
    ['of layers that are not compressed', { layers: [plain] }],
    ['without a history', { layers: [base], config: { history: undefined } }],
    ['of which the history is empty', { layers: [base], config: { history: [] } }],
    ['with aufs metadata', { layers: [ofAufs] }],
    [
      'with diff ids of sha512',
      {
        layers: [base],
        config: { rootfs: { type: 'layers', diff_ids: [digestOf(base.archive, 'sha512')] } },
      },
    ],
  ])('may be %s', async (_, image) => {
    expect((await validate(store => addLayered(store, image))).findings).toEqual([])
  })

  it('may be an artifact of any form', async () => {
    const { findings } = await validate(store => {
      const empty = addBlob(store, '{}', mediaTypes.ociEmpty)
      const chart = addBlob(store, 'no tar', 'application/vnd.cncf.helm.chart')
      const artifactType = 'application/x-test'
      const image = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType,
        config: empty,
        layers: [empty, chart],
      }
      const old = { mediaType: mediaTypes.ociArtifact, artifactType, blobs: [chart] }
      return addIndex(store, [addManifest(store, image), addManifest(store, old)])
    })
    expect(findings).toEqual([])
  })

  it('may have attestations as BuildKit writes them', async () => {
    const { findings } = await validate(store => {
      const image = addLayered(store, good)
      const statement = addBlob(store, '{}', 'application/vnd.in-toto+json')
      const config = {
        architecture: 'unknown',
        os: 'unknown',
        rootfs: { type: 'layers', diff_ids: [statement.digest] },
      }
      const manifest = { layers: [statement] }
      const attestation = {
        ...addLayered(store, { layers: [], config, manifest }),
        platform: { os: 'unknown', architecture: 'unknown' },
      }
      const annotations = {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': image.digest,
      }
      return addIndex(store, [image, { ...attestation, annotations }])
    })
    expect(findings).toEqual([])
  })
})

describe('of an image with one thing wrong', () => {
  const cut = (bytes: Uint8Array, length: number) => bytes.subarray(0, length)
  const withBytes = (bytes: Uint8Array, archive = base.archive): TestImage => ({
    layers: [{ ...base, bytes, archive }],
  })

  it.each<[string, TestImage, ...Said[]]>([
    [
      'schemaVersion',
      { ...good, manifest: { schemaVersion: 3 } },
      said('error', '.', 'the schemaVersion is 3, not 2'),
    ],
    [
      'no schemaVersion',
      { ...good, manifest: { schemaVersion: undefined } },
      said('warning', '.', 'there is no schemaVersion'),
    ],
    [
      'an annotation without a key',
      { ...good, manifest: { annotations: { '': 'x' } } },
      said('warning', '.', 'an annotation has no key'),
    ],
    [
      'an annotation of a descriptor without a key',
      { ...good, layer: { annotations: { '': 'x' } } },
      said('warning', 'layers[0]', 'an annotation has no key'),
    ],
    [
      'a descriptor without a media type',
      { ...good, layer: { mediaType: undefined } },
      said('error', 'layers[0]', 'the descriptor has no media type'),
    ],
    [
      'a descriptor with other data',
      { ...good, layer: { data: 'AAAA' } },
      said('error', 'layers[0]', /data in the descriptor is not the content/),
    ],
    [
      'Docker types in an OCI manifest',
      { ...good, configDescriptor: { mediaType: mediaTypes.dockerConfig } },
      said('warning', '.', 'media types of OCI and of Docker are mixed'),
    ],
    [
      'a layer of an unknown type',
      { ...good, layer: { mediaType: 'application/x-unknown' } },
      said('warning', 'layers[0]', 'the media type application/x-unknown is none of a layer'),
    ],
    [
      'an empty config without an artifact type',
      { ...good, configDescriptor: { mediaType: mediaTypes.ociEmpty } },
      said('warning', '.', /artifactType/),
    ],
    [
      'a layer longer than listed',
      { ...good, layer: { size: 5 } },
      said('error', 'layers[0]', 'has more than 5 bytes, its descriptor says 5'),
    ],
    [
      'a layer shorter than listed',
      { ...good, layer: { size: 500_000 } },
      said('error', 'layers[0]', /^has \d+ bytes, its descriptor says 500000$/),
    ],
    [
      'a config of another size',
      { ...good, configDescriptor: { size: 5 } },
      said('error', 'config', 'has more than 5 bytes, its descriptor says 5'),
    ],
    [
      'a config that is no JSON',
      { layers: [], manifest: { config: undefined } },
      said('error', 'config', /the config is not JSON/),
    ],
    [
      'a config without a platform',
      { ...good, config: { os: undefined } },
      said('warning', 'config', 'the config does not say its platform'),
    ],
    [
      'a date that is none',
      { ...good, config: { created: 'today' } },
      said('warning', 'config', 'the date of creation is none'),
    ],
    [
      'a rootfs of another type',
      {
        ...good,
        config: { rootfs: { type: 'rooms', diff_ids: [base, top].map(({ archive }) => digestOf(archive)) } },
      },
      said('error', 'config', 'the type of the rootfs is rooms, not layers'),
    ],
    [
      'too few diff ids',
      { ...good, config: { rootfs: { type: 'layers', diff_ids: [digestOf(base.archive)] } } },
      said('error', 'config', 'there are 1 diff ids for 2 layers'),
    ],
    [
      'a diff id that is no digest',
      { layers: [base], config: { rootfs: { type: 'layers', diff_ids: ['x'] } } },
      said('error', 'config', 'diff_ids[0] is not a digest'),
    ],
    [
      'another diff id',
      { layers: [base], config: { rootfs: { type: 'layers', diff_ids: [other] } } },
      said(
        'error',
        'layers[0]',
        `the uncompressed layer is ${digestOf(base.archive)}, the config says ${other}`,
      ),
    ],
    [
      'a history of other length',
      { ...good, config: { history: [{ created_by: 'one' }] } },
      said('warning', 'config', 'the history has 1 steps that made a layer, there are 2 layers'),
    ],
    [
      'a layer that is compressed in another way than its type says',
      { layers: [{ ...base, bytes: base.archive }] },
      said(
        'error',
        'layers[0]',
        'is not compressed, its media type is application/vnd.oci.image.layer.v1.tar+gzip',
      ),
    ],
    [
      'a layer compressed against its type',
      { layers: [{ ...base, mediaType: 'application/vnd.oci.image.layer.v1.tar' }] },
      said(
        'error',
        'layers[0]',
        'is compressed with gzip, its media type is application/vnd.oci.image.layer.v1.tar',
      ),
    ],
    [
      'gzip that is cut off',
      withBytes(cut(base.bytes, base.bytes.length - 9)),
      said('error', 'layers[0]', /gzip data is damaged or cut off/),
    ],
    [
      'gzip with something behind it',
      withBytes(Buffer.concat([base.bytes, Buffer.from('rest')])),
      said('error', 'layers[0]', /damaged|not gzip is behind/),
    ],
    [
      'an archive that is cut off',
      withBytes(gzipSync(cut(base.archive, 1100))),
      said('error', 'layers[0]', /cut off/),
    ],
    [
      'no archive',
      withBytes(gzipSync('no archive at all')),
      said('error', 'layers[0]', /cut off|not a tar archive/),
    ],
    [
      'an archive without an end',
      { layers: [withoutEnd] },
      said('warning', 'layers[0]', /blocks of zeros .* missing/),
    ],
    ['something behind the archive', { layers: [withMore] }, said('warning', 'layers[0]', /behind the end/)],
    [
      'a foreign layer',
      {
        layers: [{ ...base, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }],
        layer: { urls: ['https://x.test'] },
      },
      said('warning', 'layers[0]', /^a foreign layer: .* not looked for/),
    ],
    [
      'a foreign layer that is nowhere',
      { layers: [{ ...base, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }] },
      said('warning', 'layers[0]', /does not say where/),
    ],
    [
      'an unknown subject',
      { ...good, manifest: { subject: { mediaType: mediaTypes.ociManifest, digest: other, size: 5 } } },
      said('warning', 'subject', 'the subject is not there'),
    ],
  ])('%s is found, and nothing else', async (_, image, ...expected) => {
    const { findings } = await validate(store => {
      const config =
        'config' in (image.manifest ?? {}) ? { config: addBlob(store, '{', mediaTypes.ociConfig) } : {}
      return addLayered(store, { ...image, manifest: { ...image.manifest, ...config } })
    })
    expect(findings).toEqual(expected)
  })

  it.each<[string, TestEntry, 'error' | 'warning', string | RegExp]>([
    ['an absolute name', { name: '/etc/passwd' }, 'warning', 'entry "/etc/passwd" is absolute'],
    [
      'a name that leads out',
      { name: 'a/../../b' },
      'error',
      'entry "a/../../b" leads out of the filesystem',
    ],
    [
      'a hard link that leads out',
      { name: 'a', type: 'link', linkname: '../b' },
      'error',
      'the target of the hard link "a" leads out of the filesystem',
    ],
    [
      'an absolute hard link',
      { name: 'a', type: 'link', linkname: '/b' },
      'warning',
      'the target of the hard link "a" is absolute',
    ],
    ['a whiteout of nothing', { name: 'a/.wh.' }, 'error', 'the whiteout "a/.wh." hides nothing'],
    [
      'a whiteout of the folder above',
      { name: 'a/.wh...' },
      'error',
      'the whiteout "a/.wh..." hides nothing',
    ],
    [
      'a whiteout that is a folder',
      { name: '.wh.a', type: 'directory' },
      'warning',
      'the whiteout ".wh.a/" is a directory, not an empty file',
    ],
    ['a whiteout with content', { name: '.wh.a', text: 'x' }, 'warning', 'the whiteout ".wh.a" is not empty'],
    ['an entry inside a whiteout', { name: '.wh.a/b' }, 'warning', 'entry ".wh.a/b" is inside a whiteout'],
  ])('%s in a layer is found', async (_, entry, severity, what) => {
    const layer = await layerOf(hello, entry, { name: 'z' })
    const { findings } = await validate(store => addLayered(store, { layers: [layer] }))
    expect(findings).toEqual([said(severity, 'layers[0]', what)])
  })

  it('the entries of a layer are told up to twenty, and the rest is counted', async () => {
    const bad = Array.from({ length: 25 }, (_, at) => ({ name: `../${at}` }))
    const layer = await layerOf(...bad, { name: '.wh.x/y' })
    const { findings } = await validate(store => addLayered(store, { layers: [layer] }))
    expect(findings).toHaveLength(22)
    expect(findings.slice(20)).toEqual([
      said('error', 'layers[0]', '5 more like these'),
      said('warning', 'layers[0]', '1 more like these'),
    ])
  })

  it('a layer that unpacks to more than allowed is found', async () => {
    const layer = await layerOf({ name: 'zeros', text: '\0'.repeat(100_000) })
    const build = (store: MemoryStore) => addLayered(store, { layers: [layer] })
    expect((await validate(build, { maxLayerBytes: 110_000 })).findings).toEqual([])
    const { findings } = await validate(build, { maxLayerBytes: 100_000 })
    expect(findings).toEqual([
      said('error', 'layers[0]', 'unpacks to more than 100000 bytes, which is the limit'),
    ])
  })

  it('other content under a digest is found, and not judged', async () => {
    const { findings } = await validate(store => {
      const image = addLayered(store, good)
      store.blobs.set(digestOf(base.bytes), Buffer.alloc(base.bytes.length))
      return image
    })
    expect(findings).toEqual([
      said('error', 'layers[0]', `the content has digest ${digestOf(Buffer.alloc(base.bytes.length))}`),
    ])
  })

  it('each missing blob is found, and the rest is checked all the same', async () => {
    const bad = await layerOf({ name: '../x' })
    const { findings, source } = await validate(store => {
      const image = addLayered(store, { layers: [base, bad, top], config: { os: undefined } })
      for (const { bytes } of [base, top]) store.blobs.delete(digestOf(bytes))
      return image
    })
    expect(findings).toEqual([
      said('warning', 'config', 'the config does not say its platform'),
      said('error', 'layers[0]', 'is not there'),
      said('error', 'layers[1]', 'entry "../x" leads out of the filesystem'),
      said('error', 'layers[2]', 'is not there'),
    ])
    expect(source.openStreams).toBe(0)
  })
})

describe('of an index with one thing wrong', () => {
  const two = (store: MemoryStore, ...images: Partial<TestImage>[]) =>
    ['linux/amd64', 'linux/arm64'].map((platform, at) =>
      addLayered(store, { ...good, platform, ...images[at] }),
    )

  it.each<[string, (store: MemoryStore) => Descriptor, ...Said[]]>([
    [
      'a missing manifest',
      store => {
        const entries = two(store)
        store.manifests.delete(entries[1]?.digest ?? other)
        return addIndex(store, entries)
      },
      said('error', 'manifests[1]', 'is not there'),
    ],
    [
      'another size of a manifest',
      store =>
        addIndex(
          store,
          two(store)
            .map(entry => ({ ...entry, size: 7 }))
            .slice(0, 1),
        ),
      said('error', 'manifests[0]', /^has \d+ bytes, its descriptor says 7$/),
    ],
    [
      'another type of a manifest',
      store =>
        addIndex(
          store,
          two(store).map((entry, at) => (at > 0 ? entry : { ...entry, mediaType: mediaTypes.ociIndex })),
        ),
      said(
        'error',
        'manifests[0]',
        `is ${mediaTypes.ociManifest}, its descriptor says ${mediaTypes.ociIndex}`,
      ),
    ],
    [
      'an unknown type',
      store =>
        addIndex(store, [
          ...two(store),
          {
            ...addManifest(store, {
              mediaType: 'application/x-a',
              layers: [],
              config: addBlob(store, 'x', 'application/x-config'),
            }),
          },
        ]),
      said('warning', '.', 'manifests[2]: the media type application/x-a is none of a manifest'),
      said('warning', 'manifests[2]', 'there is no schemaVersion'),
    ],
    [
      'a platform that is not the one of the config',
      store => addIndex(store, two(store, {}, { config: { architecture: 's390x' } })),
      said('error', 'manifests[1]', 'is for linux/s390x, listed for linux/arm64'),
    ],
    [
      'a variant that is not the one of the config',
      store =>
        addIndex(store, [
          addLayered(store, { ...good, platform: 'linux/arm/v7', config: { variant: 'v6' } }),
        ]),
      said('warning', 'manifests[0]', 'is for linux/arm/v6, listed for linux/arm/v7'),
    ],
    [
      'two images for a platform',
      store => addIndex(store, [...two(store), addLayered(store, { layers: [base] })]),
      said('warning', '.', 'manifests[2]: another image for linux/amd64'),
    ],
    [
      'an attestation of nothing',
      store =>
        addIndex(store, [
          ...two(store),
          {
            ...addAttestation(store, { mediaType: '', digest: other, size: 1 }),
            platform: { os: 'unknown', architecture: 'unknown' },
          },
        ]),
      said('warning', '.', `manifests[2]: attests ${other}, which the index does not list`),
      said('warning', 'manifests[2].config', 'the config does not say its platform'),
      said('error', 'manifests[2].config', 'there are 0 diff ids for 1 layers'),
      said('error', 'manifests[2].layers[0]', /cut off|not a tar/),
    ],
    [
      'a Docker list with OCI images',
      store => addIndex(store, two(store), { mediaType: mediaTypes.dockerList }),
      said('warning', '.', 'media types of OCI and of Docker are mixed'),
    ],
  ])('%s is found', async (_, build, ...expected) => {
    expect((await validate(build)).findings).toEqual(expected)
  })

  it('a malformed manifest is found, and one of an old form', async () => {
    const { source, validation } = await validate(store => addIndex(store, two(store)))
    const [first, second] = [...source.manifests.keys()]
    const { DrayError } = await import('../../src/errors.ts')
    source.faults.ask = async call => {
      if (call === `getManifest ${first}`)
        throw new DrayError('INTEGRITY', `from.test/app@${first}: is malformed`)
      if (call === `getManifest ${second}`)
        throw new DrayError('UNSUPPORTED', `from.test/app@${second}: is schema 1`)
    }
    expect(validation.valid).toBe(true)
    expect(findingsOf(await validateImage({ source, reference: '1.0' }))).toEqual([
      said('error', 'manifests[0]', 'is malformed'),
      said('warning', 'manifests[1]', 'not looked into: is schema 1'),
    ])
  })

  it('indexes that stand too deep inside one another are found', async () => {
    const { findings } = await validate(store => {
      let entry = addIndex(store, two(store))
      for (let depth = 0; depth < 10; depth++) entry = addIndex(store, [entry])
      return entry
    })
    expect(findings).toEqual([
      said('error', Array(10).fill('manifests[0]').join('.'), 'more than 8 indexes stand inside one another'),
    ])
  })

  it('the place of a finding has the digest and the platform', async () => {
    const layer = await layerOf({ name: '../x' })
    const { validation } = await validate(store => addIndex(store, two(store, {}, { layers: [base, layer] })))
    expect(validation.findings).toEqual([
      {
        severity: 'error',
        path: 'manifests[1].layers[1]',
        digest: digestOf(layer.bytes),
        platform: 'linux/arm64',
        what: 'entry "../x" leads out of the filesystem',
      },
    ])
  })
})

describe('a validation', () => {
  it('reads each manifest and each blob once, however often it is listed', async () => {
    const { source, validation } = await validate(store => {
      const amd64 = addLayered(store, good)
      const arm64 = addLayered(store, { layers: [base, top, top], platform: 'linux/arm64' })
      return addIndex(store, [
        amd64,
        arm64,
        { ...amd64, platform: { os: 'linux', architecture: 'amd64', variant: 'v2' } },
      ])
    })
    expect(validation).toMatchObject({ valid: true, checked: { manifests: 3, blobs: 4 } })
    expect(source.calls.toSorted()).toEqual(
      [
        'resolve 1.0',
        ...[...source.manifests.keys()].map(digest => `getManifest ${digest}`),
        ...[...source.blobs.keys()].map(digest => `getBlob ${digest} 0`),
      ].toSorted(),
    )
  })

  it('of some platforms reads nothing of the others', async () => {
    let amd64: Descriptor | undefined
    const build = (store: MemoryStore) => {
      amd64 = addLayered(store, good)
      const arm64 = addLayered(store, { layers: [base, base], platform: 'linux/arm64' })
      return addIndex(store, [amd64, arm64])
    }
    const { source, validation } = await validate(build, { platforms: platforms('linux/arm64') })
    expect(validation).toMatchObject({ valid: true, checked: { manifests: 2, blobs: 2 } })
    expect(source.calls).not.toContain(`getManifest ${amd64?.digest}`)
    expect(source.calls).not.toContain(`getBlob ${digestOf(top.bytes)} 0`)
  })

  it.each([
    ['an index', (store: MemoryStore) => addIndex(store, [addLayered(store, good)])],
    ['an image', (store: MemoryStore) => addLayered(store, good)],
  ])('fails for a platform that %s does not have', async (_, build) => {
    await expect(validate(build, { platforms: platforms('linux/s390x') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('fails when the image is missing', async () => {
    const source = new MemoryStore('from.test/app')
    await expect(validateImage({ source, reference: '1.0' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('goes on where a stream broke, and ends where the source cannot be asked', async () => {
    const { DrayError } = await import('../../src/errors.ts')
    const source = new MemoryStore('from.test/app')
    tag(source, '1.0', addLayered(source, good))
    let breaks = 1
    source.chunkBytes = 10
    source.faults.getBlob = async function* (content) {
      for await (const piece of content) {
        yield piece
        if (breaks-- > 0) throw new DrayError('NETWORK', 'broken')
      }
    }
    const reading = { sleep: async () => {} }
    expect((await validateImage({ source, reference: '1.0', reading })).valid).toBe(true)
    breaks = Number.POSITIVE_INFINITY
    source.faults.getBlob = () => {
      throw new DrayError('UNAUTHORIZED', 'no')
    }
    await expect(validateImage({ source, reference: '1.0', reading })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
  })

  it('holds nothing of a large layer, and ends when its signal fires', async () => {
    const source = new MemoryStore('from.test/app')
    tag(
      source,
      '1.0',
      addLayered(source, {
        layers: [await packed(await archiveOf({ name: 'a', text: 'x'.repeat(500_000) }), 'none')],
      }),
    )
    const controller = new AbortController()
    let bytes = 0
    const onEvent: ValidateOptions['onEvent'] = event => {
      if (event.type === 'blob-progress') bytes += event.bytes
      if (bytes > 100_000) controller.abort()
    }
    const validation = validateImage({ source, reference: '1.0', onEvent, signal: controller.signal })
    await expect(validation).rejects.toMatchObject({ code: 'ABORTED' })
    expect(bytes).toBeLessThan(110_000)
    expect(source.openStreams).toBe(0)
  })
})

describe('a fast validation', () => {
  class FindingStore extends MemoryStore {
    readonly found: string[] = []

    async findBlob(digest: Digest): Promise<Descriptor | undefined> {
      this.found.push(digest)
      const bytes = this.blobs.get(digest)
      return bytes && { mediaType: '', digest, size: bytes.length }
    }
  }

  const spoiled = (source: MemoryStore): void => {
    tag(source, '1.0', addLayered(source, { layers: [base, top, top, empty] }))
    source.blobs.delete(digestOf(base.bytes))
    source.blobs.set(digestOf(top.bytes), Buffer.from('short'))
  }

  it('asks for each blob once, and reads none', async () => {
    const source = new FindingStore('from.test/app')
    spoiled(source)
    const validation = await validateImage({ source, reference: '1.0', fast: true })
    const what = `has 5 bytes, its descriptor says ${top.bytes.length}`
    expect(findingsOf(validation)).toEqual([
      said('error', 'layers[0]', 'is not there'),
      said('error', 'layers[1]', what),
      said('error', 'layers[2]', what),
    ])
    expect(validation.checked).toMatchObject({
      manifests: 1,
      blobs: 4,
      bytes: source.manifests.values().next().value?.bytes.length,
    })
    expect(new Set(source.found).size).toBe(4)
    expect(source.found).toHaveLength(4)
    expect(source.callsOf('getBlob')).toEqual([])
  })

  it('opens the blobs of a source that cannot be asked, and leaves them', async () => {
    const source = new MemoryStore('from.test/app')
    spoiled(source)
    source.chunkBytes = 1
    const { findings } = await validateImage({ source, reference: '1.0', fast: true })
    expect(findings.map(({ path, what }) => `${path} ${what}`)).toEqual(['layers[0] is not there'])
    expect(source.openStreams).toBe(0)
  })
})

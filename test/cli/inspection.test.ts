import { describe, expect, it } from 'vitest'
import { type Inspection, inspectionOf } from '../../src/cli/inspection.ts'
import { parseConfig } from '../../src/oci/config.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'

const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document))
const layer = (name: string, size: number) => ({ mediaType: 'layer', digest: digestOf(name), size })
const configDescriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf('config'), size: 6 }
const imageOf = (layers: unknown[], more = {}) =>
  parseManifest(bytesOf({ mediaType: mediaTypes.ociManifest, config: configDescriptor, layers, ...more }))
const configOf = (document: unknown) => parseConfig(bytesOf(document), 'config')
const pairing = ({ layers, history }: Inspection) => ({
  made: layers.map(({ createdBy }) => createdBy),
  places: history.map(step => step.layer),
})

describe('an inspection of an image', () => {
  const manifest = imageOf([layer('a', 100), layer('b', 23)], { annotations: { note: 'x' } })
  const config = configOf({
    created: '2024-01-02T03:04:05Z',
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
    config: {
      User: 'nobody',
      Env: ['A=1'],
      Entrypoint: ['/app'],
      Cmd: '--help',
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
      Labels: { l: 'v' },
    },
    history: [
      { created_by: 'ADD rootfs' },
      { created_by: 'ENV A=1', empty_layer: true },
      { created_by: 'COPY . .' },
    ],
  })
  const inspection = inspectionOf({ reference: 'r/a:1', manifest, config })

  it('tells what the manifest and the config say', () => {
    expect(inspection).toMatchObject({
      reference: 'r/a:1',
      digest: manifest.digest,
      mediaType: mediaTypes.ociManifest,
      kind: 'image',
      artifactType: null,
      imageDigest: manifest.digest,
      platform: 'linux/arm/v7',
      created: '2024-01-02T03:04:05Z',
      size: 123,
      subject: null,
      annotations: { note: 'x' },
      platforms: [],
      config: {
        user: 'nobody',
        entrypoint: ['/app'],
        cmd: ['--help'],
        env: ['A=1'],
        workingDir: null,
        exposedPorts: ['80/tcp'],
        volumes: ['/data'],
        stopSignal: null,
        author: null,
        labels: { l: 'v' },
      },
    })
  })

  it('pairs layers with the steps that made them, past empty layers', () => {
    expect(pairing(inspection)).toEqual({ made: ['ADD rootfs', 'COPY . .'], places: [0, null, 1] })
    expect(inspection.history.map(step => step.emptyLayer)).toEqual([false, true, false])
  })

  it.each([
    ['too short', [{ created_by: 'one' }]],
    ['too long', [{ created_by: 'one' }, { created_by: 'two' }, { created_by: 'three' }]],
  ])('pairs nothing where the history is %s', (_, history) => {
    const found = inspectionOf({ reference: 'r', manifest, config: configOf({ history }) })
    expect(pairing(found)).toEqual({ made: [null, null], places: history.map(() => null) })
    expect(found.history).toHaveLength(history.length)
  })

  it('has the same fields when there is no config', () => {
    const bare = inspectionOf({ reference: 'r', manifest })
    expect(Object.keys(bare)).toEqual(Object.keys(inspection))
    expect(bare).toMatchObject({ config: null, created: null, platform: null, size: 123, history: [] })
    expect(pairing(bare).made).toEqual([null, null])
  })

  it('bears a config that is all null', () => {
    const empty = configOf({ created: '', os: null, config: null, history: null })
    expect(inspectionOf({ reference: 'r', manifest, config: empty })).toMatchObject({
      created: null,
      platform: null,
      config: { user: null, env: [], entrypoint: null, labels: {} },
    })
  })
})

describe('an inspection of an index', () => {
  const image = imageOf([layer('a', 100)])
  const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' }
  const index = parseManifest(
    bytesOf({
      mediaType: mediaTypes.ociIndex,
      annotations: { 'org.opencontainers.image.created': '2023-01-01T00:00:00Z' },
      manifests: [
        { mediaType: mediaTypes.ociManifest, digest: image.digest, size: 500, platform },
        { mediaType: 'odd', digest: digestOf('x'), size: 7, artifactType: 'sbom', annotations: { a: 'b' } },
      ],
    }),
  )

  it('lists its manifests and describes the chosen one', () => {
    const found = inspectionOf({
      reference: 'r',
      manifest: index,
      platformManifest: image,
      config: configOf({}),
    })
    expect(found).toMatchObject({
      kind: 'index',
      digest: index.digest,
      imageDigest: image.digest,
      platform: 'linux/arm64',
      created: '2023-01-01T00:00:00Z',
      size: 100,
      platforms: [
        { platform: 'linux/arm64', digest: image.digest, size: 500, artifactType: null, annotations: {} },
        { platform: null, mediaType: 'odd', size: 7, artifactType: 'sbom', annotations: { a: 'b' } },
      ],
    })
  })

  it('describes none where none was chosen', () => {
    expect(inspectionOf({ reference: 'r', manifest: index })).toMatchObject({
      imageDigest: null,
      platform: null,
      size: null,
      config: null,
      layers: [],
    })
  })
})

describe('an inspection of an artifact', () => {
  it('takes its blobs for layers and names its subject', () => {
    const subject = layer('subject', 9)
    const manifest = parseManifest(
      bytesOf({ mediaType: mediaTypes.ociArtifact, artifactType: 'sig', blobs: [layer('s', 5)], subject }),
    )
    expect(inspectionOf({ reference: 'r', manifest })).toMatchObject({
      kind: 'artifact',
      artifactType: 'sig',
      subject: subject.digest,
      size: 5,
      layers: [{ digest: digestOf('s'), size: 5 }],
    })
  })
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ageOf, inspectText } from '../../src/cli/inspect-view.ts'
import { type Inspection, inspectionOf } from '../../src/cli/inspection.ts'
import { widthOf } from '../../src/cli/text-width.ts'
import { parseConfig } from '../../src/oci/config.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'

const now = new Date('2025-04-20T12:00:00Z')
const fixture = join(import.meta.dirname, '../../fixtures/hello')
const readBlob = (digest: Digest) => readFile(join(fixture, 'blobs', digest.replace(':', '/')))
const readIndex = async () => parseManifest(await readFile(join(fixture, 'index.json')))

const plain: Inspection = {
  reference: 'localhost:5000/app:1',
  digest: digestOf('app'),
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  kind: 'image',
  artifactType: null,
  imageDigest: digestOf('app'),
  platform: 'linux/amd64',
  created: null,
  size: 3_400_000,
  subject: null,
  annotations: {},
  platforms: [],
  config: null,
  layers: [
    { digest: digestOf('l'), mediaType: 'layer/type', size: 3_400_000, annotations: {}, createdBy: null },
  ],
  history: [],
}
const step = (createdBy: string, layer: number | null) => ({
  created: null,
  createdBy,
  comment: null,
  emptyLayer: layer === null,
  layer,
})

describe('the text of an inspection', () => {
  it('shows a real index with its first image', async () => {
    const layout = await readIndex()
    const root = layout.kind === 'index' ? layout.content.manifests[0] : undefined
    if (root === undefined) throw new Error('the fixture has no image')
    const manifest = parseManifest(await readBlob(root.digest))
    const child = manifest.kind === 'index' ? manifest.content.manifests[0] : undefined
    if (child === undefined) throw new Error('the fixture has no index')
    const platformManifest = parseManifest(await readBlob(child.digest))
    if (platformManifest.kind !== 'image') throw new Error('the fixture has no image')
    const config = parseConfig(await readBlob(platformManifest.content.config.digest), 'config')
    const text = inspectText(inspectionOf({ reference: 'r/hello:1.0', manifest, platformManifest, config }), {
      now,
    })
    const short = (digest: string) => digest.slice(7, 19)
    const lines = text.split('\n')
    expect(lines.slice(0, 6)).toEqual([
      'Name     r/hello:1.0',
      `Digest   ${manifest.digest}`,
      'Type     application/vnd.oci.image.index.v1+json',
      'Platform linux/amd64 (marked * below; its config and layers are shown)',
      'Created  2025-01-15T12:00:00Z (3 months ago)',
      expect.stringMatching(/^Size {5}\d+ B in 2 layers$/),
    ])
    expect(lines).toContain('     PLATFORM      DIGEST        MANIFEST  TYPE')
    expect(lines).toContain(`  *  linux/amd64   ${short(child.digest)}     ${child.size} B  OCI image`)
    expect(lines).toContain('  Entrypoint  ["/bin/hello"]')
    expect(lines).toContain('  Env         PATH=/bin')
    expect(lines).toContain('              HELLO_VERSION=1.0')
    expect(lines.slice(-5)).toEqual([
      'Layers',
      expect.stringMatching(/^ {2}1 {2}[0-9a-f]{12} {2}\d+ B {2}COPY etc LICENSE \/$/),
      expect.stringMatching(/^ {2}2 {2}[0-9a-f]{12} {2}\d+ B {2}COPY hello \/bin\/hello$/),
      '  -  empty                ENTRYPOINT ["/bin/hello"]',
      '',
    ])
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(80)
  })

  it('says what each layer is where nothing tells how it was made', () => {
    const [layer] = plain.layers
    if (layer === undefined) throw new Error('no layer')
    const titled = { ...layer, annotations: { 'org.opencontainers.image.title': 'notes.txt' } }
    const text = inspectText({ ...plain, layers: [layer, titled] }, { now })
    const digest = digestOf('l').slice(7, 19)
    expect(text).toContain(`Layers\n  1  ${digest}  3.4 MB  layer/type\n  2  ${digest}  3.4 MB  notes.txt\n`)
  })

  it.each([
    ['/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'],
    ['/bin/sh -c apk add curl', 'RUN apk add curl'],
    ['|1 V=1 /bin/sh -c make   all', 'RUN make all'],
    ['COPY . /app # buildkit', 'COPY . /app'],
    ['RUN /bin/sh -c true # buildkit', 'RUN /bin/sh -c true'],
  ])('shortens the command %j', (command, wanted) => {
    const text = inspectText({ ...plain, history: [step(command, 0)] }, { now })
    expect(text).toMatch(/Layers\n.*MB {2}(.*)\n$/)
    expect(/MB {2}(.*)\n$/.exec(text)?.[1]).toBe(wanted)
  })

  it('cuts long commands to the width of the terminal', () => {
    const history = [step(`RUN ${'日本語 '.repeat(200)}`, 0)]
    for (const columns of [40, 80, 200]) {
      const last =
        inspectText({ ...plain, history }, { now, columns })
          .trimEnd()
          .split('\n')
          .at(-1) ?? ''
      expect(last.endsWith('…')).toBe(true)
      expect(widthOf(last)).toBeLessThanOrEqual(columns)
      expect(widthOf(last)).toBeGreaterThan(columns - 4)
    }
  })

  it('shows layers alone where the history does not fit them', () => {
    const text = inspectText({ ...plain, history: [{ ...step('a', null), emptyLayer: false }] }, { now })
    expect(text.split('\n').slice(-3)).toEqual([
      `  1  ${digestOf('l').slice(7, 19)}  3.4 MB  layer/type`,
      '  (the history has 1 step, which do not fit)',
      '',
    ])
  })

  it('escapes what the image could do to a terminal, everywhere', () => {
    const evil = '\x1b[2Jx\u202ey\nz'
    const text = inspectText(
      {
        ...plain,
        reference: evil,
        mediaType: evil,
        artifactType: evil,
        created: evil,
        annotations: { [evil]: evil },
        platforms: [
          {
            platform: evil,
            digest: digestOf('p'),
            mediaType: evil,
            artifactType: null,
            size: 1,
            annotations: {},
          },
        ],
        config: {
          user: evil,
          entrypoint: [evil],
          cmd: [evil],
          env: [evil],
          workingDir: evil,
          exposedPorts: [evil],
          volumes: [evil],
          stopSignal: evil,
          author: evil,
          labels: { [evil]: evil },
        },
        history: [step(evil, 0)],
      },
      { now },
    )
    expect(text).not.toMatch(/[\x1b\u202e]/)
    expect(text.split('\n').filter(line => line.startsWith('z'))).toEqual([])
  })
})

describe('the age of an image', () => {
  it.each([
    ['2025-04-20T11:59:59Z', '1 second ago'],
    ['2025-04-20T11:58:00Z', '2 minutes ago'],
    ['2025-04-20T02:00:00+01:00', '11 hours ago'],
    ['2025-04-18T12:00:00Z', '2 days ago'],
    ['2025-01-15T12:00:00.123456789Z', '3 months ago'],
    ['2020-04-01T00:00:00Z', '5 years ago'],
    ['1970-01-01T00:00:00Z', ''],
    ['0001-01-01T00:00:00Z', ''],
    ['2026-01-01T00:00:00Z', ''],
    ['yesterday', ''],
  ])('made %s is %j', (created, wanted) => {
    expect(ageOf(created, now)).toBe(wanted)
  })
})

import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../src/oci/digest.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath, readFixtureManifest } from '../support/fixtures.ts'
import { peer, requirePeers } from '../support/peers.ts'
import { run, runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const index = readFixtureManifest('hello', fixtureDescriptor('hello', '1.1'))
const entries = index.kind === 'index' ? index.content.manifests : []
const images = entries.map(entry => readFixtureManifest('hello', entry))
const layersOf = (at: number): readonly Digest[] => {
  const image = images[at]
  return image?.kind === 'image' ? image.content.layers.map(({ digest }) => digest) : []
}

describe('the images of fixtures/', patience, () => {
  it.each(['hello:1.0', 'hello:1.1', 'hello-docker:1.0'])('are valid: %s', async name => {
    const { stdout } = await dray(['validate', `oci:${fixturePath(name)}`])
    expect(stdout).toMatch(/^valid: no findings in 4 manifests, [78] blobs; [\d.]+ kB read\n$/)
  })

  it('give a document with all fields', async () => {
    const { digest, mediaType, bytes } = index
    expect(await drayJson(['validate', '--fast', `oci:${fixturePath('hello')}:1.1`])).toEqual({
      reference: `oci:${fixturePath('hello')}:1.1`,
      fast: true,
      digest,
      mediaType,
      valid: true,
      errors: 0,
      warnings: 0,
      findings: [],
      checked: {
        manifests: 4,
        blobs: 8,
        foreign: 0,
        bytes: images.reduce((sum, image) => sum + image.bytes.length, bytes.length),
      },
    })
  })
})

describe('a layout that is broken', patience, () => {
  let folder: TempDir
  let location: string
  const blobPath = (digest = '' as Digest) => join(folder.path, 'blobs/sha256', hexOf(digest))
  beforeEach(async () => {
    folder = await makeTempDir()
    await cp(fixturePath('hello'), folder.path, { recursive: true })
    location = `oci:${folder.path}:1.1`
  })
  afterEach(() => folder.remove())

  it('is told on stdout with every finding, and on stderr in one line, with exit code 6', async () => {
    await rm(blobPath(layersOf(0)[1]))
    await writeFile(blobPath(layersOf(1)[1]), 'short')
    const { code, stdout, stderr } = await runDray(['validate', location])
    expect(code).toBe(6)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(
        /^error {4}linux\/amd64 {2}manifests\[0\]\.layers\[1\] +[0-9a-f]{12} {2}is not there$/,
      ),
      expect.stringMatching(
        /^error {4}linux\/arm64 {2}manifests\[1\]\.layers\[1\] +[0-9a-f]{12} {2}has 5 bytes, its descriptor says \d+$/,
      ),
      expect.stringMatching(/^error {4}linux\/arm64 .* the content has digest sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/^not valid: 3 errors in 4 manifests, 8 blobs; /),
    ])
    expect(stderr).toMatch(/(^|\n)dray: oci:.*:1\.1 is not valid: 3 errors in 4 manifests, .*\n$/)
  })

  it('is valid for the platforms that are whole', async () => {
    await rm(blobPath(layersOf(0)[1]))
    await dray(['validate', '--platform', 'linux/arm64', '--platform', 'linux/arm/v7', location])
    const { code, stdout } = await runDray([
      'validate',
      '--format',
      'json',
      '--platform',
      'linux/amd64',
      location,
    ])
    expect([code, JSON.parse(stdout).errors]).toEqual([6, 1])
  })

  it('has exit code 3 when the image itself is missing', async () => {
    expect(await drayFails(3, ['validate', `oci:${folder.path}:none`])).toContain('there is no tag "none"')
    expect(await drayFails(3, ['validate', '--platform', 'linux/s390x', location])).toContain('linux/s390x')
  })

  it.skipIf(!requirePeers('crane'))('is judged by crane in the same way', async () => {
    await using registry = await startEmbeddedRegistry()
    const crane = async (tag: string) =>
      (
        await run(peer('crane') ?? '', [
          'validate',
          '--remote',
          `${registry.host}/hello:${tag}`,
          '--insecure',
        ])
      ).code
    const ours = async (tag: string) => (await runDray(['validate', `${registry.host}/hello:${tag}`])).code
    await dray(['copy', '--platform', 'linux/amd64', '--unpack', location, `${registry.host}/hello:amd64`])
    await dray(['copy', '--platform', 'linux/arm64', '--unpack', location, `${registry.host}/hello:arm64`])
    expect([await crane('amd64'), await ours('amd64')]).toEqual([0, 0])
    const broken = join(registry.dir, 'hello/blobs/sha256', hexOf(layersOf(0)[1] ?? ('' as Digest)))
    await writeFile(broken, 'other')
    expect([await crane('amd64'), await ours('amd64')]).toEqual([1, 6])
    expect([await crane('arm64'), await ours('arm64')]).toEqual([0, 0])
  })
})

describe('the requests of a validation', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let proxy: FaultyProxy
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    await dray(['copy', '--quiet', `oci:${fixturePath('hello')}:1.1`, `${registry.host}/hello:1.1`])
  })
  beforeEach(async () => {
    proxy = opened.use(await startFaultyProxy(`http://${registry.host}`))
  })
  afterAll(() => opened.disposeAsync())

  const told = () => {
    const counts: Record<string, number> = {}
    for (const { method, path } of proxy.requests) {
      const kind = `${method} ${/manifests|blobs/.exec(path)?.[0]}`
      counts[kind] = (counts[kind] ?? 0) + 1
    }
    return counts
  }

  it('are one for each manifest and each blob, though images share them', async () => {
    await dray(['validate', `${proxy.host}/hello:1.1`])
    expect(told()).toEqual({ 'HEAD manifests': 1, 'GET manifests': 4, 'GET blobs': 8 })
    const paths = proxy.requests.filter(({ method }) => method === 'GET').map(({ path }) => path)
    expect(new Set(paths).size).toBe(12)
  })

  it('download no blob with --fast', async () => {
    await dray(['validate', '--fast', `${proxy.host}/hello:1.1`])
    expect(told()).toEqual({ 'HEAD manifests': 1, 'GET manifests': 4, 'HEAD blobs': 8 })
  })

  it.each<[string, ...string[]]>([['reading all'], ['asking only', '--fast']])(
    'find what the registry has lost, %s',
    async (_, ...flags) => {
      const lost = layersOf(0).slice(0, 1)
      proxy.spoil({
        path: new RegExp(`/blobs/${lost[0]}$`),
        fault: { kind: 'answer', status: 404 },
        times: 9,
      })
      proxy.spoil({
        path: new RegExp(`/manifests/${images[2]?.digest}$`),
        fault: { kind: 'answer', status: 404 },
        times: 9,
      })
      const { code, stdout } = await runDray([
        'validate',
        '--format',
        'json',
        ...flags,
        `${proxy.host}/hello:1.1`,
      ])
      const findings: { path: string; what: string; digest: string }[] = JSON.parse(stdout).findings
      expect(code).toBe(6)
      expect(findings.map(({ path, what, digest }) => `${path} ${what} ${digest}`)).toEqual([
        `manifests[0].layers[0] is not there ${lost[0]}`,
        `manifests[2] is not there ${images[2]?.digest}`,
      ])
    },
  )

  it('go on where a download breaks', async () => {
    proxy.spoil({ path: new RegExp(`/blobs/${layersOf(1)[1]}$`), fault: { kind: 'cut', afterBytes: 50 } })
    await dray(['validate', `${proxy.host}/hello:1.1`])
  })
})

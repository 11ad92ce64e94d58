import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath, readFixtureBlob, readFixtureManifest } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}`
const image = fixtureDescriptor('hello', '1.0')
const index = readFixtureManifest('hello', image)

describe.skipIf(!requirePeers('docker-registry'))('with docker-registry, dray', patience, () => {
  const registries = new AsyncDisposableStack()
  let first = ''
  let second = ''
  let accessLog: () => string[]

  beforeAll(async () => {
    const [one, two] = await Promise.all([startDockerRegistry(), startDockerRegistry()])
    registries.use(one)
    registries.use(two)
    first = one.host
    second = two.host
    accessLog = one.accessLog
    await dray(['copy', `${hello}:1.0`, `${first}/team/hello:1.0`])
  })
  afterAll(() => registries.disposeAsync())

  it('copies every platform byte for byte, and has nothing to do the second time', async () => {
    const from = `${first}/team/hello:1.0`
    const to = `${second}/copies/hello:1.0`
    expect(await drayJson(['copy', from, to])).toMatchObject({
      source: `${first}/team/hello`,
      destination: `${second}/copies/hello`,
      digest: image.digest,
      changed: false,
      platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7'],
      manifests: { copied: 4, present: 0 },
      blobs: { copied: 7, mounted: 0, present: 0, foreign: 0 },
    })
    expect(await drayJson(['copy', from, to])).toMatchObject({
      digest: image.digest,
      manifests: { copied: 0, present: 1 },
      blobs: { copied: 0, mounted: 0, present: 0, foreign: 0 },
      bytes: 0,
    })
    const again = await dray(['copy', from, to])
    expect(again.stdout).toBe(`${to}@${image.digest}\n`)
    expect(again.stderr).toMatch(/^nothing to do, it is all there; [\d.]+m?s\n$/)
  })

  it('mounts blobs from another repository of the same registry instead of sending them', async () => {
    const result = await drayJson(['copy', `${first}/team/hello:1.0`, `${first}/mounted/hello:1.0`])
    expect(result).toMatchObject({ blobs: { copied: 0, mounted: 7 }, bytes: 0 })
    const log = () => accessLog().filter(line => line.includes('/v2/mounted/hello/blobs/'))
    await expect.poll(() => log().length).toBe(7)
    for (const line of log())
      expect(line).toMatch(/"POST \/v2\/mounted\/hello\/blobs\/uploads\/\?\S+ HTTP\/1\.1" 201/)
  })

  it('copies into a layout and from there on, still the same', async () => {
    await using folder = await makeTempDir()
    const layout = `oci:${folder.path}/new`
    await dray(['copy', `${first}/team/hello:1.0`, layout])
    expect((await dray(['ls', layout])).stdout).toBe('1.0\n')
    await dray(['copy', layout, `${second}/from-layout/hello:1.0`])
    expect((await dray(['digest', `${second}/from-layout/hello:1.0`])).stdout).toBe(`${image.digest}\n`)
  })

  it('writes a smaller index for a choice of platforms, and says the new digest', async () => {
    const chosen = ['--platform', 'linux/amd64', '--platform', 'linux/arm64']
    const to = `${second}/subset/hello:1.0`
    const result = await drayJson(['copy', ...chosen, `${first}/team/hello:1.0`, to])
    expect(result).toMatchObject({
      sourceDigest: image.digest,
      changed: true,
      platforms: ['linux/amd64', 'linux/arm64'],
    })
    const { digest } = result as { digest: string }
    expect((await dray(['digest', to])).stdout).toBe(`${digest}\n`)
    expect(digest).not.toBe(image.digest)
  })

  it('takes one image out of its index, under its own digest', async () => {
    const to = `${second}/unpacked/hello:1.0`
    await dray(['copy', '--unpack', '--platform', 'linux/arm/v7', `${first}/team/hello:1.0`, to])
    const [, , arm] = index.kind === 'index' ? index.content.manifests : []
    expect((await dray(['digest', to])).stdout).toBe(`${arm?.digest}\n`)
  })

  it('prints the digest that a tag stands for, with one request', async () => {
    const seen = accessLog().length
    const { stdout } = await dray(['digest', `${first}/team/hello:1.0`])
    expect(stdout).toBe(`${image.digest}\n`)
    await expect
      .poll(() => accessLog().slice(seen))
      .toEqual([expect.stringContaining('"HEAD /v2/team/hello/manifests/1.0 HTTP/1.1" 200')])
    const full = await dray(['digest', '--full-ref', `${first}/team/hello:1.0`])
    expect(full.stdout).toBe(`${first}/team/hello@${image.digest}\n`)
  })

  it('prints manifest, configuration and blob as they are, to the byte', async () => {
    const name = `${first}/team/hello`
    expect((await dray(['manifest', `${name}:1.0`])).stdoutBytes).toEqual(Buffer.from(index.bytes))
    const amd64 = index.kind === 'index' ? index.content.manifests[0] : undefined
    const platform = readFixtureManifest('hello', amd64 ?? image)
    expect((await dray(['manifest', '--platform', 'linux/amd64', `${name}:1.0`])).stdoutBytes).toEqual(
      Buffer.from(platform.bytes),
    )
    const { config, layers } = platform.kind === 'image' ? platform.content : { config: image, layers: [] }
    expect((await dray(['config', '--platform', 'linux/amd64', `${name}:1.0`])).stdoutBytes).toEqual(
      readFixtureBlob('hello', config.digest),
    )
    const layer = layers[0] ?? image
    const bytes = readFixtureBlob('hello', layer.digest)
    expect((await dray(['blob', `${name}@${layer.digest}`])).stdoutBytes).toEqual(bytes)
    expect((await dray(['blob', '--start', '100', `${name}@${layer.digest}`])).stdoutBytes).toEqual(
      bytes.subarray(100),
    )
  })

  it('shows an image to people, and as a document', async () => {
    const name = `${first}/team/hello:1.0`
    const { stdout } = await dray(['inspect', '--platform', 'linux/arm64', name])
    expect(stdout).toContain(`Name     ${name}\n`)
    expect(stdout).toContain(`Digest   ${image.digest}\n`)
    for (const platform of ['linux/amd64', 'linux/arm64', 'linux/arm/v7']) expect(stdout).toContain(platform)
    expect(stdout).toContain('Entrypoint  ["/bin/hello"]\n')
    expect(await drayJson(['inspect', '--platform', 'linux/arm64', name])).toMatchObject({
      reference: name,
      digest: image.digest,
      kind: 'index',
      platform: 'linux/arm64',
      config: { entrypoint: ['/bin/hello'], user: '65534:65534' },
    })
  })

  it('lists repositories and tags, and gives an image more tags without moving a blob', async () => {
    await dray(['copy', `${hello}:1.1`, `${first}/listed/hello:v1.1.0`])
    await dray(['copy', `${hello}:1.0`, `${first}/listed/hello:v1.0.0`])
    const seen = accessLog().length
    const tagged = await dray(['tag', `${first}/listed/hello:v1.0.0`, 'stable', '1'])
    const line = (tag: string) => `${first}/listed/hello:${tag}@${image.digest}\n`
    expect(tagged.stdout).toBe(line('stable') + line('1'))
    const requests = () => accessLog().slice(seen)
    await expect.poll(() => requests().length).toBe(3)
    expect(requests().filter(request => request.includes('blobs'))).toEqual([])

    const { stdout } = await dray(['ls', `${first}/listed/hello`])
    expect(stdout.split('\n').sort()).toEqual(['', '1', 'stable', 'v1.0.0', 'v1.1.0'])
    const newest = await dray(['ls', '--semver', '^1', '--latest', '1', `${first}/listed/hello`])
    expect(newest.stdout).toBe('v1.1.0\n')
    const digests = await dray(['ls', '--digests', '--match', 'stable', `${first}/listed/hello`])
    expect(digests.stdout).toBe(`stable\t${image.digest}\n`)
    expect((await dray(['catalog', first])).stdout.split('\n')).toContain('listed/hello')
    expect((await dray(['catalog', '--full-ref', first])).stdout.split('\n')).toContain(
      `${first}/listed/hello`,
    )
  })

  it('deletes an image, and its other tags only when it is told to', async () => {
    const name = `${second}/deleted/hello`
    await dray(['copy', '-t', 'also', `${hello}:1.0`, `${name}:1.0`])
    await dray(['copy', `${hello}:1.1`, `${name}:1.1`])
    expect(await drayFails(1, ['delete', `${name}:1.0`])).toMatch(
      /cannot delete a tag alone.*: also\nhint: .*--force/,
    )
    expect((await dray(['ls', '--sort', 'name', name])).stdout).toBe('1.0\n1.1\nalso\n')
    const forced = await drayJson(['delete', '--force', `${name}:1.0`])
    expect(forced).toMatchObject({ digest: image.digest, manifest: true, dryRun: false })
    expect((await dray(['ls', name])).stdout).toBe('1.1\n')
    await drayFails(3, ['digest', `${name}@${image.digest}`])
    expect((await dray(['delete', `${name}:1.1`])).stdout).toContain(`deleted ${name}:1.1\n`)
    expect((await dray(['ls', name])).stdout).toBe('')
  })

  it('says how, when a registry has deletion switched off', async () => {
    await using closed = await startDockerRegistry({ delete: false })
    await dray(['copy', `${hello}:1.0`, `${closed.host}/hello:1.0`])
    expect(await drayFails(1, ['delete', `${closed.host}/hello@${image.digest}`, '--force'])).toMatch(
      /hint: .*REGISTRY_STORAGE_DELETE_ENABLED/,
    )
    expect((await dray(['ls', `${closed.host}/hello`])).stdout).toBe('1.0\n')
  })
})

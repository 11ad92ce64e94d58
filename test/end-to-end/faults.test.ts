import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hexOf } from '../../src/oci/digest.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { requirePeers } from '../support/peers.ts'
import { startDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const megabyte = 1_000_000

describe.skipIf(!requirePeers('docker-registry'))('when the connection is bad, a copy', patience, () => {
  const opened = new AsyncDisposableStack()
  const perTest: AsyncDisposable[] = []
  let registry: DockerRegistry
  let embedded: EmbeddedRegistry
  let big: GeneratedLayout
  let image = ''
  let proxy: FaultyProxy
  let folder: TempDir
  let into = ''
  let fetched: (path?: string) => Promise<void>

  beforeAll(async () => {
    registry = opened.use(await startDockerRegistry())
    embedded = opened.use(await startEmbeddedRegistry())
    big = opened.use(await generateLayout(20 * megabyte))
    await dray(['copy', `oci:${big.path}:big`, `${registry.host}/source:big`])
  })
  afterAll(() => opened.disposeAsync())

  beforeEach(async () => {
    proxy = await startFaultyProxy(registry.url)
    folder = await makeTempDir()
    perTest.push(proxy, folder)
    image = `${proxy.host}/source:big`
    into = join(folder.path, 'layout')
    // Reading all of it again verifies all of it.
    fetched = async (path = into) =>
      expect(
        await drayJson(['copy', '--quiet', `oci:${path}:big`, `oci:${folder.path}/verified:big`]),
      ).toMatchObject({ digest: big.manifest.digest, bytes: bytesOf(big) })
  })
  afterEach(async () => {
    for (const each of perTest.splice(0)) await each[Symbol.asyncDispose]()
  })

  const layer = () => big.layers[0]?.digest ?? big.manifest.digest
  const blobPath = () => new RegExp(`/blobs/${layer()}$`)
  const requestsOf = (method: string, path: RegExp) =>
    proxy.requests.filter(request => request.method === method && path.test(request.path))

  describe('from a registry', () => {
    const download = (...flags: string[]) => ['copy', ...flags, image, `oci:${into}:big`]

    it('goes on at the byte where the connection was cut', async () => {
      const path = blobPath()
      proxy.spoil({ method: 'GET', path, fault: { kind: 'cut', afterBytes: 7 * megabyte } })
      const { stderr } = await dray(download())
      expect(stderr).toMatch(/^retry: .*; trying again in \d+ms$/m)
      await fetched()
      const [first, second, ...more] = requestsOf('GET', path)
      expect(more).toEqual([])
      const start = Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1])
      expect(start).toBeGreaterThan(0)
      expect(start).toBeLessThanOrEqual(first?.sent ?? 0)
      expect(second?.sent).toBe(20 * megabyte - start)
    })

    it('goes on where a body ended too early', async () => {
      const path = blobPath()
      proxy.spoil({ method: 'GET', path, fault: { kind: 'truncate', afterBytes: 3 * megabyte } })
      await dray(download('--quiet'))
      await fetched()
      expect(requestsOf('GET', path)[1]?.headers.range).toBe(`bytes=${3 * megabyte}-`)
    })

    it('goes on when a body stalls and then comes again', async () => {
      const path = blobPath()
      proxy.spoil({ method: 'GET', path, fault: { kind: 'stall', afterBytes: megabyte } })
      await dray(download('--quiet', '--timeout', '1s'))
      await fetched()
    })

    it('gives up on a body that stalls again and again, and leaves no part of a file', async () => {
      proxy.spoil({ method: 'GET', path: blobPath(), times: 9, fault: { kind: 'stall', afterBytes: 0 } })
      const said = await drayFails(5, download('--quiet', '--timeout', '1s', '--retries', '1'))
      expect(said).toMatch(/the answer stalled\nhint: .*--timeout/)
      await expectNoParts()
    })

    it('takes no byte that is not right, and tags nothing', async () => {
      const path = blobPath()
      proxy.spoil({ method: 'GET', path, fault: { kind: 'corrupt', atByte: 12 * megabyte } })
      expect(await drayFails(6, download('--quiet'))).toContain(layer())
      await expectNoParts()
      await drayFails(3, ['digest', `oci:${into}:big`])
      expect(requestsOf('GET', path)).toHaveLength(1)
    })

    it('takes no manifest that is not right', async () => {
      proxy.spoil({ method: 'GET', path: /manifests/, fault: { kind: 'truncate', afterBytes: 100 } })
      await drayFails(6, download('--quiet'))
      await drayFails(3, ['digest', `oci:${into}:big`])
    })

    it('waits as long as a busy registry says, and says so', async () => {
      const headers = { 'retry-after': '1' }
      const fault = { kind: 'answer', status: 503, headers } as const
      proxy.spoil({ method: 'GET', path: /manifests/, fault })
      const { stderr } = await dray(download())
      expect(stderr).toMatch(/^retry: .* answered 503; trying again in 1\.0s$/m)
      await fetched()
    })

    it('does not wait longer than it may', async () => {
      const headers = { 'retry-after': '3600' }
      proxy.spoil({ fault: { kind: 'answer', status: 503, headers } })
      const start = performance.now()
      await drayFails(5, download('--quiet'))
      expect(performance.now() - start).toBeLessThan(5000)
      expect(proxy.requests).toHaveLength(1)
    })

    it('leaves no part of a file when it is interrupted', async () => {
      proxy.spoil({ method: 'GET', path: blobPath(), fault: { kind: 'stall', afterBytes: 5 * megabyte } })
      const running = await startDray(download('--progress', 'none'))
      await expect.poll(() => partsIn(into), { timeout: 20_000 }).not.toEqual([])
      running.kill('SIGINT')
      expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
      await expectNoParts()
      await dray(download('--quiet'))
      await fetched()
    })
  })

  describe('to a registry', () => {
    const to = (name: string) => `${proxy.host}/${name}:big`
    const upload = (name: string, ...flags: string[]) => ['copy', ...flags, `oci:${big.path}:big`, to(name)]
    const uploads = /\/blobs\/uploads\/./

    it('starts an upload again that was cut, and cancels the one before', async () => {
      proxy.spoil({ method: 'PUT', path: uploads, fault: { kind: 'cut-upload', afterBytes: 200 } })
      proxy.spoil({ method: 'PUT', path: uploads, fault: { kind: 'cut-upload', afterBytes: 9 * megabyte } })
      const { stderr } = await dray(upload('cut', '--jobs', '1'))
      expect(stderr).toMatch(/^retry: /m)
      await dray(['copy', '--quiet', `${registry.host}/cut:big`, `oci:${into}:big`])
      await fetched()
      const cancelled = requestsOf('DELETE', uploads).map(({ path }) => path)
      const cut = requestsOf('PUT', uploads).filter(({ status }) => status === 0)
      expect(cancelled).toEqual(cut.map(({ path }) => path))
      expect(cut).toHaveLength(2)
    })

    it('sends a blob again to a registry that was busy', async () => {
      const headers = { 'retry-after': '1' }
      proxy.spoil({ method: 'PUT', path: uploads, fault: { kind: 'answer', status: 503, headers } })
      proxy.spoil({ method: 'PUT', path: /manifests/, fault: { kind: 'answer', status: 502 } })
      await dray(upload('busy', '--quiet'))
      await dray(['copy', '--quiet', `${registry.host}/busy:big`, `oci:${into}:big`])
      await fetched()
      expect(await sessionsOf('busy')).toEqual([])
    })

    it('tags nothing when one blob cannot be sent', async () => {
      proxy.spoil({ method: 'PUT', path: uploads, times: 99, fault: { kind: 'refuse' } })
      await drayFails(5, upload('hopeless', '--quiet', '--retries', '1'))
      await drayFails(3, ['digest', `${registry.host}/hopeless:big`])
      expect(requestsOf('PUT', /manifests/)).toEqual([])
      expect(await sessionsOf('hopeless')).toEqual([])
    })

    it('tags nothing when the source was not right', async () => {
      proxy.spoil({ method: 'GET', path: blobPath(), fault: { kind: 'corrupt', atByte: 19 * megabyte } })
      await drayFails(6, ['copy', '--quiet', image, `${embedded.host}/corrupt:big`])
      await drayFails(3, ['digest', `${embedded.host}/corrupt:big`])
      expect(await embeddedSessions()).toEqual([])
    })

    it.each([
      // distribution 2.x takes no cancellation once it has got a part of a body.
      ['before the first byte of a blob, docker-registry', 0],
      ['in the middle of a blob, dray serve', 5 * megabyte],
    ])('tags nothing and leaves no session behind when it is interrupted %s', async (_, afterBytes) => {
      const isOurs = afterBytes > 0
      const sessions = () => (isOurs ? embeddedSessions() : sessionsOf('interrupted'))
      const host = isOurs ? embedded.host : `localhost:${registry.host.split(':')[1]}`
      // The source stalls, so the upload at the other end is open and waits.
      proxy.spoil({ method: 'GET', path: blobPath(), fault: { kind: 'stall', afterBytes } })
      const running = await startDray(['copy', '--progress', 'none', image, `${host}/interrupted:big`])
      await expect.poll(sessions, { timeout: 20_000 }).not.toEqual([])
      await expect.poll(() => requestsOf('GET', blobPath())[0]?.sent, { timeout: 20_000 }).toBe(afterBytes)
      running.kill('SIGINT')
      expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
      expect(await sessions()).toEqual([])
      await drayFails(3, ['digest', `${host}/interrupted:big`])
    })

    it('asks where an upload stands when the registry wants that to cancel it', async () => {
      await using front = await startFaultyProxy(`http://${embedded.host}`)
      front.spoil({ method: 'PUT', path: uploads, fault: { kind: 'cut-upload', afterBytes: 10 } })
      front.spoil({ method: 'DELETE', path: uploads, fault: { kind: 'answer', status: 416 } })
      await dray(['copy', '--quiet', '--jobs', '1', `oci:${big.path}:big`, `${front.host}/front:big`])
      const [first] = front.requests.filter(({ path }) => uploads.test(path))
      const asked = front.requests.filter(({ path }) => path === first?.path)
      expect(asked.map(({ method, status }) => [method, status])).toEqual([
        ['PUT', 0],
        ['DELETE', 416],
        ['GET', 204],
        ['DELETE', 204],
      ])
      expect(await embeddedSessions()).toEqual([])
    })

    it('is ended at once by a second Ctrl-C', async () => {
      proxy.spoil({ method: 'GET', path: /manifests/, fault: { kind: 'stall', afterBytes: 0 } })
      proxy.spoil({ method: 'HEAD', path: /manifests/, fault: { kind: 'stall', afterBytes: 0 } })
      const running = await startDray(['copy', '--progress', 'none', image, `oci:${into}:big`])
      await expect.poll(() => proxy.requests.length, { timeout: 20_000 }).toBeGreaterThan(0)
      running.kill('SIGINT')
      running.kill('SIGINT')
      expect(await running.ended).toMatchObject({ code: 130, stdout: '' })
    })
  })

  /** The upload sessions that docker-registry can go on with; of cancelled ones it leaves empty folders behind. */
  const sessionsOf = async (repository: string) =>
    (await listing(join(registry.storage, 'docker/registry/v2/repositories', repository, '_uploads'))).filter(
      name => name.endsWith('/startedat'),
    )

  const embeddedSessions = () => listing(join(embedded.dir, '_uploads'))

  async function expectNoParts(): Promise<void> {
    expect(await partsIn(into)).toEqual([])
  }

  /** Files in a layout that are neither whole blobs nor its own two. */
  async function partsIn(path: string): Promise<string[]> {
    const whole = [...big.layers, { digest: big.manifest.digest }].map(({ digest }) => hexOf(digest))
    const known = new Set([
      'blobs',
      'blobs/sha256',
      'index.json',
      'oci-layout',
      ...whole.map(hex => `blobs/sha256/${hex}`),
    ])
    return (await listing(path)).filter(name => !known.has(name) && !name.includes(configHex()))
  }

  function configHex(): string {
    return big.manifest.kind === 'image' ? hexOf(big.manifest.content.config.digest) : ''
  }
})

function bytesOf({ layers, manifest }: GeneratedLayout): number {
  const config = manifest.kind === 'image' ? manifest.content.config.size : 0
  return layers.reduce((sum, { size }) => sum + size, config)
}

/** All that is in a folder; nothing where it is not there. */
async function listing(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

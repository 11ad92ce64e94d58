import { readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { type Running, run, start } from '../support/run.ts'
import { type SampleBlob, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

const program = join(import.meta.dirname, 'serve-process.ts')
const mib = 1024 * 1024
/** A tmpfs gives its space out in pages. */
const page = 4096
/** Mounts a small disk where only the program itself sees it. */
const script = (size: string) => `mount -t tmpfs -o size=${size} tmpfs "$0" && exec "$@"`

async function canMount(): Promise<boolean> {
  if (process.platform !== 'linux') return false
  await using folder = await makeTempDir()
  const mounting = ['-rm', 'sh', '-c', script('1m'), folder.path, 'true']
  const ended = await run('unshare', mounting).catch(() => undefined)
  return ended?.code === 0
}

const sizeBytes = 4 * mib

/** A registry on a disk of 4 MiB. */
interface SmallRegistry {
  readonly url: string
  /** The disk, as the registry sees it. */
  readonly disk: string
}

let folder: TempDir
let running: Running
let registry: SmallRegistry

async function startSmall(): Promise<SmallRegistry> {
  const command = [process.execPath, program, join(folder.path, 'registry')]
  running = await start('unshare', ['-rm', 'sh', '-c', script(`${sizeBytes}`), folder.path, ...command])
  const [url] = await running.printed(/^http:.*$/m)
  return { url, disk: `/proc/${running.pid}/root${folder.path}` }
}

/** Takes all the space that there is, but for some. */
async function fill(leave: number): Promise<void> {
  const path = join(registry.disk, 'filler')
  await rm(path, { force: true })
  const { bavail, bsize } = await statfs(registry.disk)
  await writeFile(path, Buffer.alloc(bavail * bsize - leave, 1))
}

const makeRoom = () => rm(join(registry.disk, 'filler'))

async function ask(method: string, path: string, body?: Uint8Array): Promise<Response> {
  const headers = { 'Content-Type': mediaTypes.ociManifest }
  return fetch(`${registry.url}${path}`, { method, headers, ...(body && { body: Buffer.from(body) }) })
}

const postPath = (repository: string, { descriptor }: SampleBlob) =>
  `/v2/${repository}/blobs/uploads/?digest=${descriptor.digest}`

async function push(repository: string, blob: SampleBlob): Promise<void> {
  expect((await ask('POST', postPath(repository, blob), blob.bytes)).status).toBe(201)
}

async function expectBytes(path: string, digest: Digest): Promise<void> {
  const answer = await ask('GET', path)
  expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(digest)
}

/** It says that the disk is full, in the way of the specification, and not where the disk is. */
async function expectFull(answer: Response): Promise<void> {
  const text = await answer.text()
  expect(JSON.parse(text)).toEqual({
    errors: [{ code: 'UNKNOWN', message: expect.stringMatching(/^the registry has no space left/) }],
  })
  expect(answer.status).toBe(507)
  expect(text).not.toContain(folder.path)
}

const sampleOf = (size: number, letter = 'x') => sampleBlob(letter.repeat(size))

describe.skipIf(!(await canMount()))('a registry whose disk is full (in a mount namespace)', () => {
  beforeEach(async () => {
    const opened = new AsyncDisposableStack()
    folder = opened.use(await makeTempDir())
    registry = await startSmall()
    opened.use(running)
    return () => opened.disposeAsync()
  })

  it('refuses a blob in one request, keeps nothing of it, and takes it when there is room', async () => {
    await push('a', sampleOf(mib, 'a'))
    const large = sampleOf(2 * mib)
    await fill(mib)
    await expectFull(await ask('POST', postPath('a', large), large.bytes))
    expect(await readdir(join(registry.disk, 'registry/_uploads'))).toEqual([])
    await push('a', sampleOf(mib / 2, 'b'))
    await makeRoom()
    await push('a', large)
    await expectBytes(`/v2/a/blobs/${large.descriptor.digest}`, large.descriptor.digest)
    expect((await ask('HEAD', `/v2/a/blobs/${sampleOf(mib, 'a').descriptor.digest}`)).status).toBe(200)
  })

  it.each(['PATCH', 'PUT'])(
    'takes a chunk back that a %s could not bring whole, and goes on when there is room',
    async method => {
      const blob = sampleOf(2 * mib)
      const { headers } = await ask('POST', '/v2/a/blobs/uploads/')
      const location = String(headers.get('location'))
      const begun = await ask('PATCH', location, blob.bytes.subarray(0, 10_000))
      expect(begun.headers.get('range')).toBe('0-9999')
      await fill(mib)
      const end = `${location}?digest=${blob.descriptor.digest}`
      const rest = blob.bytes.subarray(10_000)
      await expectFull(await ask(method, method === 'PUT' ? end : location, rest))
      expect((await ask('GET', location)).headers.get('range')).toBe('0-9999')
      await push('b', sampleOf(mib / 2, 'b'))
      await makeRoom()
      expect((await ask('PUT', end, rest)).status).toBe(201)
      await expectBytes(`/v2/a/blobs/${blob.descriptor.digest}`, blob.descriptor.digest)
    },
  )

  it('refuses a manifest, and the tags stay as they were', async () => {
    const [first, second] = [sampleImage('first'), sampleImage('second')]
    for (const blob of [first.config, first.layer, second.config, second.layer]) await push('a', blob)
    const put = (reference: string, { manifest }: typeof first) =>
      ask('PUT', `/v2/a/manifests/${reference}`, manifest.bytes)
    expect((await put('v1', first)).status).toBe(201)
    const index = join(registry.disk, 'registry/a/index.json')
    // Enough for the manifest, and not for an index of so many pages.
    const document = JSON.parse(await readFile(index, 'utf8'))
    await writeFile(index, JSON.stringify({ ...document, annotations: { 'x.large': 'x'.repeat(10 * page) } }))
    const before = await readFile(index)
    for (const room of [0, page, 6 * page]) {
      await fill(room)
      await expectFull(await put('v1', second))
      await expectFull(await put('v2', second))
      expect(await readFile(index)).toEqual(before)
      await expectBytes('/v2/a/manifests/v1', first.manifest.digest)
      expect(await (await ask('GET', '/v2/a/tags/list')).json()).toEqual({ name: 'a', tags: ['v1'] })
    }
    await makeRoom()
    expect((await put('v1', second)).status).toBe(201)
    await expectBytes('/v2/a/manifests/v1', second.manifest.digest)
    const left = await readdir(join(registry.disk, 'registry/a'), { recursive: true })
    expect(left.filter(name => /\.(tmp|lock)$/.test(name))).toEqual([])
  })

  it('refuses the first image of a repository, which it takes when there is room', async () => {
    await fill(0)
    const { config } = sampleImage('one')
    await expectFull(await ask('POST', postPath('new', config), config.bytes))
    await makeRoom()
    await push('new', config)
    expect(await (await ask('GET', '/v2/_catalog')).json()).toEqual({ repositories: ['new'] })
  })

  it('makes room where a blob is deleted', async () => {
    const old = sampleOf(mib, 'o')
    const young = sampleOf(mib, 'y')
    await push('a', old)
    await fill(0)
    await expectFull(await ask('POST', postPath('a', young), young.bytes))
    expect((await ask('DELETE', `/v2/a/blobs/${old.descriptor.digest}`)).status).toBe(202)
    await push('a', young)
  })
})

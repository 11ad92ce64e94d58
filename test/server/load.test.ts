import { once } from 'node:events'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatIndex } from '../../src/layout/index-document.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { layoutFileText } from '../../src/layout/layout-file.ts'
import { refNameKey } from '../../src/layout/ref-name.ts'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type Running, start } from '../support/run.ts'
import { chunksOf, putSample, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { fastParent, makeTempDir } from '../support/temp-dir.ts'

const mib = 1024 * 1024
const clients = 64
const each = (count: number) => Array.from({ length: count }, (_, number) => number)

const startMeasured = (dir: string) =>
  start(process.execPath, ['--expose-gc', join(import.meta.dirname, 'measured-server.ts'), dir])

it('a repository of 10,000 tags is listed in pages and takes one more', { timeout: 30_000 }, async () => {
  await using registry = await startEmbeddedRegistry()
  const image = sampleImage('one')
  const dir = join(registry.dir, 'many')
  await putSample(await openLayout(dir, { create: true }), image, ['v'])
  const tags = each(10_000).map(number => `v${String(number).padStart(5, '0')}`)
  const manifests = tags.map(tag => ({ ...descriptorOf(image.manifest), annotations: { [refNameKey]: tag } }))
  await writeFile(join(dir, 'index.json'), formatIndex({ schemaVersion: 2, manifests }))
  const list = async () => {
    const found: string[] = []
    let next: string | undefined = '/v2/many/tags/list?n=1000'
    while (next !== undefined) {
      const answer = await registry.ask('GET', next)
      found.push(...(answer.json() as { tags: string[] }).tags)
      const { link } = answer.headers
      const target: string | undefined = /^<([^>]+)>/.exec(String(link))?.[1]
      next = target
    }
    return found
  }
  expect(await list()).toEqual(tags)
  const other = sampleImage('two')
  expect((await registry.putImage('many', other, 'v05000-1')).status).toBe(201)
  expect(await list()).toEqual([...tags, 'v05000-1'].sort())
  expect((await registry.ask('DELETE', '/v2/many/manifests/v00000')).status).toBe(202)
  const { manifests: left } = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8'))
  expect(left).toHaveLength(10_000)
})

it('64 clients at once push and pull the same and different things', { timeout: 60_000 }, async () => {
  await using registry = await startEmbeddedRegistry()
  const shared = sampleBlob(Buffer.alloc(mib, 'shared'))
  const images = each(clients).map(number => sampleImage(`image ${number}`))
  const pull = async (path: string, digest: string) => {
    const answer = await registry.ask('GET', path)
    expect([path, answer.status, digestOf(answer.body)]).toEqual([path, 200, digest])
  }
  await Promise.all(
    images.map(async (image, number) => {
      const repository = `team${number % 4}/app`
      await registry.putBlob(repository, shared)
      await pull(`/v2/${repository}/blobs/${shared.descriptor.digest}`, shared.descriptor.digest)
      for (const tag of [`v${number}`, 'latest']) {
        expect((await registry.putImage(repository, image, tag)).status).toBe(201)
        await pull(`/v2/${repository}/manifests/v${number}`, image.manifest.digest)
      }
      for (const { descriptor } of [image.config, image.layer]) {
        await pull(`/v2/${repository}/blobs/${descriptor.digest}`, descriptor.digest)
      }
    }),
  )
  for (const team of each(4)) {
    const { tags } = (await registry.ask('GET', `/v2/team${team}/app/tags/list`)).json() as { tags: string[] }
    const own = each(clients).filter(number => number % 4 === team)
    expect(tags).toEqual([...own.map(number => `v${number}`), 'latest'].sort())
  }
})

describe('what a registry holds in memory for 64 clients at once', () => {
  const size = 16 * mib
  const blob = sampleBlob(Buffer.alloc(size, 'large'))
  /** Two MiB for each, of the 16 that each wants. */
  const mostBytes = clients * 2 * mib

  async function held(running: Running): Promise<number> {
    running.kill('SIGUSR2')
    return Number((await running.printed(/^holds (\d+)\.$/m))[1])
  }

  it('is little where they are slow to take a blob', { timeout: 30_000 }, async () => {
    await using folder = await makeTempDir(await fastParent())
    const layout = await openLayout(join(folder.path, 'a'), { create: true })
    await layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    await using running = await startMeasured(folder.path)
    const [url] = await running.printed(/^http:.*$/m)
    const answers = await Promise.all(
      each(clients).map(async () => {
        const asked = request(`${url}/v2/a/blobs/${blob.descriptor.digest}`, { agent: false }).end()
        const [answer] = (await once(asked, 'response')) as [IncomingMessage]
        return answer
      }),
    )
    expect(await held(running)).toBeLessThan(mostBytes)
    for (const answer of answers) answer.destroy()
  })

  it('is little while they push, and nothing of it stays', { timeout: 30_000 }, async () => {
    await using folder = await makeTempDir(await fastParent())
    await using running = await startMeasured(folder.path)
    const [url] = await running.printed(/^http:.*$/m)
    const half = blob.bytes.subarray(0, size / 2)
    const pushes = await Promise.all(
      each(clients).map(async () => {
        const started = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })
        const location = `${url}${started.headers.get('location')}`
        const headers = { 'Content-Length': size }
        const push = request(location, { method: 'PATCH', headers, agent: false })
        push.write(half)
        return { location, push }
      }),
    )
    for (const { location } of pushes) {
      // All that was sent is on the disk, so what is in memory now stays there.
      while ((await progress(location)) < half.length);
    }
    expect(await held(running)).toBeLessThan(mostBytes)
    const statuses = await Promise.all(pushes.map(({ push }) => end(push, half)))
    expect(statuses).toEqual(Array(clients).fill(202))
    expect(await progress(pushes[0]?.location ?? '')).toBe(size)
  })

  async function progress(location: string): Promise<number> {
    const { headers } = await fetch(location)
    return Number(headers.get('range')?.slice(2)) + 1
  }

  async function end(push: ClientRequest, rest: Buffer): Promise<number | undefined> {
    push.end(rest)
    const [answer] = (await once(push, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }
})

describe.skipIf(process.platform !== 'linux')('starting over 2,000 repositories (as /proc tells)', () => {
  it('reads no more than starting over none', { timeout: 60_000 }, async () => {
    await using empty = await makeTempDir()
    await using full = await makeTempDir(await fastParent())
    const names = each(2000).map(number => `team${number % 40}/app${String(number).padStart(4, '0')}`)
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(names.slice(at, at + 50).map(name => makeRepository(join(full.path, name))))
    }
    const readBytes = async (dir: string, look: (url: string) => Promise<void>) => {
      await using running = await startMeasured(dir)
      const [url] = await running.printed(/^http:.*$/m)
      await look(url)
      return Number(/^rchar: (\d+)$/m.exec(await readFile(`/proc/${running.pid}/io`, 'utf8'))?.[1])
    }
    const ping = async (url: string) => expect((await fetch(`${url}/v2/`)).status).toBe(200)
    const [none, all] = [await readBytes(empty.path, ping), await readBytes(full.path, ping)]
    expect(all - none).toBeLessThan(100_000)
    const list = async (url: string) => {
      const { repositories } = (await (await fetch(`${url}/v2/_catalog`)).json()) as {
        repositories: string[]
      }
      expect(repositories).toEqual([...names].sort())
    }
    expect((await readBytes(full.path, list)) - none).toBeLessThan(2 * mib)
  })

  /** With a blob of a GiB, which takes no room where nothing is written. */
  async function makeRepository(dir: string): Promise<void> {
    const image = sampleImage('one')
    const blobs = join(dir, 'blobs/sha256')
    await mkdir(blobs, { recursive: true })
    await writeFile(join(dir, 'oci-layout'), layoutFileText)
    const manifests = [descriptorOf(image.manifest)]
    await writeFile(
      join(dir, 'index.json'),
      formatIndex({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
    )
    for (const { digest } of [image.manifest, image.layer.descriptor]) {
      await using file = await open(join(blobs, hexOf(digest)), 'w')
      await file.truncate(1024 * mib)
    }
  }
})

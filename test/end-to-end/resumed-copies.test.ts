import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hexOf } from '../../src/oci/digest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { startDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { listing } from './bad-road.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const megabyte = 1_000_000
const size = 20 * megabyte
/** After so many bytes of the large layer nothing more comes; the small ones come whole. */
const afterBytes = 12 * megabyte + 345

describe('a copy into a layout that was broken off', patience, () => {
  let layout: GeneratedLayout
  let registry: EmbeddedRegistry
  beforeAll(async () => {
    layout = await generateLayout(size, 3 * megabyte, 1000)
    registry = await startEmbeddedRegistry()
    await dray(['copy', '--quiet', `oci:${layout.path}:big`, `${registry.host}/source:big`])
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await layout.remove()
  })

  it.each(['SIGKILL', 'SIGINT'] as const)('by %s only fetches what is missing', async signal => {
    await using job = await openJob(registry, layout)
    await job.breakOff(signal)
    const [part, ...others] = await listing(join(job.into, '.partial'))
    expect(others).toEqual([])
    expect(part).toMatch(
      new RegExp(`^sha256-${hexOf(job.layer)}[.][0-9a-f-]{36}${signal === 'SIGKILL' ? '[.]open' : ''}$`),
    )
    const left = (await stat(join(job.into, '.partial', part ?? ''))).size
    if (signal === 'SIGINT') expect(left).toBe(afterBytes)
    await dray(job.args)
    const [first, second, ...more] = job.blobRequests()
    expect(first?.sent).toBe(afterBytes)
    expect(second?.headers.range).toBe(`bytes=${left}-`)
    expect(second?.sent).toBe(size - left)
    expect(more).toEqual([])
    expect(job.proxy.requests.filter(({ path }) => path.includes('/blobs/'))).toHaveLength(5)
    await job.expectArrived()
  })

  it('goes on each time it is interrupted', async () => {
    await using job = await openJob(registry, layout)
    for (const signal of ['SIGINT', 'SIGKILL', 'SIGINT'] as const) await job.breakOff(signal, 5 * megabyte)
    await dray(job.args)
    const sent = job.blobRequests().map(request => request.sent)
    expect(sent.slice(0, 3)).toEqual([5 * megabyte, 5 * megabyte, 5 * megabyte])
    const killedLost = sent.reduce((sum, bytes) => sum + bytes, 0) - size
    expect(killedLost).toBeGreaterThanOrEqual(0)
    expect(killedLost).toBeLessThan(megabyte)
    await job.expectArrived()
  })

  it('because the network failed only fetches what is missing', async () => {
    await using job = await openJob(registry, layout)
    job.proxy.spoil({ path: job.blobPath, fault: { kind: 'cut', afterBytes } })
    await drayFails(5, [...job.args, '--retries', '0'])
    await dray(job.args)
    const [first, second] = job.blobRequests()
    const start = Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1])
    expect(start).toBeGreaterThan(afterBytes - megabyte)
    expect(start).toBeLessThanOrEqual(first?.sent ?? 0)
    expect(second?.sent).toBe(size - start)
    await job.expectArrived()
  })

  it('fetches all of a blob again whose part was damaged by a crash', async () => {
    await using job = await openJob(registry, layout)
    await job.breakOff('SIGINT')
    const [part = ''] = await listing(join(job.into, '.partial'))
    const path = join(job.into, '.partial', part)
    await writeFile(path, (await readFile(path)).fill(0, megabyte, 2 * megabyte))
    await dray(job.args)
    const [, second, third, ...more] = job.blobRequests()
    expect([second?.sent, third?.sent]).toEqual([size - afterBytes, size])
    expect(more).toEqual([])
    await job.expectArrived()
  })

  it('shows nothing of its parts to those who use it as a registry', async () => {
    await using folder = await makeTempDir()
    await using job = await openJob(registry, layout, join(folder.path, 'app'))
    await job.breakOff('SIGINT')
    const [part = ''] = await listing(join(job.into, '.partial'))
    await using server = await startEmbeddedRegistry({ dir: folder.path })
    const catalog = await server.ask('GET', '/v2/_catalog')
    expect(catalog.json()).toEqual({ repositories: ['app'] })
    expect((await server.ask('GET', `/v2/app/blobs/${job.layer}`)).status).toBe(404)
    for (const name of ['app/.partial', '.partial', `app/.partial/${part}`]) {
      const answers = [`/v2/${name}/tags/list`, `/v2/${name}/blobs/${job.layer}`].map(path =>
        server.ask('GET', path),
      )
      for (const { status } of await Promise.all(answers)) expect([400, 404]).toContain(status)
    }
  })
})

/** A copy of the image over a proxy into a layout. */
async function openJob({ server }: EmbeddedRegistry, { layers, manifest }: GeneratedLayout, dir?: string) {
  const folder = await makeTempDir()
  const proxy: FaultyProxy = await startFaultyProxy(`http://127.0.0.1:${server.port}`)
  const into = dir ?? join(folder.path, 'layout')
  const layer = layers[0]?.digest ?? manifest.digest
  const blobPath = new RegExp(`/blobs/${layer}$`)
  const args = ['copy', '--progress', 'none', `${proxy.host}/source:big`, `oci:${into}:big`]
  const blobRequests = () => proxy.requests.filter(({ path }) => blobPath.test(path))
  const bytesIn = async (path: string) => {
    const names = (await listing(path)).map(name => join(path, name))
    const files = await Promise.all(names.map(name => stat(name)))
    return files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)
  }
  return {
    proxy,
    into,
    layer,
    blobPath,
    args,
    blobRequests,
    /** Runs the copy until the large layer stalls and all else is there, and ends it. */
    async breakOff(signal: NodeJS.Signals, afterBytesMore = afterBytes) {
      const bytesBefore = await bytesIn(join(into, '.partial'))
      const requestsBefore = blobRequests().length
      proxy.spoil({ path: blobPath, fault: { kind: 'stall', afterBytes: afterBytesMore } })
      await using running = await startDray(args)
      await expect.poll(() => blobRequests()[requestsBefore]?.sent, { timeout: 20_000 }).toBe(afterBytesMore)
      const nearly = bytesBefore + afterBytesMore - 0.6 * megabyte
      await expect.poll(() => bytesIn(join(into, '.partial')), { timeout: 20_000 }).toBeGreaterThan(nearly)
      await expect.poll(() => listing(join(into, 'blobs/sha256'))).toHaveLength(layers.length)
      await expect.poll(() => bytesIn(join(into, 'blobs/sha256'))).toBeGreaterThan(3 * megabyte)
      running.kill(signal)
      const { code, stderr } = await running.ended
      expect({ code, stderr }).toEqual(
        signal === 'SIGKILL' ? { code: null, stderr: '' } : { code: 130, stderr: 'dray: interrupted\n' },
      )
      const names = await readdir(join(into, 'blobs/sha256'))
      expect(names).not.toContain(hexOf(layer))
      expect(names.filter(name => name.startsWith('.'))).toEqual([])
    },
    /** Reads all of it again, and so verifies it. */
    async expectArrived() {
      const bytes = layers.reduce((sum, layer) => sum + layer.size, 0)
      const copy = ['copy', '--quiet', `oci:${into}:big`, `oci:${folder.path}/verified:big`]
      const { digest, bytes: copied } = (await drayJson(copy)) as { digest: string; bytes: number }
      expect(digest).toBe(manifest.digest)
      expect(copied).toBeGreaterThan(bytes)
      expect((await readdir(into)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop()
      await folder.remove()
    },
  }
}

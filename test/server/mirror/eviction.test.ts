import { stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Layout } from '../../../src/layout/layout.ts'
import { hexOf } from '../../../src/oci/digest.ts'
import { Eviction } from '../../../src/server/mirror/eviction.ts'
import { createFetched } from '../../../src/server/mirror/fetched-mark.ts'
import type { MirrorEvent, MirrorLimits } from '../../../src/server/mirror/upstream.ts'
import { Storage } from '../../../src/server/storage/storage.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { chunksOf, putSample, type SampleBlob, sampleBlob, sampleImage } from '../../support/sample-image.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { mirrorOf, startUpstream } from './site.ts'

const dayMs = 24 * 3_600_000
const now = Date.UTC(2026, 5, 1)

/** A folder with what is mirrored, and what is not. */
async function startFolder() {
  const folder = await makeTempDir()
  const storage = new Storage(folder.path)
  const events: MirrorEvent[] = []
  const evict = (limits: MirrorLimits) => {
    const about = {
      storage,
      mirrors: ['docker.io'],
      clock: () => now,
      onEvent: (event: MirrorEvent) => events.push(event),
    }
    return new Eviction({ ...about, ...limits }).run()
  }
  const put = async (layout: Layout, blob: SampleBlob, days: number) => {
    await layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    await age(layout, blob.descriptor, days)
  }
  const fetched = async (name: string) => {
    const layout = await storage.openToWrite(name)
    await createFetched(layout)
    return layout
  }
  return { storage, fetched, events, evict, put, [Symbol.asyncDispose]: folder.remove }
}

/** Says that a blob was used last so many days ago. */
async function age(layout: Layout, { digest }: { digest: SampleBlob['descriptor']['digest'] }, days: number) {
  const time = new Date(now - days * dayMs)
  await utimes(join(layout.dir, 'blobs/sha256', hexOf(digest)), time, time)
}

describe('of what is mirrored', () => {
  const blobs = [
    sampleBlob('0'.repeat(100)),
    sampleBlob('1'.repeat(100)),
    sampleBlob('2'.repeat(100)),
  ] as const
  const digests = blobs.map(({ descriptor }) => descriptor.digest)

  it('goes what nobody used for too long, an index entry too whose manifest goes, and nothing else', async () => {
    await using folder = await startFolder()
    const { storage, fetched, events, evict, put } = folder
    const mirrored = await fetched('docker.io/library/a')
    const own = await storage.openToWrite('own/a')
    const images = [sampleImage('old'), sampleImage('young')] as const
    for (const [at, image] of images.entries()) {
      await putSample(mirrored, image, [`v${at}`])
      for (const blob of [image.config.descriptor, image.layer.descriptor, image.manifest]) {
        await age(mirrored, blob, at === 0 ? 31 : 29)
      }
    }
    await put(own, blobs[0], 1000)
    await evict({})
    expect(await mirrored.listTags()).toEqual(['v1'])
    const left = [images[1].config.descriptor, images[1].layer.descriptor, images[1].manifest]
    expect((await mirrored.blobs.list()).sort()).toEqual(left.map(({ digest }) => digest).sort())
    expect(await own.blobs.list()).toEqual([digests[0]])
    const { config, layer, manifest } = images[0]
    const bytes = config.bytes.length + layer.bytes.length + manifest.bytes.length
    const evicted = events.map(event => (event.type === 'evicted' ? event.bytes : 0))
    expect(evicted.reduce((sum, one) => sum + one, 0)).toBe(bytes)
  })

  it('goes nothing of a repository that was here before, or has only a part of its name', async () => {
    await using folder = await startFolder()
    const { storage, fetched, evict, put } = folder
    const layouts = [await storage.openToWrite('docker.io/own/a'), await fetched('docker.iox/own/a')]
    for (const layout of layouts) await put(layout, blobs[0], 1000)
    await evict({ maxBytes: 1 })
    for (const layout of layouts) expect(await layout.blobs.list()).toEqual([digests[0]])
  })

  it('goes as much as is too much, what was not used for longest first', async () => {
    await using folder = await startFolder()
    const { fetched, evict, put } = folder
    const layout = await fetched('docker.io/library/a')
    for (const [at, blob] of blobs.entries()) await put(layout, blob, [2, 3, 1][at] ?? 0)
    await evict({ maxBytes: 300 })
    expect(await layout.blobs.list()).toHaveLength(3)
    await evict({ maxBytes: 299 })
    expect((await layout.blobs.list()).sort()).toEqual([digests[0], digests[2]].sort())
    await evict({ maxBytes: 100 })
    expect(await layout.blobs.list()).toEqual([digests[2]])
    await evict({ maxBytes: 99, maxAgeMs: Number.POSITIVE_INFINITY })
    expect(await layout.blobs.list()).toEqual([])
  })

  it('a file that repositories share counts once and goes from all of them', async () => {
    await using folder = await startFolder()
    const { fetched, evict, put } = folder
    const layouts = await Promise.all(['a', 'b', 'c'].map(name => fetched(`docker.io/library/${name}`)))
    const [first, ...others] = layouts
    if (first === undefined) throw new Error('there is no repository')
    await put(first, blobs[0], 5)
    for (const layout of others) {
      await layout.create()
      await layout.blobs.share(first.blobs, blobs[0].descriptor.digest)
    }
    await put(first, blobs[1], 1)
    await evict({ maxBytes: 200 })
    expect(await first.blobs.list()).toHaveLength(2)
    await evict({ maxBytes: 199 })
    expect(await Promise.all(layouts.map(layout => layout.blobs.list()))).toEqual([[digests[1]], [], []])
  })
})

describe('a mirror with little room', () => {
  it('removes what it can do without as new content comes, frees its space, and fetches it again', async () => {
    await using upstream = await startUpstream()
    const blobs = [sampleBlob('a'.repeat(60_000)), sampleBlob('b'.repeat(60_000))] as const
    for (const blob of blobs) await upstream.registry.putBlob('library/a', blob)
    await using site = await startEmbeddedRegistry({
      mirrors: [mirrorOf(upstream)],
      mirrorLimits: { maxBytes: 100_000 },
      metrics: { host: '127.0.0.1', port: 0 },
    })
    const path = ({ descriptor }: SampleBlob) => `/v2/docker.io/library/a/blobs/${descriptor.digest}`
    const file = ({ descriptor }: SampleBlob, folder: string) =>
      join(site.dir, folder, 'sha256', hexOf(descriptor.digest))
    expect((await site.ask('GET', path(blobs[0]))).body).toEqual(blobs[0].bytes)
    const mirrored = file(blobs[0], 'docker.io/library/a/blobs')
    await expect.poll(() => stat(mirrored)).toMatchObject({ size: 60_000 })
    await utimes(mirrored, new Date(0), new Date(0))
    expect((await site.ask('GET', path(blobs[1]))).body).toEqual(blobs[1].bytes)
    for (const folder of ['docker.io/library/a/blobs', '_blobs']) {
      await expect.poll(() => stat(file(blobs[0], folder)).catch(({ code }) => code)).toBe('ENOENT')
    }
    expect((await site.ask('GET', path(blobs[0]))).body).toEqual(blobs[0].bytes)
    const metrics = await (await fetch(site.server.metricsUrl ?? '')).text()
    expect(metrics).toContain('dray_mirror_requests_total{mirror="docker.io",kind="blob",result="miss"} 3')
    expect(metrics).toContain('dray_mirror_evicted_bytes_total{mirror="docker.io"} 60000')
  })
})

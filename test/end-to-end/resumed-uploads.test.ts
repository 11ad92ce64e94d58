import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, type ProxiedRequest, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { listing, megabyte } from './bad-road.ts'
import { dray, drayJson, patience } from './dray.ts'

const size = 20 * megabyte
/** What the buffers of two programs may hold. */
const underWay = 2 * megabyte

describe('a copy to a registry whose connection is cut', patience, () => {
  const opened = new AsyncDisposableStack()
  let layout: GeneratedLayout
  let registry: EmbeddedRegistry
  let source: FaultyProxy
  beforeAll(async () => {
    layout = opened.use(await generateLayout(size))
    registry = opened.use(await startEmbeddedRegistry())
    source = opened.use(await startFaultyProxy(`http://${registry.host}`))
    await dray(['copy', '--quiet', `oci:${layout.path}:big`, `${registry.host}/source:big`])
  })
  afterAll(() => opened.disposeAsync())

  const session = /\/blobs\/uploads\/./

  /** Copies over a proxy that cuts uploads after so many bytes, and gives back what was sent of the large blob. */
  async function copyCut(from: string, name: string, cuts: readonly number[]) {
    await using folder = await makeTempDir()
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    for (const [at, afterBytes] of cuts.entries()) {
      const method = at === 0 ? 'PUT' : 'PATCH'
      proxy.spoil({ method, path: session, fault: { kind: 'cut-upload', afterBytes } })
    }
    // The small config blob goes behind the large one, and meets no fault.
    await dray(['copy', '--jobs', '1', from, `${proxy.host}/${name}:big`])
    const into = `oci:${folder.path}/read:big`
    const read = await drayJson(['copy', '--quiet', `${registry.host}/${name}:big`, into])
    expect(read).toMatchObject({ digest: layout.manifest.digest })
    expect(await listing(`${registry.dir}/_uploads`)).toEqual([])
    return proxy.requests.filter(({ path, method }) => session.test(path) && method !== 'GET')
  }

  /** How far the upload had come when this request went on with it. */
  const startOf = ({ headers }: Pick<ProxiedRequest, 'headers'>) =>
    Number(/^(\d+)-/.exec(String(headers['content-range']))?.[1])

  it.each([
    ['oci', 9 * megabyte + 345],
    ['oci', size - 1],
    ['registry', 9 * megabyte + 345],
  ])('sends only the rest: from %s, cut after %i bytes', async (kind, cut) => {
    const from = kind === 'oci' ? `oci:${layout.path}:big` : `${source.host}/source:big`
    const [first, second, third] = await copyCut(from, `${kind}-${cut}`, [cut])
    expect(first).toMatchObject({ method: 'PUT', received: cut, status: 0 })
    expect(second).toMatchObject({ method: 'PATCH', status: 202 })
    const start = startOf(second ?? { headers: {} })
    expect(start).toBeLessThanOrEqual(cut)
    expect(start).toBeGreaterThan(cut - underWay)
    expect(second?.received).toBe(size - start)
    expect(third).toMatchObject({ method: 'PUT', received: 0, status: 201 })
  })

  it('sends all again where a Range that ends at 0 may say that nothing is there', async () => {
    const [first, second, third] = await copyCut(`oci:${layout.path}:big`, 'start', [1])
    expect(first).toMatchObject({ method: 'PUT', received: 1, status: 0 })
    expect(second).toMatchObject({ method: 'DELETE', status: 204 })
    expect(third).toMatchObject({ method: 'PUT', received: size, status: 201 })
  })

  it('goes on again and again, and reads its source no more often than that', async () => {
    source.requests.length = 0
    const sent = await copyCut(`${source.host}/source:big`, 'thrice', [7 * megabyte, 5 * megabyte, megabyte])
    const patches = sent.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ status }) => status)).toEqual([0, 0, 202])
    const all = sent.reduce((sum, { received }) => sum + received, 0)
    expect(all).toBeLessThan(size + 3 * underWay)
    const layer = layout.layers[0]?.digest ?? ''
    const reads = source.requests.filter(({ path }) => path.endsWith(layer))
    expect(reads).toHaveLength(4)
    // A reading that goes on begins at the last kept state of the digest.
    for (const [at, patch] of patches.entries()) {
      const begin = Number(/^bytes=(\d+)-$/.exec(reads[at + 1]?.headers.range ?? '')?.[1])
      expect(begin).toBeLessThanOrEqual(startOf(patch))
      expect(begin).toBeGreaterThan(startOf(patch) - 5 * megabyte)
    }
  })
})

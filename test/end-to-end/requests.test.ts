import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { dray, patience } from './dray.ts'

describe('the requests of a copy between two registries', patience, () => {
  const opened = new AsyncDisposableStack()
  let layout: GeneratedLayout
  let registries: EmbeddedRegistry[]
  let source: FaultyProxy
  let destination: FaultyProxy
  beforeAll(async () => {
    layout = opened.use(await generateLayout(30_000, 20_000))
    registries = [opened.use(await startEmbeddedRegistry()), opened.use(await startEmbeddedRegistry())]
    await dray(['copy', '--quiet', `oci:${layout.path}:big`, `${registries[0]?.host}/source:big`])
  })
  beforeEach(async () => {
    source = opened.use(await startFaultyProxy(`http://${registries[0]?.host}`))
    destination = opened.use(await startFaultyProxy(`http://${registries[1]?.host}`))
  })
  afterAll(() => opened.disposeAsync())

  /** What the registries were asked, without digests and the names of sessions; blobs go side by side, so sorted. */
  const told = ({ requests }: FaultyProxy) =>
    requests
      .map(
        ({ method, path }) =>
          `${method} ${path.replace(/sha256:.*$/, 'D').replace(/uploads\/.*$/, 'uploads/')}`,
      )
      .toSorted()
  const copy = (name: string, ...flags: string[]) =>
    dray(['copy', '--quiet', ...flags, `${source.host}/source:big`, `${destination.host}/${name}:big`])

  it('are three for each missing blob: its upload starts, it is read, it is sent', async () => {
    await copy('cold')
    expect(told(source)).toEqual([
      ...Array<string>(3).fill('GET /v2/source/blobs/D'),
      'GET /v2/source/manifests/big',
    ])
    expect(told(destination)).toEqual([
      'HEAD /v2/cold/manifests/D',
      'HEAD /v2/cold/manifests/big',
      ...Array<string>(3).fill('POST /v2/cold/blobs/uploads/'),
      ...Array<string>(3).fill('PUT /v2/cold/blobs/uploads/'),
      'PUT /v2/cold/manifests/big',
    ])
  })

  it('go over two connections to each side where one transfer goes at a time: one for blobs, one for all else', async () => {
    await copy('narrow', '--jobs', '1')
    for (const { requests } of [source, destination]) {
      expect(requests.length).toBeGreaterThan(3)
      expect(new Set(requests.map(({ port }) => port)).size).toBe(2)
    }
  })

  it('are two when nothing is to be done', async () => {
    await copy('done')
    source.requests.length = destination.requests.length = 0
    await copy('done')
    expect(told(source)).toEqual(['GET /v2/source/manifests/big'])
    expect(told(destination)).toEqual(['HEAD /v2/done/manifests/big'])
  })

  it('are one for each blob that is there already', async () => {
    await copy('again')
    source.requests.length = destination.requests.length = 0
    await copy('again', '--force')
    expect(told(source)).toEqual(['GET /v2/source/manifests/big'])
    expect(told(destination)).toEqual([
      'HEAD /v2/again/manifests/big',
      ...Array<string>(3).fill('POST /v2/again/blobs/uploads/'),
      'PUT /v2/again/manifests/big',
    ])
  })
})

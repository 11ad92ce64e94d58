import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultRule, type ProxiedRequest, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayJson, patience } from './dray.ts'

const layerBytes = 20_000

describe('a copy of many blobs', patience, () => {
  const opened = new AsyncDisposableStack()
  let layout: GeneratedLayout
  let registry: EmbeddedRegistry
  let folder: TempDir
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    layout = opened.use(await generateLayout(...Array.from({ length: 40 }, (_, at) => layerBytes + at)))
    folder = opened.use(await makeTempDir())
    await dray(['copy', '--quiet', `oci:${layout.path}:big`, `${registry.host}/many:big`])
  })
  afterAll(() => opened.disposeAsync())

  const busy = { kind: 'answer', status: 429, headers: { 'retry-after': '1' } } as const

  it.each<[end: string, rule: () => Omit<FaultRule, 'fault'>, locations: (host: string) => string[]]>([
    [
      'its source',
      () => ({ method: 'GET', path: new RegExp(`/blobs/${layout.layers[20]?.digest}$`) }),
      host => [`${host}/many:big`, `oci:${join(folder.path, 'pulled')}:big`],
    ],
    [
      'its destination',
      () => ({ method: 'PUT', path: /\/blobs\/uploads\/./ }),
      host => [`oci:${layout.path}:big`, `${host}/pushed:big`],
    ],
  ])('goes on after a 429 of %s, when the registry said and not before', async (_, rule, locations) => {
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    proxy.spoil({ ...rule(), fault: busy })
    const { stderr } = await dray(['copy', '--jobs', '4', '--progress', 'plain', ...locations(proxy.host)])
    expect(stderr.match(/^retry: /gm)).toHaveLength(1)
    const refused = proxy.requests.find(({ status }) => status === 429)
    const after = waits(proxy.requests, refused?.answeredAt)
    // What was on its way already may still come; a timer of Node may end a millisecond early.
    expect(after.filter(ms => ms > 250 && ms < 995)).toEqual([])
    expect(after.filter(ms => ms >= 995).length).toBeGreaterThan(15)
  })

  it('keeps to a number of requests per second', async () => {
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    const limit = ['--from-requests-per-second', '40']
    await dray(['copy', '--quiet', ...limit, `${proxy.host}/many:big`, `oci:${folder.path}/paced:big`])
    const times = waits(proxy.requests, proxy.requests[0]?.cameAt)
    expect(times.length).toBeGreaterThan(40)
    expect(times.at(-1)).toBeGreaterThan((times.length - 1) * 25 - 50)
  })

  it('keeps to a number of bytes per second', async () => {
    const limit = ['--limit-rate', '500k']
    const to = `oci:${folder.path}/limited:big`
    const result = await drayJson(['copy', '--quiet', ...limit, `${registry.host}/many:big`, to])
    const seconds = (40 * layerBytes - 65_536) / 500_000
    expect(result).toMatchObject({ seconds: expect.toSatisfy((taken: number) => taken > seconds) })
  })
})

/** How long after a moment each request came, in milliseconds, in their order; none of those before it. */
function waits(requests: readonly ProxiedRequest[], from = 0): number[] {
  return requests.map(({ cameAt }) => cameAt - from).filter(ms => ms >= 0)
}

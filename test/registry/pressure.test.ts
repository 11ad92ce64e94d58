import { describe, expect, it } from 'vitest'
import type { RegistryEvent } from '../../src/registry/context.ts'
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts'
import { type FakeAnswer, fakeSend, json, type SeenRequest } from '../support/fake-send.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { simulatedClock } from '../support/simulated-clock.ts'

const digest = `sha256:${'0'.repeat(64)}` as const
const busy: FakeAnswer = { status: 429, headers: { 'retry-after': '2' } }

describe('one 429', () => {
  it('slows the registry as a whole: nobody goes out before its time, then one after another, and all succeed', async () => {
    let count = 0
    const { repository, times, events } = meet(() => (++count === 1 ? busy : {}), { latencyMs: 10 })
    const worker = async () => {
      for (let turn = 0; turn < 3; turn += 1) expect(await repository.find(digest)).toBeDefined()
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    expect(times.slice(0, 8)).toEqual(new Array(8).fill(0))
    const later = times.slice(8)
    expect(later).toHaveLength(17)
    expect(later[0]).toBe(2_010)
    expect(Math.min(...gaps(later))).toBeGreaterThan(60)
    expect(events).toEqual([{ type: 'retry', name: 'reg.test', reason: 'it answered 429', delayMs: 2_000 }])
  })

  it('costs those that only wait for it no try', async () => {
    let count = 0
    const { repository, times } = meet(() => (++count === 1 ? busy : {}), { retryPolicy: { retries: 0 } })
    await expect(repository.find(digest)).rejects.toMatchObject({ status: 429 })
    const waiting = Array.from({ length: 7 }, () => repository.find(digest))
    expect(await Promise.all(waiting)).toHaveLength(7)
    expect(times[1]).toBe(2_000)
  })

  it('to each of eight at the same time is eight retries, and one of them is told for each', async () => {
    let count = 0
    const { repository, times, events } = meet(() => (++count <= 8 ? busy : {}), { latencyMs: 10 })
    await Promise.all(Array.from({ length: 8 }, () => repository.find(digest)))
    expect(events).toHaveLength(8)
    expect(times.slice(8)[0]).toBe(2_010)
    expect(Math.min(...gaps(times.slice(8)))).toBeGreaterThan(60)
  })

  it('with a Retry-After that is too long ends the attempts, and holds nobody else back', async () => {
    let count = 0
    const { repository, times } = meet(() =>
      ++count === 1 ? { status: 429, headers: { 'retry-after': '9999' } } : {},
    )
    await expect(repository.resolve(digest)).rejects.toMatchObject({ code: 'NETWORK', status: 429 })
    await repository.resolve(digest)
    expect(times).toEqual([0, 100])
  })

  it('to an upload holds back what is not under way, and what it has to do itself to go on', async () => {
    const blob = sampleBlob('twelve bytes')
    const others: Promise<unknown>[] = []
    const { repository, requests, times, events, clock } = meet(
      ({ method }) => {
        if (method === 'POST') return { status: 202, headers: { location: '/upload/1' } }
        if (method !== 'PUT') return { status: method === 'GET' ? 404 : 200 }
        if (others.length > 0) return { status: 201 }
        others.push(clock.sleep(20).then(() => Promise.all([repository.find(digest), repository.find('a')])))
        return busy
      },
      { latencyMs: 10 },
    )
    expect(await repository.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))).toBe('copied')
    await Promise.all(others)
    const methods = requests.map(({ method }) => method)
    const refused = methods.indexOf('PUT')
    expect(methods.slice(refused + 1)).toEqual(expect.arrayContaining(['HEAD', 'HEAD', 'PUT']))
    const after = times.slice(refused + 1)
    expect(after[0]).toBe((times[refused] ?? 0) + 2_010)
    expect(Math.min(...gaps(after))).toBeGreaterThan(60)
    expect(events).toMatchObject([{ type: 'retry', delayMs: 2_000 }])
  })

  it('of the registry does not slow its token service on another origin, nor the other way round', async () => {
    const asked = new Map<string, number>()
    const { repository, requests, times } = meet(({ url, headers }) => {
      const count = (asked.get(url.host) ?? 0) + 1
      asked.set(url.host, count)
      if (url.host === 'auth.test') return count === 1 ? busy : json({ token: 't' })
      if (headers?.authorization !== undefined) return {}
      return { status: 401, headers: { 'www-authenticate': 'Bearer realm="https://auth.test/token"' } }
    })
    await Promise.all([repository.find(digest), repository.find('a')])
    const ofAuth = times.filter((_, at) => requests[at]?.url.host === 'auth.test')
    expect(ofAuth).toEqual([0, 2_000])
    const ofRegistry = times.filter((_, at) => requests[at]?.url.host === 'reg.test')
    expect(ofRegistry).toEqual([0, 0, 2_000, 2_000])
  })

  it('of a store that blobs are redirected to is its own', async () => {
    let count = 0
    const { repository, requests, times } = meet(({ url }) => {
      if (url.host === 'cdn.test') return ++count === 1 ? busy : { body: 'twelve bytes' }
      return url.pathname.includes('/blobs/')
        ? { status: 307, headers: { location: 'https://cdn.test/blob' } }
        : {}
    })
    const { descriptor } = sampleBlob('twelve bytes')
    await Promise.all([repository.getBlob(descriptor), repository.find('a'), repository.find('b')])
    expect(requests.map(({ url }, at) => [url.host, times[at]])).toEqual([
      ['reg.test', 0],
      ['reg.test', 0],
      ['reg.test', 0],
      ['cdn.test', 0],
      // A retry begins at the registry, since what it redirects to may not last.
      ['reg.test', 2_000],
      ['cdn.test', 2_000],
    ])
  })
})

describe('the limits of a registry', () => {
  it('hold for the requests of all its repositories', async () => {
    const { registry, times } = meet(() => ({}), { requestsPerSecond: 4 })
    const names = ['one', 'two', 'three']
    await Promise.all(names.map(name => registry.repository(name).find(digest)))
    expect(times).toEqual([0, 250, 500])
  })

  it('bound the requests under way', async () => {
    const { repository, times } = meet(() => ({}), { maxRequestsUnderWay: 2, latencyMs: 100 })
    await Promise.all(Array.from({ length: 5 }, () => repository.find(digest)))
    expect(times).toEqual([0, 0, 100, 100, 200])
  })
})

interface Meeting extends Partial<RegistryOptions> {
  readonly latencyMs?: number
}

/** A registry that a script plays, and when each request reached it, in milliseconds from the start. */
function meet(answer: (request: SeenRequest) => FakeAnswer, { latencyMs = 0, ...options }: Meeting = {}) {
  const clock = simulatedClock()
  const times: number[] = []
  const events: RegistryEvent[] = []
  const fake = fakeSend(async request => {
    times.push(clock.elapsedMs)
    const given = answer(request)
    if (latencyMs > 0) await clock.sleep(latencyMs)
    const found = {
      'docker-content-digest': digest,
      'content-type': 'application/json',
      'content-length': '2',
    }
    return { ...given, headers: { ...(request.method === 'HEAD' ? found : {}), ...given.headers } }
  })
  const registry = new Registry({
    registry: 'reg.test',
    send: fake.send,
    clock,
    onEvent: event => events.push(event),
    ...options,
  })
  const repository = registry.repository('app', 'pull,push')
  return { registry, repository, clock, times, events, requests: fake.requests }
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, at) => time - (times[at] ?? 0))
}

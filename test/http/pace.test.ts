import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { type PaceLimits, pace } from '../../src/http/pace.ts'
import { type FakeAnswer, fakeSend } from '../support/fake-send.ts'
import { simulatedClock } from '../support/simulated-clock.ts'

const registry = 'https://reg.test'
const get: HttpRequest = { method: 'GET', url: new URL(`${registry}/v2/`) }
const busy = (retryAfter?: string): FakeAnswer => ({
  status: 429,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
})

describe('without a limit and a 429', () => {
  it('every request goes out at once', async () => {
    const { send, times } = start({})
    await Promise.all(Array.from({ length: 20 }, () => send()))
    expect(times).toEqual(new Array(20).fill(0))
  })
})

describe('a 429', () => {
  it('holds back all that has not gone out, for as long as Retry-After says, and spaces what follows', async () => {
    const { send, times } = start({ answers: [busy('2')] })
    await send()
    await Promise.all([send(), send(), send()])
    expect(rounded(times)).toEqual([0, 2_000, 2_100, 2_197])
  })

  it.each([
    ['without Retry-After', busy(), [0, 100, 200]],
    ['with a Retry-After of none', busy('0'), [0, 100, 200]],
    ['with a Retry-After at its cap', busy('10'), [0, 10_000, 10_100]],
    ['with a Retry-After that nobody waits for', busy('11'), [0, 100, 200]],
    ['that is a 503 with Retry-After', { ...busy('2'), status: 503 }, [0, 2_000, 2_100]],
  ])('%s', async (_, answer, expected) => {
    const { send, times } = start({ answers: [answer] })
    await send()
    await Promise.all([send(), send()])
    expect(rounded(times)).toEqual(expected)
  })

  it.each([200, 401, 404, 500, 503])('that is a %i without Retry-After holds nobody back', async status => {
    const { send, times } = start({ answers: [{ status }] })
    await send()
    await send()
    expect(times).toEqual([0, 0])
  })

  it('is one with all the others that answer what went out before it', async () => {
    const { send, times } = start({ answers: new Array(8).fill(busy()), latencyMs: 50 })
    await Promise.all(Array.from({ length: 8 }, () => send()))
    await Promise.all([send(), send()])
    expect(rounded(times.slice(8))).toEqual([150, 250])
  })

  it('that comes late, to a request that went out before, still has its Retry-After', async () => {
    const { send, times, clock } = start({ answers: [busy('1'), busy('5')], latencies: [10, 500] })
    await Promise.all([send(), send(), clock.sleep(20).then(() => send())])
    expect(rounded(times)).toEqual([0, 0, 5_500])
  })

  it('doubles the gap each time, up to five seconds', async () => {
    const { send, times } = start({ answers: new Array(9).fill(busy()) })
    for (let count = 0; count < 9; count += 1) await send()
    expect(gaps(times)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  it('is made up for by 23 good answers, and forgotten after a hundred', async () => {
    const { send, times } = start({ answers: [busy(), busy()] })
    for (let count = 0; count < 140; count += 1) await send()
    const spaces = gaps(times)
    expect(spaces.slice(0, 2)).toEqual([100, 200])
    expect(spaces[25]).toBeLessThan(100)
    expect(spaces.indexOf(0)).toBeCloseTo(123, -1)
    expect(spaces.slice(-10)).toEqual(new Array(10).fill(0))
  })

  it('settles below what a registry takes, with few refusals and not much time lost', async () => {
    const { send, refused, times } = start({ perSecond: 4, latencyMs: 30 })
    const worker = async () => {
      for (let count = 0; count < 50; count += 1) await send()
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    expect(refused()).toBeLessThan(400 / 12)
    expect(times.at(-1)).toBeLessThan(2 * 100_000)
  })

  it('of one origin is nothing to another', async () => {
    const { send, times } = start({ answers: [busy('9')] })
    await send()
    await send({ url: new URL('https://auth.test/token') })
    await send({ url: new URL('https://cdn.test/blob') })
    await send()
    expect(rounded(times)).toEqual([0, 0, 0, 9_000])
  })

  it('of another origin slows that one', async () => {
    const cdn = { url: new URL('https://cdn.test/blob') }
    const { send, times } = start({ answers: [busy('9')] })
    await send(cdn)
    await send()
    await send(cdn)
    expect(rounded(times)).toEqual([0, 0, 9_000])
  })
})

describe('requests per second', () => {
  it('are evenly spaced from the first on', async () => {
    const { send, times } = start({ limits: { requestsPerSecond: 2.5 } })
    await Promise.all(Array.from({ length: 5 }, () => send()))
    expect(rounded(times)).toEqual([0, 400, 800, 1_200, 1_600])
  })

  it('are not saved up while nothing goes out', async () => {
    const { send, times, clock } = start({ limits: { requestsPerSecond: 10 } })
    await send()
    await clock.sleep(5_000)
    await Promise.all([send(), send(), send()])
    expect(rounded(times)).toEqual([0, 5_000, 5_100, 5_200])
  })

  it('come as many, though the clock wakes late', async () => {
    const { send, times } = start({ limits: { requestsPerSecond: 100 }, latenessMs: 7 })
    await Promise.all(Array.from({ length: 101 }, () => send()))
    expect(times.at(-1)).toBeLessThan(1_020)
  })

  it('hold for the registry alone', async () => {
    const { send, times } = start({ limits: { requestsPerSecond: 1 } })
    const elsewhere = { url: new URL('https://auth.test/token') }
    await Promise.all([send(), send(elsewhere), send(elsewhere)])
    expect(times).toEqual([0, 0, 0])
  })

  it('hold beside a 429, whose gap is shorter', async () => {
    const { send, times } = start({ limits: { requestsPerSecond: 1 }, answers: [busy()] })
    for (let count = 0; count < 3; count += 1) await send()
    expect(rounded(times)).toEqual([0, 1_000, 2_000])
  })
})

describe('the most requests under way', () => {
  it('is kept to, and the place of each is free when its answer begins, or it fails', async () => {
    const { send, mostUnderWay, times } = start({
      limits: { maxRequestsUnderWay: 3 },
      answers: [new DrayError('NETWORK', 'broken')],
      latencyMs: 100,
    })
    const all = Array.from({ length: 9 }, () => send().catch(() => undefined))
    await Promise.all(all)
    expect(mostUnderWay()).toBe(3)
    expect(times).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200])
  })

  it('leaves room for the request that an upload gets its bytes from', async () => {
    const { send, times } = start({ limits: { maxRequestsUnderWay: 1 } })
    const open = async function* () {
      await send()
      yield Buffer.from('body')
    }
    await send({ method: 'PUT', body: { length: 4, open: async () => open() } })
    expect(times).toHaveLength(2)
  })
})

describe('a wait', () => {
  it('ends at once when its request is aborted, and the others keep their order', async () => {
    const { send, times, clock } = start({ answers: [busy('9')] })
    await send()
    const controllers = [0, 1, 2].map(() => new AbortController())
    const waiting = controllers.map(({ signal }, at) => send({ signal }).then(() => at))
    controllers[0]?.abort()
    await expect(waiting[0]).rejects.toMatchObject({ code: 'ABORTED' })
    controllers[1]?.abort(new DrayError('NOT_FOUND', 'another failed'))
    await expect(waiting[1]).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(clock.elapsedMs).toBe(0)
    expect(await waiting[2]).toBe(2)
    expect(rounded(times)).toEqual([0, 9_000])
  })

  it('leaves no timer behind when all who waited have left', async () => {
    const { send, clock } = start({ answers: [busy('9')] })
    await send()
    const controller = new AbortController()
    const waiting = [1, 2, 3].map(() => send({ signal: controller.signal }))
    controller.abort()
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(
      new Array(3).fill('rejected'),
    )
    expect(clock.sleepers).toBe(0)
  })

  it('does not begin for a request that is aborted already', async () => {
    const { send, times } = start({ limits: { requestsPerSecond: 1 } })
    await send()
    await expect(send({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(times).toEqual([0])
  })
})

it.each<[limits: PaceLimits]>([
  [{ requestsPerSecond: 0 }],
  [{ requestsPerSecond: -1 }],
  [{ requestsPerSecond: Number.NaN }],
  [{ maxRequestsUnderWay: 0 }],
  [{ maxRequestsUnderWay: Number.NaN }],
])('a limit that lets nothing pass is refused: %j', limits => {
  expect(() => start({ limits })).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

interface Meeting {
  readonly limits?: PaceLimits
  /** The first answers; all others are 200. */
  readonly answers?: readonly (FakeAnswer | Error)[]
  /** How long each answer takes; those of the first requests may differ. */
  readonly latencyMs?: number
  readonly latencies?: readonly number[]
  /** A registry that answers 429 to more requests than this. */
  readonly perSecond?: number
  /** How much too long the clock sleeps. */
  readonly latenessMs?: number
}

/** A pace in front of a registry, and when each request passed it, in milliseconds from the start. */
function start({ limits, answers = [], latencyMs = 0, latencies = [], perSecond, latenessMs = 0 }: Meeting) {
  const clock = simulatedClock()
  const late = { ...clock, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms + latenessMs, signal) }
  const times: number[] = []
  let [underWay, most, refused] = [0, 0, 0]
  let allowance = perSecond ?? 0
  let countedAt = 0
  const isOver = () => {
    if (perSecond === undefined) return false
    allowance = Math.min(perSecond, allowance + ((clock.elapsedMs - countedAt) / 1000) * perSecond)
    countedAt = clock.elapsedMs
    if (allowance < 1) return true
    allowance -= 1
    return false
  }
  const fake = fakeSend(async () => {
    const at = times.push(clock.elapsedMs) - 1
    most = Math.max(most, ++underWay)
    const answer = isOver() ? busy() : (answers[at] ?? {})
    const delayMs = latencies[at] ?? latencyMs
    if (delayMs > 0) await clock.sleep(delayMs)
    underWay -= 1
    if (answer instanceof Error) throw answer
    if (answer.status === 429) refused += 1
    return answer
  })
  const paced = pace({ clock: late, origin: registry, limits, maxRetryAfterMs: 10_000 })(fake.send)
  return {
    clock,
    times,
    send: (own: Partial<HttpRequest> = {}) => paced({ ...get, ...own }),
    mostUnderWay: () => most,
    refused: () => refused,
  }
}

function rounded(times: readonly number[]): number[] {
  return times.map(Math.round)
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, at) => Math.round(time - (times[at] ?? 0)))
}

import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { rateLimit } from '../../src/transfer/rate-limit.ts'
import { simulatedClock } from '../support/simulated-clock.ts'

const piece = 64 * 1024

describe('a rate limit', () => {
  it.each([
    ['20 MB/s', 20e6],
    ['1 MB/s', 1e6],
    ['100 kB/s', 100e3],
    ['1 kB/s', 1e3],
  ])('lets no more by than it says, and not less, at %s', async (_, bytesPerSecond) => {
    const { limit, clock } = start(bytesPerSecond)
    const bytes = 400 * piece
    for (let sent = 0; sent < bytes; sent += piece) await limit.take(piece)
    const bucket = Math.max(piece, bytesPerSecond / 10)
    expect(clock.elapsedMs).toBeCloseTo(((bytes - bucket) / bytesPerSecond) * 1000, 0)
  })

  it('holds for all who pass it together, in the order they came', async () => {
    const { limit, clock } = start(1e6)
    const order: number[] = []
    const worker = async (number: number) => {
      for (let count = 0; count < 10; count += 1) {
        await limit.take(piece)
        order.push(number)
      }
    }
    await Promise.all([0, 1, 2, 3].map(worker))
    expect(clock.elapsedMs).toBeCloseTo((40 * piece - 100_000) / 1000, 0)
    expect(order).toEqual(Array.from({ length: 40 }, (_, at) => at % 4))
  })

  it('is smooth: at a low rate each piece waits for its own time and no longer', async () => {
    const { limit, clock } = start(100e3)
    const times: number[] = []
    for (let count = 0; count < 4; count += 1) {
      await limit.take(10_000)
      times.push(clock.elapsedMs)
    }
    for (let count = 0; count < 6; count += 1) await limit.take(10_000)
    const before = clock.elapsedMs
    await limit.take(10_000)
    expect(times).toEqual([0, 0, 0, 0])
    expect(clock.elapsedMs - before).toBeCloseTo(100, 3)
  })

  it('answers without a promise as long as nobody has to wait', () => {
    const { limit } = start(20e6)
    expect(limit.take(1e6)).toBeUndefined()
    expect(limit.take(1e6)).toBeUndefined()
    expect(limit.take(1000)).toBeInstanceOf(Promise)
  })

  it('saves up no more than its bucket', async () => {
    const { limit, clock } = start(20e6)
    await limit.take(2e6)
    await clock.sleep(60_000)
    expect(limit.take(2e6)).toBeUndefined()
    expect(limit.take(1000)).toBeInstanceOf(Promise)
  })

  it('lets a piece by that is larger than its bucket, and makes the next one wait for it', async () => {
    const { limit, clock } = start(1e6)
    await limit.take(10e6)
    expect(clock.elapsedMs).toBeCloseTo(9_900, 3)
    await limit.take(1_000)
    expect(clock.elapsedMs).toBeCloseTo(9_901, 3)
  })

  it('ends its waits at once when they are aborted, with the reason', async () => {
    const { limit, clock } = start(1000)
    await limit.take(piece)
    const controller = new AbortController()
    const waits = [limit.take(piece, controller.signal), limit.take(piece, controller.signal)]
    controller.abort(new DrayError('NOT_FOUND', 'another failed'))
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(clock).toMatchObject({ elapsedMs: 0, sleepers: 0 })
  })
})

function start(bytesPerSecond: number) {
  const clock = simulatedClock()
  return { clock, limit: rateLimit({ bytesPerSecond, now: clock.now, sleep: clock.sleep }) }
}

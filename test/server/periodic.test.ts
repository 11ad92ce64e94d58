import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Periodic } from '../../src/server/periodic.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('periodic work', () => {
  it('is done first after a while, and then again and again', async () => {
    const work = vi.fn(async () => {})
    const periodic = new Periodic(work, { firstMs: 10, everyMs: 100 })
    for (const [ms, times] of [
      [9, 0],
      [1, 1],
      [99, 1],
      [1, 2],
      [300, 5],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms)
      expect(work).toHaveBeenCalledTimes(times)
    }
    await periodic.stop()
  })

  it('is done once at a time', async () => {
    let end = () => {}
    const work = vi.fn(() => new Promise<void>(resolve => (end = resolve)))
    const periodic = new Periodic(work, { firstMs: 1, everyMs: 1 })
    await vi.advanceTimersByTimeAsync(50)
    expect(work).toHaveBeenCalledTimes(1)
    end()
    await vi.advanceTimersByTimeAsync(1)
    expect(work).toHaveBeenCalledTimes(2)
    const stopped = periodic.stop()
    end()
    await stopped
  })

  it('is told to end when it is stopped, waited for, and not done again', async () => {
    const seen: string[] = []
    const work = vi.fn(async (signal: AbortSignal) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      seen.push('ended')
    })
    const periodic = new Periodic(work, { firstMs: 1, everyMs: 1 })
    await vi.advanceTimersByTimeAsync(1)
    await periodic.stop()
    expect(seen).toEqual(['ended'])
    await vi.advanceTimersByTimeAsync(50)
    expect(work).toHaveBeenCalledTimes(1)
  })
})

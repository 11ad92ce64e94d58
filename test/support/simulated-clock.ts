import { setImmediate as idle } from 'node:timers/promises'
import { DrayError } from '../../src/errors.ts'
import type { Clock } from '../../src/http/retry.ts'

/** A clock for what runs side by side: its time moves on to the next sleep's end once nothing else happens. */
export interface SimulatedClock extends Clock {
  /** Milliseconds since the clock was made. */
  readonly elapsedMs: number
  /** How many sleep now. */
  readonly sleepers: number
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** Makes one, at the beginning of 2026; its chance is always in the middle. For work without input and output. */
export function simulatedClock(): SimulatedClock {
  const start = Date.UTC(2026, 0, 1)
  const sleepers = new Set<Sleeper>()
  let time = start
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    for (await idle(); sleepers.size > 0; await idle()) {
      const [next] = [...sleepers].toSorted((one, other) => one.until - other.until)
      if (next === undefined) break
      time = Math.max(time, next.until)
      next.wake()
    }
    isRunning = false
  }

  return {
    get elapsedMs() {
      return time - start
    },
    get sleepers() {
      return sleepers.size
    },
    now: () => time,
    random: () => 0.5,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const abort = () => end(() => reject(new DrayError('ABORTED', 'interrupted')))
        const end = (how: () => void) => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', abort)
          how()
        }
        const sleeper = { until: time + delayMs, wake: () => end(resolve) }
        if (signal?.aborted) return abort()
        signal?.addEventListener('abort', abort)
        sleepers.add(sleeper)
        if (!isRunning) run()
      }),
  }
}

import { DrayError } from '../../src/errors.ts'
import type { Clock } from '../../src/http/retry.ts'

/** A clock that stands still but for its sleeps, which take no time, and for what a test adds to `time`. */
export interface FakeClock extends Clock {
  /** Milliseconds since 1970. */
  time: number
  /** The lengths of all sleeps so far. */
  readonly sleeps: number[]
}

/** Makes one, at the beginning of 2026; its chance is always in the middle. */
export function fakeClock(): FakeClock {
  const clock: FakeClock = {
    time: Date.UTC(2026, 0, 1),
    sleeps: [],
    now: () => clock.time,
    random: () => 0.5,
    sleep: async (delayMs, signal) => {
      if (signal?.aborted) throw new DrayError('ABORTED', 'interrupted')
      clock.sleeps.push(delayMs)
      clock.time += delayMs
    },
  }
  return clock
}

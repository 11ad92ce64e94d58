import { setTimeout as delay } from 'node:timers/promises'
import { DrayError } from '../errors.ts'
import type { Clock } from './retry.ts'

/** The machine's own clock. A sleep that is cut short rejects with the signal's reason, or `ABORTED`. */
export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  sleep: async (delayMs, signal) => {
    try {
      await delay(delayMs, undefined, signal === undefined ? {} : { signal })
    } catch (cause) {
      if (signal?.reason instanceof DrayError) throw signal.reason
      throw new DrayError('ABORTED', 'interrupted', { cause })
    }
  },
}

import { abortError } from '../work-group.ts'
import type { Sleep } from './read-blob.ts'

export interface RateLimitOptions {
  readonly bytesPerSecond: number
  /** A clock in milliseconds. */
  readonly now: () => number
  readonly sleep: Sleep
}

/** Holds all that pass it together to a number of bytes per second. */
export interface RateLimit {
  /**
   * Asks to pass some bytes on: undefined when they may go now, else a promise for when they may.
   * @throws DrayError of the signal, or `ABORTED`, once it is aborted
   */
  take(bytes: number, signal?: AbortSignal): Promise<void> | undefined
}

/** What may go at once after a pause. More would be seen as a burst, less would ask for a timer for each piece. */
const bucketMs = 100
/** A bucket that one piece of a connection fits into. */
const leastBucketBytes = 64 * 1024

/** A token bucket, filled from the start. Who comes first is served first, and a piece may be larger than the bucket. */
export function rateLimit({ bytesPerSecond, now, sleep }: RateLimitOptions): RateLimit {
  const msPerByte = 1000 / bytesPerSecond
  const aheadMs = Math.max(bucketMs, leastBucketBytes * msPerByte)
  /** When all that was taken would have gone out at exactly that rate. */
  let paidAt = Number.NEGATIVE_INFINITY
  return {
    take(bytes, signal) {
      const time = now()
      paidAt = Math.max(paidAt, time) + bytes * msPerByte
      const waitMs = paidAt - time - aheadMs
      return waitMs > 0 ? pause(waitMs, sleep, signal) : undefined
    },
  }
}

async function pause(waitMs: number, sleep: Sleep, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(waitMs, signal)
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error
  }
}

/** From where to where the delay between two tries grows, in milliseconds. */
export interface BackoffSteps {
  readonly baseMs: number
  readonly maxMs: number
}

/** Half a second at first, half a minute at the most. */
export const defaultBackoff: BackoffSteps = { baseMs: 500, maxMs: 30_000 }

/**
 * How long to wait before a retry, in milliseconds: the first step, doubled with each attempt up to the longest, of
 * which the upper half is left to chance so that many clients do not come back at the same moment.
 * @param attempt 0 for the first retry
 * @param random from 0 up to 1
 */
export function backoffMs(attempt: number, random: number, steps: BackoffSteps = defaultBackoff): number {
  const delayMs = Math.min(steps.baseMs * 2 ** attempt, steps.maxMs)
  return Math.round(delayMs / 2 + (delayMs / 2) * random)
}

const firstDelayMs = 500
const longestDelayMs = 30_000

/**
 * How long to wait before a retry, in milliseconds: half a second, doubled with each attempt up to half a minute, of
 * which the upper half is left to chance so that many clients do not come back at the same moment.
 * @param attempt 0 for the first retry
 * @param random from 0 up to 1
 */
export function retryDelayMs(attempt: number, random: number): number {
  const delayMs = Math.min(firstDelayMs * 2 ** attempt, longestDelayMs)
  return Math.round(delayMs / 2 + (delayMs / 2) * random)
}

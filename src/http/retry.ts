import { backoffMs, defaultBackoff } from '../backoff.ts'
import { isDrayError } from '../errors.ts'
import { RecentMap } from '../recent-map.ts'
import { type HttpResponse, isStreamBody, type Middleware } from './message.ts'
import { NetworkError } from './network-error.ts'

/** How often and how patiently something is tried again. */
export interface RetryPolicy {
  /** Tries after the first. */
  readonly retries: number
  /** The first delay; it doubles with each try. */
  readonly baseMs: number
  /** The longest delay of our own choosing. */
  readonly maxMs: number
  /** The longest `Retry-After` that is waited for; a longer one ends the attempts. */
  readonly maxRetryAfterMs: number
}

/** Five retries, from half a second to half a minute apart, and up to two minutes for a `Retry-After`. */
export const defaultRetryPolicy: RetryPolicy = {
  retries: 5,
  ...defaultBackoff,
  maxRetryAfterMs: 120_000,
}

/** Time and chance, passed in so that tests need not wait. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
  /** From 0 to 1, for jitter. */
  random(): number
}

/** A request failed for a passing reason and is sent again after `delayMs`. */
export interface RetryEvent {
  readonly type: 'retry'
  readonly name: string
  readonly reason: string
  readonly delayMs: number
}

const transientStatuses = new Set([408, 429, 500, 502, 503, 504])

/** True for answers that may be different when asked again (and for no others). */
export function isTransientStatus(status: number): boolean {
  return transientStatuses.has(status)
}

/** True for a connection that broke or a wait that took too long. */
export function isTransientError(error: unknown): boolean {
  return error instanceof NetworkError && (error.fault === 'broken' || error.fault === 'timeout')
}

/**
 * How long to wait before try `attempt` + 1 (the first try is 0), in milliseconds; undefined when it is not worth it.
 * Exponential with full jitter above half of the step; a `Retry-After` is obeyed up to the policy's cap.
 */
export function retryDelayMs(
  attempt: number,
  policy: RetryPolicy,
  given: { readonly retryAfterMs?: number | undefined; readonly random: number },
): number | undefined {
  if (attempt >= policy.retries) return undefined
  const own = backoffMs(attempt, given.random, policy)
  if (given.retryAfterMs === undefined) return own
  if (given.retryAfterMs > policy.maxRetryAfterMs) return undefined
  return Math.max(own, given.retryAfterMs)
}

/** Reads `Retry-After` (RFC 9110, section 10.2.3) as seconds or a date; milliseconds from `now`, never negative. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d+(\.\d+)?$/.test(text)) {
    const seconds = Number(text)
    // Docker Hub's older answers hold a point in time as unix seconds.
    return seconds > 1_000_000_000 ? Math.max(0, seconds * 1000 - now) : seconds * 1000
  }
  // Without a time of day, Date.parse finds dates in almost any text.
  const date = /\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

export interface RetryOptions {
  readonly policy: RetryPolicy
  readonly clock: Clock
  readonly onEvent?: ((event: RetryEvent) => void) | undefined
}

/**
 * Repeats requests that failed for a passing reason. A request whose body is a stream is left to the one who opened
 * the stream. A refused connection is only tried again at an origin that has answered before.
 */
export function retry({ policy, clock, onEvent }: RetryOptions): Middleware {
  const answered = new RecentMap<string, true>()
  return next => async request => {
    const mayRepeat = !isStreamBody(request.body)
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await next(request).then(
        response => ({ response }),
        (error: unknown) => ({ error }),
      )
      if ('response' in outcome) answered.set(request.url.origin, true)
      const reason = transientReason(outcome, answered.has(request.url.origin))
      const delayMs = reason === undefined || !mayRepeat ? undefined : delayAfter(outcome, attempt)
      if (reason === undefined || delayMs === undefined) {
        if ('error' in outcome) throw outcome.error
        return outcome.response
      }
      if ('response' in outcome) await outcome.response.discard()
      onEvent?.({ type: 'retry', name: request.url.host, reason, delayMs })
      await clock.sleep(delayMs, request.signal)
    }
  }

  function delayAfter(outcome: Outcome, attempt: number): number | undefined {
    const header = 'response' in outcome ? outcome.response.headers.get('retry-after') : undefined
    const retryAfterMs = parseRetryAfter(header, clock.now())
    return retryDelayMs(attempt, policy, { retryAfterMs, random: clock.random() })
  }
}

type Outcome = { readonly response: HttpResponse } | { readonly error: unknown }

function transientReason(outcome: Outcome, answeredBefore: boolean): string | undefined {
  if ('response' in outcome) {
    const { status } = outcome.response
    return isTransientStatus(status) ? `it answered ${status}` : undefined
  }
  const { error } = outcome
  const isGone = error instanceof NetworkError && error.fault === 'unreachable' && answeredBefore
  if (!isTransientError(error) && !isGone) return undefined
  return isDrayError(error) ? error.message.replace(/^cannot reach [^ ]+: /, '') : String(error)
}

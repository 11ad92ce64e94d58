import type { HttpHeaders } from '../http/message.ts'

/** How much a registry lets one caller do. */
export interface RateLimit {
  /** Requests in a window; null where only what remains is told. */
  readonly limit: number | null
  /** What is left of them; null where it is not told. May be a fraction (Azure). */
  readonly remaining: number | null
  readonly windowSeconds: number | null
  /** When it starts anew, in milliseconds since 1970. */
  readonly resetAt: number | null
  /** Whose limit it is, in the registry's words: an address, or the number of an account. */
  readonly source: string | null
}

/**
 * Reads a limit from an answer's headers: Docker Hub's `ratelimit-limit: 100;w=21600`, the `X-RateLimit-*` of GitHub and
 * of Docker's API, the `RateLimit-*` of GitLab, Azure's `x-ms-ratelimit-remaining-calls-per-second`. Undefined, which
 * means unlimited, where there are none.
 * @param now milliseconds since 1970
 */
export function parseRateLimit(headers: HttpHeaders, now: number): RateLimit | undefined {
  const told = (name: string) => headers.get(`ratelimit-${name}`) ?? headers.get(`x-ratelimit-${name}`)
  const limit = parseAmount(told('limit'))
  const left = parseAmount(told('remaining'))
  const perSecond = parseAmount(headers.get('x-ms-ratelimit-remaining-calls-per-second'))
  const remaining = left ?? perSecond
  if (limit === undefined && remaining === undefined) return undefined
  return {
    limit: limit?.amount ?? null,
    remaining: remaining?.amount ?? null,
    windowSeconds: limit?.windowSeconds ?? left?.windowSeconds ?? (remaining === perSecond ? 1 : null),
    resetAt: parseReset(told('reset'), now) ?? null,
    source: headers.get('docker-ratelimit-source')?.trim() || null,
  }
}

interface Amount {
  readonly amount: number
  readonly windowSeconds: number | undefined
}

/** `100`, `100;w=21600`, `166.633333`, and `100, 100;w=60` of the IETF's draft. */
function parseAmount(text: string | undefined): Amount | undefined {
  const amount = /^\s*(\d{1,15}(?:\.\d{1,15})?)\s*(?:[;,]|$)/.exec(text ?? '')?.[1]
  if (amount === undefined) return undefined
  const window = /;\s*w=(\d{1,9})\b/.exec(text ?? '')?.[1]
  return { amount: Number(amount), windowSeconds: window === undefined ? undefined : Number(window) }
}

/** A point in time as unix seconds, or how many seconds are left (IETF's draft). */
function parseReset(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !/^\s*\d{1,11}\s*$/.test(text)) return undefined
  const seconds = Number(text)
  return seconds > 1_000_000_000 ? seconds * 1000 : now + seconds * 1000
}

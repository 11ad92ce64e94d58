import { printable } from './printable.ts'
import { formatDuration } from './units.ts'

/** How much a registry still allows, as `dray ratelimit` prints it. */
export interface ShownRateLimit {
  readonly registry: string
  readonly limited: boolean
  readonly limit: number | null
  readonly remaining: number | null
  readonly windowSeconds: number | null
  /** In ISO 8601. */
  readonly resetAt: string | null
  /** Whose limit it is, in the registry's words. */
  readonly source: string | null
  readonly user: string | null
}

/** A line for people: `docker.io: 76 of 100 requests left in 6h 00m, as anna (203.0.113.7)`. */
export function rateLimitText(shown: ShownRateLimit): string {
  const { registry, limited, source, user } = shown
  const who = `${user === null ? 'without a login' : `as ${user}`}${source === null ? '' : ` (${source})`}`
  return printable(`${registry}: ${limited ? amountOf(shown) : 'unlimited'}, ${who}`)
}

function amountOf({ limit, remaining, windowSeconds, resetAt }: ShownRateLimit): string {
  const amount = [remaining, limit].filter(number => number !== null).join(' of ')
  const left = remaining === null ? 'requests' : 'requests left'
  const window = windowSeconds === null ? '' : ` in ${formatDuration(windowSeconds * 1000)}`
  return `${amount} ${left}${window}${resetAt === null ? '' : `, anew at ${resetAt}`}`
}

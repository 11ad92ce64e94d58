import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'

/** One page of a listing. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** The `Link` to the next page, where there is one. */
  readonly headers: Record<string, string>
}

export interface PageOptions<Item> {
  /** What the items are sorted by, and a page goes on behind. */
  readonly keyOf: (item: Item) => string
  /** How much of the items, which are those to come, fits into one answer; all when absent. */
  readonly countFitting?: (items: readonly Item[]) => number
}

/**
 * The items behind `last`, at most `n` of them (distribution-spec v1.1, "Listing Tags"); `last` need not be one of them.
 * The `Link` to the next page keeps the rest of the query.
 * @param items in order of their keys
 * @throws RegistryFault `UNSUPPORTED` with status 400 for an `n` that is none
 */
export function pageOf<Item>(
  items: readonly Item[],
  exchange: Exchange,
  { keyOf, countFitting = rest => rest.length }: PageOptions<Item>,
): Page<Item> {
  const last = exchange.query.get('last') ?? ''
  const rest = last === '' ? items : items.slice(countUpTo(last, items, keyOf))
  const limit = limitIn(exchange.query.get('n')) ?? rest.length
  const page = rest.slice(0, Math.min(limit, countFitting(rest)))
  const final = page.at(-1)
  if (final === undefined || page.length === rest.length) return { items: page, headers: {} }
  const query = new URLSearchParams(exchange.query)
  query.set('last', keyOf(final))
  return { items: page, headers: { Link: `<${exchange.path}?${query}>; rel="next"` } }
}

/** How many items come before those behind `last`. */
function countUpTo<Item>(last: string, items: readonly Item[], keyOf: (item: Item) => string): number {
  const index = items.findIndex(item => keyOf(item) > last)
  return index < 0 ? items.length : index
}

function limitIn(n: string | null): number | undefined {
  if (n === null || n === '') return undefined
  if (/^\d{1,100}$/.test(n)) return Number(n)
  const message = 'n must be a number that is not negative'
  throw new RegistryFault('UNSUPPORTED', message, { status: 400, detail: { n } })
}

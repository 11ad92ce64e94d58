import { RegistryFault } from './errors.ts'
import type { Exchange } from './exchange.ts'

/** One page of a listing. */
export interface Page {
  readonly names: readonly string[]
  /** The `Link` to the next page, where there is one. */
  readonly headers: Record<string, string>
}

/**
 * The names behind `last`, at most `n` of them (distribution-spec v1.1, "Listing Tags"). `names` are sorted; `last` need
 * not be one of them.
 * @throws RegistryFault `PAGINATION_NUMBER_INVALID`
 */
export function pageOf(names: readonly string[], exchange: Exchange): Page {
  const last = exchange.query.get('last') ?? ''
  const limit = limitIn(exchange.query.get('n'))
  const rest = last === '' ? names : names.filter(name => name > last)
  if (limit === undefined || limit >= rest.length) return { names: rest, headers: {} }
  const page = rest.slice(0, limit)
  const final = page.at(-1)
  if (final === undefined) return { names: page, headers: {} }
  const query = new URLSearchParams({ n: String(limit), last: final })
  return { names: page, headers: { Link: `<${exchange.path}?${query}>; rel="next"` } }
}

function limitIn(n: string | null): number | undefined {
  if (n === null || n === '') return undefined
  if (/^\d{1,9}$/.test(n)) return Number(n)
  throw new RegistryFault('PAGINATION_NUMBER_INVALID', 'n must be a number that is not negative', {
    detail: { n },
  })
}

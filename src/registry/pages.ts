import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import type { HttpRequest, HttpResponse } from '../http/message.ts'
import { collect } from '../oci/content.ts'
import type { RegistryContext } from './context.ts'
import { expectStatus } from './registry-error.ts'

/** The most that registries accept: ECR and distribution 2.x refuse more than 1000. */
const maxPageSize = 1000

/** The largest page read, in bytes: Google's tag lists come in one page with a map of all manifests. */
const maxPageBytes = 64 * 1024 * 1024

/** Registries that filter what a login may see send empty pages, but not so many of them in a row. */
const maxBarrenPages = 1000

/** One list that comes in pages. */
export interface PagedList {
  readonly request: HttpRequest
  /** The field that holds the names: `tags` or `repositories`. */
  readonly field: string
  /** Reads "cannot <what>: …" in errors. */
  readonly what: string
  readonly pageSize?: number | undefined
}

/**
 * The names of a paged list (distribution-spec v1.1, "Listing Tags"). Of a `Link` only the query is used, on the
 * original URL: Artifactory's loses half of its path, and some proxies' names the wrong scheme; a Link to another
 * host is refused. A page size that the registry refuses (400, 405) is left to the registry. A page that was there
 * before ends the list, and a name comes once.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`, `INTEGRITY` for a malformed page, `REGISTRY` for a Link elsewhere or for
 * pages without end that bring nothing
 */
export async function* pagedNames(context: RegistryContext, list: PagedList): AsyncGenerator<string> {
  const first = new URL(list.request.url)
  first.searchParams.set('n', String(Math.min(list.pageSize ?? maxPageSize, maxPageSize)))
  yield* pagedItems<string>(first, {
    what: list.what,
    keyOf: name => name,
    fetch: async url => {
      const response = await fetchPage(context, { ...list, request: { ...list.request, url } })
      return { items: await readNames(response, list), link: response.headers.get('link') }
    },
  })
}

/** How a list is had, page by page. */
export interface PagesOf<Item> {
  /** Reads "cannot <what>: …" in errors. */
  readonly what: string
  /** What two items that are the same have in common. */
  readonly keyOf: (item: Item) => string
  readonly fetch: (url: URL) => Promise<Page<Item>>
}

/** One page of a list, and the `Link` that came with it. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly link: string | undefined
}

/**
 * The items of a list that comes in pages (see {@link nextPage}), each once. A page that was there before ends it.
 * @throws DrayError `REGISTRY` for a Link elsewhere, or for pages without end that bring nothing; what `fetch` throws
 */
export async function* pagedItems<Item>(
  first: URL,
  { what, keyOf, fetch }: PagesOf<Item>,
): AsyncGenerator<Item> {
  const seenPages = new Set<string>()
  const seen = new Set<string>()
  let url: URL | undefined = first
  let barren = 0
  while (url !== undefined && !seenPages.has(url.href)) {
    seenPages.add(url.href)
    const page: Page<Item> = await fetch(url)
    const known = seen.size
    for (const item of page.items) {
      if (seen.has(keyOf(item))) continue
      seen.add(keyOf(item))
      yield item
    }
    barren = seen.size > known ? 0 : barren + 1
    if (barren > maxBarrenPages) {
      throw new DrayError('REGISTRY', `cannot ${what}: the registry sends pages without end`)
    }
    url = nextPage(page.link, url)
  }
}

/** The URL of the next page by a `Link` header (RFC 8288), or undefined when this is the last. */
export function nextPage(link: string | undefined, current: URL): URL | undefined {
  const match = /<([^<>]*)>\s*;[^<]*\brel\s*=\s*"?next\b/i.exec(link ?? '')
  const target = match?.[1]
  if (target === undefined || !URL.canParse(target, current.href)) return undefined
  const linked = new URL(target, current)
  if (linked.hostname !== current.hostname) {
    throw new DrayError(
      'REGISTRY',
      `${current.host} continues its list at another host, ${linked.host}; not followed`,
    )
  }
  const next = new URL(current)
  next.search = linked.search
  return next
}

async function fetchPage(context: RegistryContext, list: PagedList): Promise<HttpResponse> {
  const response = await context.send(list.request)
  const { url } = list.request
  const isRefusedSize = (response.status === 400 || response.status === 405) && url.searchParams.has('n')
  if (!isRefusedSize) return expectStatus(response, [200], list.what)
  await response.discard()
  const plain = new URL(url)
  plain.searchParams.delete('n')
  return expectStatus(await context.send({ ...list.request, url: plain }), [200], list.what)
}

async function readNames(response: HttpResponse, { field, what }: PagedList): Promise<readonly string[]> {
  const bytes = await collect(response.body, maxPageBytes, `cannot ${what}`)
  try {
    const names = z.optional(z.nullable(z.array(z.string())))
    return (
      (z.looseObject({ [field]: names }).parse(JSON.parse(bytes.toString('utf8')))[field] as
        | string[]
        | null) ?? []
    )
  } catch (cause) {
    throw new DrayError('INTEGRITY', `cannot ${what}: the answer is not a list of ${field}`, { cause })
  }
}

import type { Exchange } from '../exchange.ts'
import type { Storage } from '../storage/storage.ts'
import type { Target } from '../target.ts'
import { pageOf } from './paging.ts'

/**
 * GET /v2/_catalog, which distribution has and its specification has not; paged like tags. Repositories that one may not
 * see are left out.
 */
export async function listRepositories(exchange: Exchange, _: Target, storage: Storage): Promise<void> {
  const visible = (await storage.repositories()).filter(name => exchange.grant.maySee(name))
  const { items, headers } = pageOf(visible, exchange, { keyOf: name => name })
  exchange.sendJson(200, { repositories: items }, headers)
}

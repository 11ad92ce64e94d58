import type { Exchange } from './exchange.ts'
import { pageOf } from './paging.ts'
import type { Storage } from './storage.ts'
import type { Target } from './target.ts'

/** GET /v2/_catalog, which distribution has and its specification has not; paged like tags. */
export async function listRepositories(exchange: Exchange, _: Target, storage: Storage): Promise<void> {
  const { names, headers } = pageOf(await storage.repositories(), exchange)
  exchange.sendJson(200, { repositories: names }, headers)
}

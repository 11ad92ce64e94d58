import type { Exchange } from './exchange.ts'
import { pageOf } from './paging.ts'
import type { Storage } from './storage.ts'
import type { Target } from './target.ts'

/** GET tags/list (distribution-spec v1.1, end-8a and end-8b), in order of their characters. */
export async function listTags(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const layout = await storage.open(target.repository)
  const { items, headers } = pageOf(await storage.tags.of(layout), exchange, { keyOf: tag => tag })
  exchange.sendJson(200, { name: target.repository, tags: items }, headers)
}

import { tagFault } from '../oci/reference.ts'
import type { Exchange } from './exchange.ts'
import { pageOf } from './paging.ts'
import type { Storage } from './storage.ts'
import type { Target } from './target.ts'

/** GET tags/list (distribution-spec v1.1, end-8). Names in the layout that are no tags to a registry are left out. */
export async function listTags(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const layout = await storage.open(target.repository)
  const tags = (await layout.listTags()).filter(tag => tagFault(tag) === undefined)
  const { names, headers } = pageOf(tags, exchange)
  exchange.sendJson(200, { name: target.repository, tags: names }, headers)
}

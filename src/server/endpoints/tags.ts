import type { Exchange } from '../exchange.ts'
import { type FoundList, findTags } from '../mirror/lists.ts'
import { staleHeaders } from '../mirror/repository.ts'
import type { Storage } from '../storage/storage.ts'
import type { Target } from '../target.ts'
import { pageOf } from './paging.ts'

/** GET tags/list (distribution-spec v1.1, end-8a and end-8b), in order of their characters. */
export async function listTags(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const { mirrored, repository, askedAs } = target
  const found = mirrored === undefined ? await ownTags(repository, storage) : await findTags(mirrored)
  const { items, headers } = pageOf(found.items, exchange, { keyOf: tag => tag })
  exchange.sendJson(200, { name: askedAs, tags: items }, { ...headers, ...staleHeaders(found.isStale) })
}

async function ownTags(repository: string, storage: Storage): Promise<FoundList<string>> {
  return { items: await storage.tags.of(await storage.open(repository)), isStale: false }
}

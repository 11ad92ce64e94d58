import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { type FaultCode, RegistryFault } from '../errors.ts'
import type { Recent } from './recent.ts'
import { layoutOf, type MirroredRepository } from './repository.ts'
import type { Upstream } from './upstream.ts'

/** What a mirrored repository lists. */
export interface FoundList<Item> {
  readonly items: readonly Item[]
  /** Only what is here, since the upstream does not answer. */
  readonly isStale: boolean
}

/** The tags as the upstream has them, in order of their characters. @throws RegistryFault `NAME_UNKNOWN` and others */
export function findTags(repository: MirroredRepository): Promise<FoundList<string>> {
  const { storage, tagLists } = repository.mirror
  return find(repository, {
    kept: tagLists,
    key: repository.path,
    absent: 'NAME_UNKNOWN',
    ask: async upstream => (await all(upstream.tags())).sort(),
    local: async () => storage.tags.of(await layoutOf(repository)),
  })
}

/** What refers to a manifest as the upstream has it, in order of digests. @throws RegistryFault */
export function findReferrers(
  repository: MirroredRepository,
  subject: Digest,
): Promise<FoundList<Descriptor>> {
  const { storage, referrerLists } = repository.mirror
  return find(repository, {
    kept: referrerLists,
    key: `${repository.path}@${subject}`,
    absent: 'NAME_UNKNOWN',
    ask: async upstream =>
      (await all(upstream.referrers(subject))).sort((a, b) => (a.digest < b.digest ? -1 : 1)),
    local: async () => (await storage.referrers.of(await layoutOf(repository))).get(subject) ?? [],
  })
}

interface List<Item> {
  readonly kept: Recent<readonly Item[]>
  readonly key: string
  readonly absent: FaultCode
  readonly ask: (upstream: Upstream) => Promise<readonly Item[]>
  readonly local: () => Promise<readonly Item[]>
}

/** A list is kept for a moment, so that a client that turns its pages does not have it read anew for each. */
async function find<Item>({ mirror, path }: MirroredRepository, list: List<Item>): Promise<FoundList<Item>> {
  const kept = list.kept.get(list.key)
  if (kept !== undefined) return { items: kept, isStale: false }
  try {
    const ask = () => mirror.ask(path, list.absent, list.ask)
    const items = await mirror.flights.run(`list ${list.key}`, ask)
    list.kept.set(list.key, items, mirror.freshMs)
    return { items, isStale: false }
  } catch (error) {
    if (!(error instanceof RegistryFault) || error.status === 404) throw error
    const items = await list.local()
    if (items.length === 0) throw error
    return { items, isStale: true }
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

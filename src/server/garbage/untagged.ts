import { DrayError, quote } from '../../errors.ts'
import type { BlobStore } from '../../layout/blob-store.ts'
import { type IndexEntry, refNameOf } from '../../layout/index-entries.ts'
import { imageNameKey } from '../../layout/ref-name.ts'
import { type Digest, digestFault, isDigest } from '../../oci/digest.ts'
import type { Reach } from './reach.ts'

/** An entry of index.json of which it can be told what it needs. */
export type KnownEntry = IndexEntry & { readonly digest: Digest }

/** The entries of an index.json that stay, and those that go. */
export interface SortedEntries {
  readonly kept: readonly KnownEntry[]
  readonly dropped: readonly KnownEntry[]
}

/** What untagged entries are judged by. */
export interface UntaggedOptions {
  readonly blobs: BlobStore
  readonly reach: Reach
  /** Manifests that were written or used since then stay, in milliseconds since 1970. */
  readonly since: number
}

/**
 * Finds entries without a tag that nothing keeps: the manifest is not young, is not part of an index that stays, and does
 * not refer (`subject`) to what stays. What is not there, and so has no age, stays.
 * @throws DrayError as `Reach.from`
 */
export async function dropUntagged(
  entries: readonly KnownEntry[],
  { blobs, reach, since }: UntaggedOptions,
): Promise<SortedEntries> {
  const isOld = async (entry: KnownEntry) => {
    const status = isNamed(entry) ? undefined : await blobs.status(entry.digest)
    return status !== undefined && status.usedMs <= since
  }
  const isKept = async ({ digest }: KnownEntry, reached: ReadonlySet<Digest>) => {
    const { subject } = await reach.links(digest)
    return reached.has(digest) || (subject !== undefined && reached.has(subject))
  }
  let dropped = await filter(entries, isOld)
  for (;;) {
    const kept = entries.filter(entry => !dropped.has(entry))
    const reached = await reach.from(kept.map(entry => entry.digest))
    const left = await filter(dropped, async entry => !(await isKept(entry, reached)))
    if (left.size === dropped.size) return { kept, dropped: [...dropped] }
    dropped = left
  }
}

/**
 * Checks that it can be told what each entry needs.
 * @param indexPath what index.json is called in messages
 * @throws DrayError `UNSUPPORTED` for a digest algorithm that is not known here
 */
export function knownEntries(entries: readonly IndexEntry[], indexPath: string): readonly KnownEntry[] {
  return entries.map(entry => {
    const { digest } = entry
    if (isDigest(digest)) return { ...entry, digest }
    const message = `${indexPath}: what ${quote(digest)} needs cannot be told: ${digestFault(digest)}`
    throw new DrayError('UNSUPPORTED', message)
  })
}

function isNamed(entry: IndexEntry): boolean {
  return refNameOf(entry) !== undefined || entry.annotations?.[imageNameKey] !== undefined
}

async function filter<Item>(
  items: Iterable<Item>,
  isWanted: (item: Item) => Promise<boolean>,
): Promise<Set<Item>> {
  const wanted = new Set<Item>()
  for (const item of items) if (await isWanted(item)) wanted.add(item)
  return wanted
}

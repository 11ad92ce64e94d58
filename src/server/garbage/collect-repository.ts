import { isDrayError } from '../../errors.ts'
import type { BlobStatus } from '../../layout/blob-file.ts'
import type { BlobStore } from '../../layout/blob-store.ts'
import type { IndexEntry } from '../../layout/index-entries.ts'
import type { KeyedLock } from '../../layout/keyed-lock.ts'
import { LayoutFolder } from '../../layout/layout-folder.ts'
import type { Digest } from '../../oci/digest.ts'
import { throwIfEnded } from './ended.ts'
import { type Links, noLinks, Reach } from './reach.ts'
import type { Tally } from './tally.ts'
import { dropUntagged, type KnownEntry, knownEntries, type SortedEntries } from './untagged.ts'

/** A layout that is collected in, and how. */
export interface RepositoryOptions {
  /** As it is taken down; undefined for a folder that is one layout itself. */
  readonly repository: string | undefined
  readonly tally: Tally
  /** What was written or used since then stays, in milliseconds since 1970. */
  readonly since: number
  /** Drop untagged manifests too. */
  readonly untagged: boolean
  readonly locks: KeyedLock
  readonly signal: AbortSignal | undefined
}

/** The index is kept from others for so long at a time. */
const turnMs = 500

/**
 * Removes blobs of a layout that its index.json does not lead to. What somebody was told of lately (`BlobStore.use`) stays,
 * and of a manifest all that it leads to: who finds it here brings nothing of that.
 * @throws DrayError `INTEGRITY` or `UNSUPPORTED` where it cannot be told what is needed, and then nothing is removed; `IO`,
 * `TIMEOUT` where another process keeps the index, `ABORTED`
 */
export async function collectRepository(dir: string, options: RepositoryOptions): Promise<void> {
  await new RepositoryCollection(dir, options).run()
}

interface Garbage {
  readonly dropped: readonly KnownEntry[]
  /** Manifests that are in no index, but that somebody was told of. */
  readonly relied: readonly Digest[]
  /** Those that lead to others before them. */
  readonly blobs: readonly BlobStatus[]
}

class RepositoryCollection {
  readonly #folder: LayoutFolder
  readonly #blobs: BlobStore
  readonly #reach: Reach
  readonly #options: RepositoryOptions

  constructor(dir: string, options: RepositoryOptions) {
    const name = `oci:${dir}`
    this.#folder = new LayoutFolder(dir, { name, isThere: true, locks: options.locks })
    this.#blobs = this.#folder.blobs
    this.#reach = new Reach(this.#blobs, name)
    this.#options = options
  }

  async run(): Promise<void> {
    const { dryRun } = this.#options.tally
    if (!dryRun) await this.#putBackAside()
    // Before the index is locked, since to read manifests takes its time; each is read once.
    const garbage = await this.#find()
    if (dryRun) this.#foresee(garbage)
    else await this.#remove(garbage)
  }

  async #find(): Promise<Garbage> {
    const { manifests } = await this.#folder.index()
    const { kept, dropped } = await this.#sort(manifests ?? [])
    const needed = await this.#reach.from(digestsOf(kept))
    const statuses = await this.#statusesWithout(needed)
    const isOld = ({ usedMs }: BlobStatus) => usedMs <= this.#options.since
    const old = statuses.filter(isOld)
    if (old.length === 0) return { dropped, relied: [], blobs: [] }
    const relied = await this.#findRelied(statuses.filter(status => !isOld(status)))
    const neededToo = await this.#reach.from(relied)
    const blobs = await this.#parentsFirst(old.filter(({ digest }) => !neededToo.has(digest)))
    return { dropped, relied, blobs }
  }

  #foresee({ dropped, blobs }: Garbage): void {
    this.#countDropped(dropped)
    for (const blob of blobs) this.#count(blob)
  }

  async #remove({ dropped, relied, blobs }: Garbage): Promise<void> {
    if (dropped.length === 0 && blobs.length === 0) return
    const stays = new Set(relied)
    let left = blobs
    do {
      left = await this.#folder.indexFile.exclusively(async (entries, replace) => {
        const { kept, dropped } = await this.#sort(entries)
        if (dropped.length > 0) await replace(kept)
        this.#countDropped(dropped)
        return this.#sweep(left, await this.#reach.from([...digestsOf(kept), ...stays]), stays)
      })
    } while (left.length > 0)
  }

  /** Gives back what there was no time for. */
  async #sweep(
    blobs: readonly BlobStatus[],
    needed: Set<Digest>,
    stays: Set<Digest>,
  ): Promise<readonly BlobStatus[]> {
    const end = performance.now() + turnMs
    for (const [at, blob] of blobs.entries()) {
      throwIfEnded(this.#options.signal)
      if (performance.now() > end) return blobs.slice(at)
      if (needed.has(blob.digest)) continue
      const gone = await this.#blobs.deleteUnused(blob)
      if (gone !== undefined) {
        this.#count(gone)
        continue
      }
      // Used just now. If it is a manifest, all below it was found with it.
      stays.add(blob.digest)
      for (const digest of await this.#reach.from([blob.digest])) needed.add(digest)
    }
    return []
  }

  async #sort(entries: readonly IndexEntry[]): Promise<SortedEntries> {
    const { untagged, since } = this.#options
    const known = knownEntries(entries, this.#folder.indexPath)
    if (!untagged) return { kept: known, dropped: [] }
    return dropUntagged(known, { blobs: this.#blobs, reach: this.#reach, since })
  }

  async #statusesWithout(needed: ReadonlySet<Digest>): Promise<BlobStatus[]> {
    const statuses: BlobStatus[] = []
    for (const digest of await this.#blobs.list()) {
      throwIfEnded(this.#options.signal)
      const status = needed.has(digest) ? undefined : await this.#blobs.status(digest)
      if (status !== undefined) statuses.push(status)
    }
    return statuses
  }

  async #findRelied(young: readonly BlobStatus[]): Promise<Digest[]> {
    const relied: Digest[] = []
    for (const { digest } of young) {
      const { manifests, blobs } = await this.#linksIfSound(digest)
      if (manifests.length + blobs.length > 0) relied.push(digest)
    }
    return relied
  }

  /** So that what is used while this goes on is seen to be before anything goes that it leads to. */
  async #parentsFirst(blobs: readonly BlobStatus[]): Promise<BlobStatus[]> {
    const left = new Map(blobs.map(blob => [blob.digest, blob]))
    const childrenFirst: BlobStatus[] = []
    const visit = async (digest: Digest): Promise<void> => {
      const blob = left.get(digest)
      if (blob === undefined) return
      left.delete(digest)
      const links = await this.#linksIfSound(digest)
      for (const child of [...links.manifests, ...links.blobs]) await visit(child)
      childrenFirst.push(blob)
    }
    for (const { digest } of blobs) await visit(digest)
    return childrenFirst.reverse()
  }

  /** Of what does not have its digest, none: nobody can have been told that it is a manifest. */
  async #linksIfSound(digest: Digest): Promise<Links> {
    try {
      return await this.#reach.links(digest)
    } catch (error) {
      if (isDrayError(error, 'INTEGRITY', 'NOT_FOUND')) return noLinks
      throw error
    }
  }

  async #putBackAside(): Promise<void> {
    const aside = await this.#blobs.listAside()
    if (aside.length === 0) return
    await this.#folder.indexFile.exclusively(async () => {
      for (const digest of aside) await this.#blobs.putBack(digest)
    })
  }

  #countDropped(dropped: readonly KnownEntry[]): void {
    const { tally, repository } = this.#options
    for (const { digest } of dropped) tally.addEntry(repository, digest)
  }

  #count(blob: BlobStatus): void {
    const { tally, repository } = this.#options
    tally.addFile(blob, { kind: 'blob', repository, digest: blob.digest })
  }
}

function digestsOf(entries: readonly KnownEntry[]): Digest[] {
  return entries.map(({ digest }) => digest)
}

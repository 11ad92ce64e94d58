import type { BlobStatus } from '../../layout/blob-file.ts'
import type { Digest } from '../../oci/digest.ts'

/** Something that was removed, or would be. */
export interface Removal {
  /**
   * `untagged`: a manifest that index.json lists no more. `blob`: a blob of a repository, which may be a manifest.
   * `shared-blob`: the name by which repositories shared a blob. `upload`, `part` of a blob, `temporary`: what was begun and
   * not gone on with.
   */
  readonly kind: 'untagged' | 'blob' | 'shared-blob' | 'upload' | 'part' | 'temporary'
  /** Left out for what belongs to no repository, and in a folder that is one layout itself. */
  readonly repository?: string | undefined
  readonly digest?: Digest | undefined
  /** The path of a file that is no blob, in the repository or else in the folder. */
  readonly path?: string | undefined
  /** The size of the file; what is freed is less where it has other names. */
  readonly bytes: number
}

/** What must be known of a file that goes. */
export type NamedFile = Pick<BlobStatus, 'size' | 'links' | 'file'>

/** What was removed so far, or would be, and how much of the disk that frees: a file with several names goes with its last. */
export class Tally {
  readonly dryRun: boolean
  readonly removed: Removal[] = []
  freedBytes = 0
  /** How many names are left of files of which some would go. */
  readonly #left = new Map<string, number>()

  constructor(dryRun: boolean) {
    this.dryRun = dryRun
  }

  /** Whether a file has only one name, now that others have gone or would have. */
  isLastName({ file, links }: NamedFile): boolean {
    return (this.#left.get(file) ?? links) === 1
  }

  /** Takes down a file as it was before it went, or as it would go. */
  addFile(status: NamedFile, removal: Omit<Removal, 'bytes'>): void {
    if (this.isLastName(status)) this.freedBytes += status.size
    if (this.dryRun) this.#left.set(status.file, (this.#left.get(status.file) ?? status.links) - 1)
    this.removed.push({ ...removal, bytes: status.size })
  }

  /** Takes down an entry of index.json. */
  addEntry(repository: string | undefined, digest: Digest): void {
    this.removed.push({ kind: 'untagged', repository, digest, bytes: 0 })
  }
}

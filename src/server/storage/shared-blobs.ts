import { removeFile } from '../../files/remove-file.ts'
import { BlobStore } from '../../layout/blob-store.ts'
import type { KeyedLock } from '../../layout/keyed-lock.ts'
import type { Digest } from '../../oci/digest.ts'

/** A file whose content has been checked against its digest. */
export interface VerifiedFile {
  /** On the file system of the served folder; it is moved or removed. */
  readonly path: string
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
}

/**
 * `_blobs` in the served folder: one more name for each blob that the server has verified, so that a blob which several
 * repositories hold is on disk once. A repository has files of its own names all the same, and does not need this folder.
 */
export class SharedBlobs {
  readonly #store: BlobStore
  readonly #locks: KeyedLock

  constructor(dir: string, locks: KeyedLock) {
    this.#store = new BlobStore(dir, dir)
    this.#locks = locks
  }

  /**
   * Gives a repository a blob: the file that others have, or else this one, which others will have too. Where the file
   * system cannot link, each repository has a file of its own.
   * @throws DrayError `IO`
   */
  async bring({ path, digest, size }: VerifiedFile, blobs: BlobStore): Promise<void> {
    await this.#locks.run(`shared blob ${digest}`, async () => {
      if (await this.lend(digest, size, blobs)) {
        await removeFile(path)
        return
      }
      await blobs.adopt(path, digest)
      await this.#store.share(blobs, digest)
    })
  }

  /**
   * Gives a repository a blob that others have, where it is as long as it should be.
   * @returns false where none has it, or the file system cannot link
   * @throws DrayError `IO`
   */
  async lend(digest: Digest, size: number, blobs: BlobStore): Promise<boolean> {
    return (await this.#store.use(digest)) === size && (await blobs.share(this.#store, digest))
  }

  /** Whether a repository may have the blob; one that was written without the server is not known here. */
  async has(digest: Digest): Promise<boolean> {
    return ((await this.#store.status(digest))?.links ?? 0) > 1
  }

  /** Forgets a blob that no repository has any more: its space is free, and when it comes again it comes as it is then. */
  async release(digest: Digest): Promise<void> {
    if ((await this.#store.status(digest))?.links === 1) await this.#store.delete(digest)
  }
}

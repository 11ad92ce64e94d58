import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DrayError } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { linkFile } from '../files/link-file.ts'
import { inFolder, makeFolder } from '../files/make-folder.ts'
import { pourFile } from '../files/pour-file.ts'
import { removeFile } from '../files/remove-file.ts'
import { StagedFile } from '../files/staged-file.ts'
import { type Chunks, flow } from '../flow.ts'
import type { OpenContent } from '../image-store.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, hexOf, isDigest } from '../oci/digest.ts'
import {
  type BlobStatus,
  blobStatus,
  deleteUnusedFile,
  markUsed,
  nameBeforeAside,
  putFileBack,
} from './blob-file.ts'
import { BlobWriter, type ExpectedBlob } from './blob-writer.ts'
import type { BlobFiles, ByteRange } from './layout-files.ts'
import type { PartialFolder } from './partial-folder.ts'
import { writeResumably } from './resumable-write.ts'
import { throwIfAborted } from './transfer-aborted.ts'

export type { BlobStatus } from './blob-file.ts'

/** Blobs of so many bytes and more leave a part to go on with when their writing is broken off. */
const resumableBytes = 1024 * 1024

/** A mark is good for so long, so that a blob which everybody asks for is not marked for each of them. */
export const markedMs = 60_000

const algorithms: readonly DigestAlgorithm[] = ['sha256', 'sha512']

/**
 * The files of blobs, `<algorithm>/<hex>` in a folder (image-spec v1.1, image-layout.md#blobs). Paths are made from
 * checked digests only, and a blob that is a symbolic link is as good as absent, so no path leads out of the folder.
 */
export class BlobStore implements BlobFiles {
  readonly #dir: string
  readonly #name: string
  readonly #partials: PartialFolder | undefined

  /**
   * @param name what the store is called in messages
   * @param partials where parts of large blobs are kept; nowhere when absent
   */
  constructor(dir: string, name: string, partials?: PartialFolder) {
    this.#dir = dir
    this.#name = name
    this.#partials = partials
  }

  async list(): Promise<Digest[]> {
    const names = await this.#names()
    return names.map(([algorithm, name]) => `${algorithm}:${name}`).filter(isDigest)
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await this.status(digest))?.size
  }

  /** Undefined where there is no such blob. @throws DrayError `IO` */
  status(digest: Digest): Promise<BlobStatus | undefined> {
    return blobStatus(digest, this.#path(digest))
  }

  /**
   * The size of a blob that somebody is going to rely on, as who is told that it is there does not send it again. Its file
   * is marked as used just now (its time of change) before its size is taken: who collects garbage leaves it, or this finds
   * it gone. Where the file cannot be marked, its size is given all the same.
   * @throws DrayError `IO`
   */
  async use(digest: Digest): Promise<number | undefined> {
    const status = await this.status(digest)
    if (status === undefined || Math.abs(Date.now() - status.usedMs) < markedMs) return status?.size
    await ifThere(markUsed(this.#path(digest)))
    return this.size(digest)
  }

  /** The file is opened when its bytes begin to flow. */
  read(digest: Digest, { start, end, signal, pieceBytes }: ByteRange = {}): Chunks {
    const path = this.#path(digest)
    return flow(async take => {
      await using file = await onDisk(path, open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)))
      const takeOne = (piece: Uint8Array) => {
        throwIfAborted(signal)
        return take(piece)
      }
      await pourFile(file, takeOne, { path, start, end, pieceBytes })
    })
  }

  /**
   * Stores content under its digest, hashing it as it passes. A failed write leaves nothing, but of a large blob what
   * came so far, with which the next write goes on (see `PartialFolder`).
   * @throws DrayError `INTEGRITY` for other content, `ABORTED`, `IO`, and what the content throws
   */
  async write(expected: ExpectedBlob, open: OpenContent): Promise<void> {
    const { digest, size } = expected
    const folder = this.#partials
    if (folder !== undefined && size !== undefined && size >= resumableBytes) {
      const path = this.#path(digest)
      const name = this.#nameOf(digest)
      const isThere = async () => (await this.size(digest)) === size
      await makeFolder(dirname(path))
      await writeResumably({ ...expected, size, name, folder, path, isThere }, open)
      return
    }
    await using staged = this.stage(expected, open)
    await staged.putInPlace()
  }

  /** Writes content as `write` does, of which nothing is kept when it fails, but for the name: nobody finds it before. */
  stage(expected: ExpectedBlob, open: OpenContent): StagedFile {
    const { digest } = expected
    const path = this.#path(digest)
    const content = async (file: FileHandle) => {
      const writer = new BlobWriter({ path, file }, expected, this.#nameOf(digest))
      await writer.append(await open(0))
      writer.check()
    }
    return new StagedFile(path, content, { makeFolder: true })
  }

  /**
   * Moves a file of the same file system in as a blob. Whoever calls has checked its digest.
   * @throws DrayError `IO`
   */
  async adopt(file: string, digest: Digest): Promise<void> {
    const path = this.#path(digest)
    const handle = await onDisk(file, open(file, 'r+'))
    try {
      const now = new Date()
      // Its last byte may have come long ago.
      await onDisk(file, Promise.all([handle.utimes(now, now), handle.sync()]))
    } finally {
      await handle.close()
    }
    await onDisk(
      path,
      inFolder(dirname(path), () => rename(file, path)),
    )
  }

  /**
   * Takes a blob of another store, unless it is here, without its bytes being written again; copies (and so verifies) it
   * where the file systems cannot link. It then counts as used just now.
   * @throws DrayError `NOT_FOUND`, `IO`, `INTEGRITY`
   */
  async link(from: BlobStore, digest: Digest): Promise<void> {
    if ((await this.use(digest)) !== undefined) return
    if (!(await this.share(from, digest))) {
      await this.write({ digest }, async start => from.read(digest, { start }))
    }
    if ((await this.use(digest)) !== undefined) return
    throw new DrayError('NOT_FOUND', `${this.#name}: the blob ${digest} was removed just now`)
  }

  /**
   * Makes a blob of another store one of this store, in the place of what is here: one file with two names.
   * @returns false where the file systems cannot do that, or there is no such blob
   * @throws DrayError `IO`
   */
  async share(from: BlobStore, digest: Digest): Promise<boolean> {
    return linkFile(from.#path(digest), this.#path(digest))
  }

  /** Turns large blobs into parts, with which a later write goes on. @throws DrayError `IO` */
  async leaveParts(): Promise<void> {
    for (const digest of await this.list()) {
      const size = (await this.size(digest)) ?? 0
      if (size >= resumableBytes) await this.#partials?.keep(this.#path(digest), digest)
    }
  }

  /** Removes a blob; one that is not there is no error. */
  async delete(digest: Digest): Promise<void> {
    await removeFile(this.#path(digest))
  }

  /**
   * Removes a blob, unless somebody has used it since it was seen. Needs the lock of the layout's index.
   * @returns what was removed; undefined where it was used, or was gone
   * @throws DrayError `IO`
   */
  deleteUnused(seen: BlobStatus): Promise<BlobStatus | undefined> {
    return deleteUnusedFile(this.#path(seen.digest), seen)
  }

  /** What is set aside to be removed: by somebody just now, or by one that was killed then. @throws DrayError `IO` */
  async listAside(): Promise<Digest[]> {
    const names = await this.#names()
    return names.map(([algorithm, name]) => `${algorithm}:${nameBeforeAside(name)}`).filter(isDigest)
  }

  /** Puts back what was set aside. Needs the lock of the layout's index. @throws DrayError `IO` */
  async putBack(digest: Digest): Promise<void> {
    await putFileBack(this.#path(digest))
  }

  async #names(): Promise<(readonly [DigestAlgorithm, string])[]> {
    const lists = algorithms.map(async algorithm => {
      const folder = join(this.#dir, algorithm)
      const names = (await ifThere(onDisk(folder, readdir(folder)))) ?? []
      return names.map(name => [algorithm, name] as const)
    })
    return (await Promise.all(lists)).flat()
  }

  #nameOf(digest: Digest): string {
    return `${this.#name}: blob ${digest}`
  }

  #path(digest: Digest): string {
    return join(this.#dir, algorithmOf(digest), hexOf(digest))
  }
}

import { constants } from 'node:fs'
import { link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ifThere, onDisk, systemCode } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import { pourFile } from '../files/pour-file.ts'
import { replaceFile } from '../files/replace-file.ts'
import { type Chunks, flow } from '../flow.ts'
import type { OpenContent } from '../image-store.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, hexOf, isDigest } from '../oci/digest.ts'
import { BlobWriter, type ExpectedBlob } from './blob-writer.ts'
import type { BlobFiles, ByteRange } from './layout-files.ts'
import { PartialFolder } from './partial-folder.ts'
import { writeResumably } from './resumable-write.ts'
import { throwIfAborted } from './transfer-aborted.ts'

/** Blobs of so many bytes and more leave a part to go on with when their writing is broken off. */
const resumableBytes = 1024 * 1024

const algorithms: readonly DigestAlgorithm[] = ['sha256', 'sha512']

/**
 * The files below `blobs/` of a layout (image-spec v1.1, image-layout.md#blobs). Paths are made from checked digests
 * only, and a blob that is a symbolic link is as good as absent, so no path leads out of the layout.
 */
export class BlobStore implements BlobFiles {
  readonly #dir: string
  readonly #name: string
  readonly #partials: PartialFolder

  /** @param partials where parts of large blobs are kept */
  constructor(dir: string, name: string, partials = new PartialFolder(join(dir, '.partial'))) {
    this.#dir = dir
    this.#name = name
    this.#partials = partials
  }

  async list(): Promise<Digest[]> {
    const lists = await Promise.all(
      algorithms.map(async algorithm => {
        const folder = join(this.#dir, 'blobs', algorithm)
        const names = (await ifThere(onDisk(folder, readdir(folder)))) ?? []
        return names.map(name => `${algorithm}:${name}`).filter(isDigest)
      }),
    )
    return lists.flat()
  }

  async size(digest: Digest): Promise<number | undefined> {
    const path = this.#path(digest)
    const status = await ifThere(onDisk(path, lstat(path)))
    return status?.isFile() ? status.size : undefined
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
    const path = this.#path(digest)
    const name = `${this.#name}: blob ${digest}`
    await makeFolder(dirname(path))
    if (size !== undefined && size >= resumableBytes) {
      const isThere = async () => (await this.size(digest)) === size
      await writeResumably({ ...expected, size, name, folder: this.#partials, path, isThere }, open)
      return
    }
    await replaceFile(path, async file => {
      const writer = new BlobWriter({ path, file }, expected, name)
      await writer.append(await open(0))
      writer.check()
    })
  }

  /**
   * Moves a file of the same file system in as a blob. Whoever calls has checked its digest.
   * @throws DrayError `IO`
   */
  async adopt(file: string, digest: Digest): Promise<void> {
    const path = this.#path(digest)
    await makeFolder(dirname(path))
    const handle = await onDisk(file, open(file, 'r+'))
    try {
      await onDisk(file, handle.sync())
    } finally {
      await handle.close()
    }
    await onDisk(path, rename(file, path))
  }

  /**
   * Takes a blob of another layout without its bytes being written again; copies (and so verifies) it where the file
   * systems cannot link.
   * @throws DrayError `NOT_FOUND`, `IO`, `INTEGRITY`
   */
  async link(from: BlobStore, digest: Digest): Promise<void> {
    const path = this.#path(digest)
    await makeFolder(dirname(path))
    try {
      await link(from.#path(digest), path)
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return
      await this.write({ digest }, async start => from.read(digest, { start }))
    }
  }

  /** Turns large blobs into parts, with which a later write goes on. @throws DrayError `IO` */
  async leaveParts(): Promise<void> {
    for (const digest of await this.list()) {
      const size = (await this.size(digest)) ?? 0
      if (size >= resumableBytes) await this.#partials.keep(this.#path(digest), digest)
    }
  }

  /** Removes a blob; one that is not there is no error. */
  async delete(digest: Digest): Promise<void> {
    const path = this.#path(digest)
    await onDisk(path, rm(path, { force: true }))
  }

  #path(digest: Digest): string {
    return join(this.#dir, 'blobs', algorithmOf(digest), hexOf(digest))
  }
}

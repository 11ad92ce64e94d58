import { constants } from 'node:fs'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DrayError } from '../errors.ts'
import { ifThere, onDisk, systemCode } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { Chunks } from '../flow.ts'
import { algorithmOf, type Digest, DigestCounter, hexOf } from '../oci/digest.ts'
import { abortable } from './abortable.ts'

const readChunkBytes = 256 * 1024

/** What a blob that is written must be. */
export interface ExpectedBlob {
  readonly digest: Digest
  /** In bytes, where it is known; more is refused as soon as it comes. */
  readonly size?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The first and last byte to read, both inclusive; the whole blob where left out. */
export interface ByteRange {
  readonly start?: number | undefined
  readonly end?: number | undefined
}

/**
 * The files below `blobs/` of a layout (image-spec v1.1, image-layout.md#blobs). Paths are made from checked digests
 * only, and a blob that is a symbolic link is as good as absent, so no path leads out of the layout.
 */
export class BlobStore {
  readonly #dir: string
  readonly #name: string

  constructor(dir: string, name: string) {
    this.#dir = dir
    this.#name = name
  }

  /** The size of a blob in bytes, or undefined where it is absent. */
  async size(digest: Digest): Promise<number | undefined> {
    const path = this.#path(digest)
    const status = await ifThere(onDisk(path, lstat(path)))
    return status?.isFile() ? status.size : undefined
  }

  /**
   * The bytes of a blob as they are on disk, not verified. The file is opened when the iteration starts.
   * @throws DrayError `NOT_FOUND`, `IO`
   */
  async *read(digest: Digest, range: ByteRange = {}): Chunks {
    const path = this.#path(digest)
    const file = await onDisk(path, open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)))
    const { start = 0, end = Number.POSITIVE_INFINITY } = range
    yield* file.createReadStream({ start, end, highWaterMark: readChunkBytes })
  }

  /**
   * Stores content under its digest, hashing it as it passes; a failed write leaves nothing. Returns the size in bytes.
   * @throws DrayError `INTEGRITY` for other content, `ABORTED`, `IO`, and what the content throws
   */
  async write(chunks: Chunks, expected: ExpectedBlob): Promise<number> {
    const path = this.#path(expected.digest)
    const counter = new DigestCounter(algorithmOf(expected.digest))
    await makeFolder(dirname(path))
    await replaceFile(path, async file => {
      for await (const chunk of abortable(chunks, expected.signal)) {
        counter.add(chunk)
        if (counter.bytes > (expected.size ?? counter.bytes)) break
        await onDisk(path, file.appendFile(chunk))
      }
      this.#check(counter, expected)
    })
    return counter.bytes
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
      await this.write(from.read(digest), { digest })
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

  #check(counter: DigestCounter, { digest, size }: ExpectedBlob): void {
    const name = `${this.#name}: blob ${digest}`
    if (size !== undefined && counter.bytes !== size) {
      const found = counter.bytes > size ? 'more' : `${counter.bytes} bytes`
      throw new DrayError('INTEGRITY', `${name}: ${found} came instead of ${size} bytes`)
    }
    const found = counter.digest()
    if (found !== digest) throw new DrayError('INTEGRITY', `${name}: the content has digest ${found}`)
  }
}

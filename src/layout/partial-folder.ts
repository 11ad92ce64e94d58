import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, ioError, onDisk, systemCode } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import type { OpenFile } from './blob-writer.ts'
import { openSuffix, PartialFile } from './partial-file.ts'

/** Parts that nobody went on with for so long are removed. */
const staleMs = 7 * 24 * 3600 * 1000

/** The name of a part. */
export const partName = /^sha(?:256|512)-[0-9a-f]+\.[0-9a-f-]{36}(?:\.open)?$/

/** A part to write to, and where a beginning of the blob is that this part does not have yet. */
export interface Claim {
  readonly part: PartialFile
  /** A part that may have a writer, or a second name: to be copied, and then removed. */
  readonly earlier?: OpenFile | undefined
}

/**
 * `.partial` in a layout, or beside an archive: what there is of large blobs whose transfer was broken off, as
 * `<algorithm>-<hex>.<uuid>`, with `.open` behind it while somebody writes to it. Who finds an `.open` file cannot tell whether its writer is slow or was
 * killed, perhaps on another machine, and so never writes to it but copies what it holds. The folder is there only
 * while it holds something.
 */
export class PartialFolder {
  readonly #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  /**
   * The longest part of the blob that is there, or an empty one. Removes parts of other blobs that are stale.
   * @throws DrayError `IO`
   */
  async claim(digest: Digest): Promise<Claim> {
    const parts = await this.#list()
    const ofBlob = parts.filter(part => this.#isOf(part, digest))
    await remove(parts.filter(part => part.ageMs > staleMs && !ofBlob.includes(part)))
    for (const part of ofBlob.sort((one, other) => other.bytes - one.bytes)) {
      const claim = await ifThere(this.#claimPart(part, digest))
      if (claim !== undefined) return claim
    }
    return { part: await this.begin(digest) }
  }

  /** An empty part. @throws DrayError `IO` */
  async begin(digest: Digest): Promise<PartialFile> {
    // Whoever is done removes the folder when it is empty, which may be just now.
    for (;;) {
      await makeFolder(this.#dir)
      const part = await ifThere(PartialFile.create(this.#prefix(digest)))
      if (part !== undefined) return part
    }
  }

  /** Takes in a file of the same file system as a part. @throws DrayError `IO` */
  async keep(file: string, digest: Digest): Promise<void> {
    await makeFolder(this.#dir)
    await onDisk(file, rename(file, `${this.#prefix(digest)}${randomUUID()}`))
  }

  /** Removes what is left of a blob that is in its place. @throws DrayError `IO` */
  async clear(digest: Digest): Promise<void> {
    const parts = await this.#list()
    await remove(parts.filter(part => this.#isOf(part, digest)))
  }

  /** Removes the folder when it is empty. @throws DrayError `IO` */
  async removeEmpty(): Promise<void> {
    try {
      await rmdir(this.#dir)
    } catch (error) {
      const isInUse = ['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')
      if (!isInUse) throw ioError(this.#dir, error, 'IO')
    }
  }

  /** @throws DrayError `NOT_FOUND` when the part is gone */
  async #claimPart({ path, isFree }: Part, digest: Digest): Promise<Claim> {
    if (isFree) return { part: await PartialFile.takeOver(path) }
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
    const file = await onDisk(path, open(path, flags))
    try {
      return { part: await this.begin(digest), earlier: { path, file } }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async #list(): Promise<Part[]> {
    const names = (await ifThere(onDisk(this.#dir, readdir(this.#dir)))) ?? []
    const own = names.filter(name => partName.test(name))
    const parts = await Promise.all(own.map(name => describe(join(this.#dir, name))))
    return parts.filter(part => part !== undefined)
  }

  #isOf(part: Part, digest: Digest): boolean {
    return part.path.startsWith(this.#prefix(digest))
  }

  #prefix(digest: Digest): string {
    return join(this.#dir, `${algorithmOf(digest)}-${hexOf(digest)}.`)
  }
}

interface Part {
  readonly path: string
  readonly bytes: number
  readonly ageMs: number
  /** Nobody writes to it. */
  readonly isFree: boolean
}

/** Undefined for what is no file, or gone. */
async function describe(path: string): Promise<Part | undefined> {
  const status = await ifThere(onDisk(path, lstat(path)))
  if (!status?.isFile()) return undefined
  // A copy of the whole layout by hard links shares its files.
  const isFree = !path.endsWith(openSuffix) && status.nlink === 1
  return { path, bytes: status.size, ageMs: Date.now() - status.mtimeMs, isFree }
}

async function remove(parts: readonly Part[]): Promise<void> {
  await Promise.all(parts.map(({ path }) => onDisk(path, rm(path, { force: true }))))
}

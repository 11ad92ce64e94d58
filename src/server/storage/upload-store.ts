import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDrayError } from '../../errors.ts'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { inFolder } from '../../files/make-folder.ts'
import { pourFile } from '../../files/pour-file.ts'
import { removeFile } from '../../files/remove-file.ts'
import { temporaryName, temporaryPath } from '../../files/temporary-name.ts'
import { type Chunks, pour } from '../../flow.ts'
import type { KeyedLock } from '../../layout/keyed-lock.ts'
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  DigestCounter,
  digestOf,
  hexOf,
} from '../../oci/digest.ts'
import { RecentMap } from '../../recent-map.ts'
import { RegistryFault } from '../errors.ts'
import { fileAt, openSame, replaceByCopy, statusOf, type UploadFile } from './upload-file.ts'

/** An upload that is under way; another repository's upload of the same id is another upload. */
export interface Upload {
  readonly repository: string
  readonly id: string
}

/** Where the next bytes of an upload belong. */
export interface Chunk {
  readonly content: Chunks
  /** The offset that the client believes in, in bytes; wherever the upload stands when left out. */
  readonly start?: number | undefined
  /** How many bytes the client says that there are. */
  readonly length?: number | undefined
}

/** The name of an upload's file. */
export const uploadName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9a-f]{32}$/

/** So many uploads at most are known; another one is copied when it goes on, and read back at its end. */
const maxKnown = 1000

/** What is known of an upload whose file this store has made. */
interface OwnFile {
  readonly file: string
  /** What its bytes so far hash to. */
  readonly counter: DigestCounter | undefined
}

/**
 * The bytes of unfinished uploads, one file each. All that must be known of an upload is its file, so uploads go on
 * after a restart. What an aborted request has sent is kept, and the client is told how much that is.
 *
 * Several servers may go on with one upload, and a published blob must be out of reach of all of them. So a file is only
 * written to, and made a blob, by the store that made it: another one goes on with a copy in its place.
 */
export class UploadStore {
  readonly #dir: string
  readonly #locks: KeyedLock
  /** By path. */
  readonly #own = new RecentMap<string, OwnFile>(maxKnown)

  constructor(dir: string, locks: KeyedLock) {
    this.#dir = dir
    this.#locks = locks
  }

  /** @param algorithm what the blob will be named by, as far as is known; no more than a hint */
  async start(repository: string, algorithm?: DigestAlgorithm): Promise<Upload> {
    const upload = { repository, id: randomUUID() }
    const path = this.#path(upload)
    const create = inFolder(this.#dir, () => open(path, 'wx'))
    await using handle = await onDisk(path, create)
    const { file } = await statusOf(handle, path)
    this.#own.set(path, { file, counter: new DigestCounter(algorithm ?? 'sha256') })
    return upload
  }

  /** Runs work on an upload after all that is under way on it. */
  exclusively<Result>(upload: Upload, work: () => Promise<Result>): Promise<Result> {
    return this.#locks.run(this.#path(upload), work)
  }

  /** How many bytes are there. @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` */
  async size(upload: Upload): Promise<number> {
    const path = this.#path(upload)
    const { size } = await known(upload, onDisk(path, stat(path)))
    return size
  }

  /**
   * Adds a chunk. A chunk that is not as long as announced, or that the disk does not take, is taken back.
   * @throws RegistryFault 416 when the chunk belongs elsewhere, `SIZE_INVALID` when it is not as long as announced
   */
  async append(upload: Upload, chunk: Chunk): Promise<UploadFile> {
    const path = this.#path(upload)
    const { file, counter } = await this.#makeOwn(upload)
    await using handle = await known(upload, openSame(path, file, constants.O_WRONLY | constants.O_APPEND))
    const { size } = await statusOf(handle, path)
    if (chunk.start !== undefined && chunk.start !== size) throw outOfOrder(upload, size)
    const counting = counter?.bytes === size ? counter : undefined
    // What this chunk makes of it counts only when all goes well.
    this.#own.set(path, { file, counter: undefined })
    const length = await write(handle, path, { ...chunk, size, counter: counting })
    this.#own.set(path, { file, counter: counting })
    return { size: size + length, file }
  }

  /** The digest of what was written. @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` when another server has gone on with it */
  async digest(upload: Upload, { size, file }: UploadFile, algorithm: DigestAlgorithm): Promise<Digest> {
    const path = this.#path(upload)
    const own = this.#own.get(path)
    const counted = own?.file === file && own.counter?.bytes === size ? own.counter.digest() : undefined
    if (counted !== undefined && algorithmOf(counted) === algorithm) return counted
    const counter = new DigestCounter(algorithm)
    await using handle = await known(upload, openSame(path, file, constants.O_RDONLY))
    const take = (piece: Uint8Array) => {
      counter.add(piece)
      return undefined
    }
    await pourFile(handle, take, { path })
    return counter.digest()
  }

  /**
   * Ends an upload by giving its file to work that moves or removes it, under a name that nobody else knows. Where the work
   * fails, it is an upload again.
   * @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` when another server has gone on with it; what the work throws
   */
  async giveAway(upload: Upload, { file }: UploadFile, work: (path: string) => Promise<void>): Promise<void> {
    const path = this.#path(upload)
    const taken = temporaryPath(this.#dir)
    await known(upload, onDisk(path, rename(path, taken)))
    try {
      if ((await fileAt(taken)) !== file) throw unknownUpload(upload.id)
      await work(taken)
    } catch (error) {
      await ifThere(onDisk(taken, rename(taken, path)))
      throw error
    }
    this.#own.delete(path)
  }

  /** Removes an upload; one that is not there is no error. */
  async remove(upload: Upload): Promise<void> {
    const path = this.#path(upload)
    this.#own.delete(path)
    await removeFile(path)
  }

  /**
   * Removes uploads that nothing was added to since `time` (in milliseconds since 1970), and what killed servers left of
   * some.
   */
  async removeOlderThan(time: number): Promise<void> {
    for (const name of (await ifThere(onDisk(this.#dir, readdir(this.#dir)))) ?? []) {
      const path = join(this.#dir, name)
      const isOld = async () => {
        const status = await ifThere(onDisk(path, lstat(path)))
        return status?.isFile() === true && status.mtimeMs < time
      }
      if (!(uploadName.test(name) || temporaryName.test(name)) || !(await isOld())) continue
      await this.#locks.run(path, async () => {
        if (!(await isOld())) return
        this.#own.delete(path)
        await removeFile(path)
      })
    }
  }

  /** The upload's file. @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` when the id cannot be one of ours */
  #path({ repository, id }: Upload): string {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw unknownUpload(id)
    return join(this.#dir, `${id}.${hexOf(digestOf(repository)).slice(0, 32)}`)
  }

  /** Puts a copy in the place of a file that another has made, who may still write to it. */
  async #makeOwn(upload: Upload): Promise<OwnFile> {
    const path = this.#path(upload)
    const own = this.#own.get(path)
    if (own?.file === (await known(upload, fileAt(path)))) return own
    const copy = { file: await known(upload, replaceByCopy(path)), counter: undefined }
    this.#own.set(path, copy)
    return copy
  }
}

interface Writing extends Chunk {
  readonly size: number
  readonly counter: DigestCounter | undefined
}

async function write(file: FileHandle, path: string, writing: Writing): Promise<number> {
  const { content, length, counter, size } = writing
  const isOther = new RegistryFault(
    'SIZE_INVALID',
    `the chunk is not as long as its Content-Range says (${length} bytes)`,
  )
  let written = 0
  const take = (bytes: Uint8Array) => {
    written += bytes.length
    if (written > (length ?? written)) throw isOther
    // Hashed while the disk is busy.
    const added = onDisk(path, file.appendFile(bytes))
    counter?.add(bytes)
    return added
  }
  try {
    await pour(content, take)
    if (written < (length ?? written)) throw isOther
    return written
  } catch (error) {
    // Of what the disk did not take whole nothing stays, so that a full disk is no fuller than before.
    if (error === isOther || isDrayError(error, 'IO')) await onDisk(path, file.truncate(size))
    throw error
  }
}

async function known<Result>(upload: Upload, operation: Promise<Result>): Promise<Result> {
  try {
    return await operation
  } catch (error) {
    throw isDrayError(error, 'NOT_FOUND') ? unknownUpload(upload.id) : error
  }
}

function unknownUpload(id: string): RegistryFault {
  return new RegistryFault('BLOB_UPLOAD_UNKNOWN', 'there is no such upload', { detail: { upload: id } })
}

function outOfOrder(upload: Upload, size: number): RegistryFault {
  return new RegistryFault('BLOB_UPLOAD_INVALID', `the next chunk starts at byte ${size}`, {
    status: 416,
    headers: uploadProgress(upload, size),
  })
}

/** The headers that tell how far an upload is (distribution-spec v1.1, "Pushing a blob in chunks"). */
export function uploadProgress({ repository, id }: Upload, size: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    // Ends at 0 for an empty upload too, as other registries have it: the header has no way to say "nothing".
    Range: `0-${Math.max(size - 1, 0)}`,
    'Docker-Upload-UUID': id,
  }
}

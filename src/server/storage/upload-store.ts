import { randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, lstat, open, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDrayError } from '../../errors.ts'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { inFolder } from '../../files/make-folder.ts'
import { removeFile } from '../../files/remove-file.ts'
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
import { RegistryFault } from '../errors.ts'

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

/** Of so many uploads it is known what their bytes so far hash to; others are read back at their end. */
const maxCounters = 1000

/**
 * The bytes of unfinished uploads, one file each. All that must be known of an upload is its file, so uploads go on
 * after a restart. What an aborted request has sent is kept, and the client is told how much that is.
 */
export class UploadStore {
  readonly #dir: string
  readonly #locks: KeyedLock
  /** By path; good as long as it counts as many bytes as the file has, since files only grow. */
  readonly #counters = new Map<string, DigestCounter>()

  constructor(dir: string, locks: KeyedLock) {
    this.#dir = dir
    this.#locks = locks
  }

  /** @param algorithm what the blob will be named by, as far as is known; no more than a hint */
  async start(repository: string, algorithm?: DigestAlgorithm): Promise<Upload> {
    const upload = { repository, id: randomUUID() }
    const path = this.path(upload)
    await onDisk(
      path,
      inFolder(this.#dir, () => writeFile(path, '', { flag: 'wx' })),
    )
    this.#remember(path, new DigestCounter(algorithm ?? 'sha256'))
    return upload
  }

  /** Runs work on an upload after all that is under way on it. */
  exclusively<Result>(upload: Upload, work: () => Promise<Result>): Promise<Result> {
    return this.#locks.run(this.path(upload), work)
  }

  /** How many bytes are there. @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` */
  async size(upload: Upload): Promise<number> {
    const path = this.path(upload)
    const { size } = await known(upload, onDisk(path, stat(path)))
    return size
  }

  /**
   * Adds a chunk and returns the new size. A chunk that is not as long as announced, or that the disk does not take, is
   * taken back.
   * @throws RegistryFault 416 when the chunk belongs elsewhere, `SIZE_INVALID` when it is not as long as announced
   */
  async append(upload: Upload, chunk: Chunk): Promise<number> {
    const path = this.path(upload)
    const size = await this.size(upload)
    if (chunk.start !== undefined && chunk.start !== size) throw outOfOrder(upload, size)
    const counter = this.#counters.get(path)
    // What this chunk makes of it counts only when all goes well.
    this.forget(upload)
    const file = await known(upload, onDisk(path, open(path, constants.O_WRONLY | constants.O_APPEND)))
    try {
      const isCounted = counter?.bytes === size
      const written = await write(file, path, { ...chunk, size, counter: isCounted ? counter : undefined })
      if (isCounted) this.#remember(path, counter)
      return size + written
    } finally {
      await file.close()
    }
  }

  /** The digest of what is there. */
  async digest(upload: Upload, algorithm: DigestAlgorithm): Promise<Digest> {
    const path = this.path(upload)
    const counted = this.#counters.get(path)
    const found = counted?.bytes === (await this.size(upload)) ? counted.digest() : undefined
    if (found !== undefined && algorithmOf(found) === algorithm) return found
    const counter = new DigestCounter(algorithm)
    await known(upload, onDisk(path, feed(counter, createReadStream(path))))
    return counter.digest()
  }

  /** Removes an upload; one that is not there is no error. */
  async remove(upload: Upload): Promise<void> {
    const path = this.path(upload)
    this.forget(upload)
    await removeFile(path)
  }

  /** Keeps nothing more in memory of an upload that has ended. */
  forget(upload: Upload): void {
    this.#counters.delete(this.path(upload))
  }

  /** Removes uploads that nothing was added to since `time` (in milliseconds since 1970). */
  async removeOlderThan(time: number): Promise<void> {
    for (const name of (await ifThere(onDisk(this.#dir, readdir(this.#dir)))) ?? []) {
      const path = join(this.#dir, name)
      const isOld = async () => {
        const status = await ifThere(onDisk(path, lstat(path)))
        return status?.isFile() === true && status.mtimeMs < time
      }
      if (!uploadName.test(name) || !(await isOld())) continue
      await this.#locks.run(path, async () => {
        if (!(await isOld())) return
        this.#counters.delete(path)
        await removeFile(path)
      })
    }
  }

  /** The upload's file. @throws RegistryFault `BLOB_UPLOAD_UNKNOWN` when the id cannot be one of ours */
  path({ repository, id }: Upload): string {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw unknownUpload(id)
    return join(this.#dir, `${id}.${hexOf(digestOf(repository)).slice(0, 32)}`)
  }

  #remember(path: string, counter: DigestCounter): void {
    this.#counters.set(path, counter)
    const [oldest] = this.#counters.keys()
    if (oldest !== undefined && this.#counters.size > maxCounters) this.#counters.delete(oldest)
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

async function feed(counter: DigestCounter, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) counter.add(chunk)
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

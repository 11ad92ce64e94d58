import { join } from 'node:path'
import { DrayError } from '../errors.ts'
import { type FileLock, withFileLock } from '../files/file-lock.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { StagedFile } from '../files/staged-file.ts'
import { formatIndex, type IndexDocument, maxIndexBytes, parseIndex } from './index-document.ts'
import type { IndexEntry } from './index-entries.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LayoutCache } from './layout-cache.ts'

/** index.json of a layout in a folder. What it holds beside `manifests` is kept. */
export class IndexFile {
  readonly path: string
  readonly #locks: KeyedLock
  readonly #cache: LayoutCache | undefined

  constructor(dir: string, locks: KeyedLock, cache?: LayoutCache) {
    this.path = join(dir, 'index.json')
    this.#locks = locks
    this.#cache = cache
  }

  /** @throws DrayError `INTEGRITY` when it is missing, too large or malformed, `IO` */
  async read(): Promise<IndexDocument> {
    return (await this.#cache?.readIndex(this.path)) ?? this.#readAnew()
  }

  /**
   * Reads, changes and replaces the file, one change at a time: changes by several processes that use this too happen
   * one after the other, so none is lost. Those of this process that wait share one reading and one writing, in their
   * order; one that fails is left out.
   * @param prepare is done before the change, when nobody else can change the file, beside what others prepare
   * @throws DrayError `INTEGRITY`, `IO`, `UNSUPPORTED` for too large a file, or `TIMEOUT` when another process keeps
   * the file's lock, or has taken it since; what `change` and `prepare` throw
   */
  async update(change: IndexChange, prepare?: () => Promise<void>): Promise<void> {
    const waiting: WaitingChange = { change, prepare, fault: undefined }
    const written = this.#locks.together(this.path, waiting, all =>
      withFileLock(this.path, lock => this.#changeAll(all, lock)),
    )
    await written.finally(() => {
      if (waiting.fault !== undefined) throw waiting.fault.error
    })
  }

  /**
   * Runs work while nobody else changes the file; it may give the file other entries. The work is to be short: others
   * wait, and the lock of one who keeps it for many seconds counts as left behind.
   * @throws as `update`
   */
  exclusively<Result>(
    work: (
      entries: readonly IndexEntry[],
      replace: (entries: readonly IndexEntry[]) => Promise<void>,
    ) => Promise<Result>,
  ): Promise<Result> {
    return this.#alone(async lock => {
      const document = await this.read()
      return work(document.manifests ?? [], manifests =>
        this.#write({ ...document, manifests: [...manifests] }, lock),
      )
    })
  }

  /** Writes the file where there is none yet. */
  async create(document: IndexDocument): Promise<void> {
    await this.#alone(async lock => {
      if ((await this.#readBytes()) === undefined) await this.#write(document, lock)
    })
  }

  /** In this process by waiting for one's turn, which costs less than asking for the file's lock again and again. */
  #alone<Result>(work: (lock: FileLock) => Promise<Result>): Promise<Result> {
    return this.#locks.run(this.path, () => withFileLock(this.path, work))
  }

  async #changeAll(all: readonly WaitingChange[], lock: FileLock): Promise<void> {
    const preparations = all.map(keepFault(async ({ prepare }) => prepare?.()))
    // Whatever happens, nothing goes on when the lock is given back.
    const [reading] = await Promise.allSettled([this.read(), ...preparations])
    if (reading.status === 'rejected') throw reading.reason
    const document = reading.value
    let manifests = document.manifests ?? []
    let isChanged = false
    const apply = keepFault(async ({ change }) => {
      manifests = await change(manifests)
      isChanged = true
    })
    for (const waiting of all) {
      if (waiting.fault === undefined) await apply(waiting)
    }
    if (isChanged) await this.#write({ ...document, manifests }, lock)
  }

  async #readAnew(): Promise<IndexDocument> {
    return parseIndex(await this.#readBytes(), this.path)
  }

  #readBytes(): Promise<Buffer | undefined> {
    return ifThere(readBounded(this.path, maxIndexBytes))
  }

  async #write(document: IndexDocument, lock: FileLock): Promise<void> {
    const bytes = Buffer.from(formatIndex(document))
    // It could be written, but by nobody be read any more.
    if (bytes.length > maxIndexBytes) throw indexTooLarge(this.path)
    await using staged = new StagedFile(this.path, file => onDisk(this.path, file.writeFile(bytes)))
    await staged.putInPlace(() => lock.checkHeld())
    this.#cache?.wroteIndex(this.path, bytes, document)
  }
}

type IndexChange = (entries: readonly IndexEntry[]) => IndexEntry[] | Promise<IndexEntry[]>

interface WaitingChange {
  readonly change: IndexChange
  readonly prepare: (() => Promise<void>) | undefined
  /** What has gone wrong with this one alone. */
  fault: { readonly error: unknown } | undefined
}

/** Does work of which the change is told that it failed, and nobody else. */
function keepFault(work: (waiting: WaitingChange) => Promise<void>) {
  return async (waiting: WaitingChange): Promise<void> => {
    try {
      await work(waiting)
    } catch (error) {
      waiting.fault = { error }
    }
  }
}

function indexTooLarge(path: string): DrayError {
  return new DrayError(
    'UNSUPPORTED',
    `${path}: it would have more than ${maxIndexBytes} bytes, which is the limit`,
    {
      hint: 'delete tags and manifests, or use another repository for new ones',
    },
  )
}

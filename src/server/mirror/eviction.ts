import type { BlobStatus } from '../../layout/blob-store.ts'
import type { Layout } from '../../layout/layout.ts'
import { Periodic } from '../periodic.ts'
import type { Storage } from '../storage/storage.ts'
import { isFetched } from './fetched-mark.ts'
import type { MirrorEvent, MirrorLimits } from './upstream.ts'

const defaultMaxAgeMs = 30 * 24 * 3_600_000
/** How often it is looked for what nobody used for long. */
const periodMs = 3_600_000
/** The index of a repository is kept from others while so many blobs are removed. */
const removedAtATime = 100

export interface EvictionOptions extends MirrorLimits {
  /** The names of the mirrors. */
  readonly mirrors: readonly string[]
  readonly storage: Storage
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
  readonly onWarning?: ((message: string) => void) | undefined
  readonly onEvent?: ((event: MirrorEvent) => void) | undefined
}

/** One file of content, by all the names that it has in mirrored repositories. */
interface KeptFile {
  /** In bytes. */
  readonly size: number
  readonly usedMs: number
  readonly places: { readonly repository: MirroredLayout; readonly status: BlobStatus }[]
}

interface MirroredLayout {
  readonly mirror: string
  readonly layout: Layout
}

/**
 * Keeps what is mirrored within its limits: what was not used for longest goes first, manifests as well as other blobs.
 * What goes is fetched again when somebody asks for it. Of a repository that no mirror has made nothing goes.
 */
export class Eviction {
  readonly #options: EvictionOptions
  #bytes = 0
  #running: Promise<void> | undefined
  #periodic: Periodic | undefined
  #hasStopped = false

  constructor(options: EvictionOptions) {
    this.#options = options
  }

  /** Looks now, and then every hour. */
  start(): void {
    this.#periodic = new Periodic(() => this.run(), { firstMs: 0, everyMs: periodMs })
  }

  async stop(): Promise<void> {
    this.#hasStopped = true
    await this.#periodic?.stop()
    await this.#running
  }

  /** So many bytes came. */
  grew(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#maxBytes) this.run()
  }

  /** Looks what is there, and removes what is too much or too old. */
  run(): Promise<void> {
    if (this.#hasStopped) return Promise.resolve()
    this.#running ??= this.#evict()
      .catch(error => {
        const reason = error instanceof Error ? error.message : String(error)
        this.#options.onWarning?.(`what is mirrored was not kept within its limits: ${reason}`)
      })
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  get #maxBytes(): number {
    return this.#options.maxBytes ?? Number.POSITIVE_INFINITY
  }

  async #evict(): Promise<void> {
    const { maxAgeMs = defaultMaxAgeMs, clock } = this.#options
    const files = await this.#list()
    const oldest = clock() - maxAgeMs
    let left = files.reduce((sum, { size }) => sum + size, 0)
    const going = new Map<MirroredLayout, BlobStatus[]>()
    for (const file of files.sort((one, other) => one.usedMs - other.usedMs)) {
      if (file.usedMs >= oldest && left <= this.#maxBytes) break
      left -= file.size
      for (const { repository, status } of file.places) {
        const statuses = going.get(repository) ?? []
        statuses.push(status)
        going.set(repository, statuses)
      }
    }
    this.#bytes = left
    for (const [repository, statuses] of going) await this.#remove(repository, statuses)
  }

  /** Each file once, whatever repositories share it. */
  async #list(): Promise<KeptFile[]> {
    const files = new Map<string, KeptFile>()
    for await (const repository of this.#layouts()) {
      const { blobs } = repository.layout
      for (const digest of await blobs.list()) {
        const status = await blobs.status(digest)
        if (status === undefined) continue
        const file = files.get(status.file) ?? { ...status, places: [] }
        file.places.push({ repository, status })
        files.set(status.file, file)
      }
    }
    return [...files.values()]
  }

  async *#layouts(): AsyncGenerator<MirroredLayout> {
    const { storage, mirrors } = this.#options
    for (const name of await storage.repositories()) {
      const mirror = mirrors.find(mirror => name.startsWith(`${mirror}/`))
      const layout = mirror === undefined ? undefined : await storage.find(name)
      if (mirror !== undefined && layout !== undefined && (await isFetched(layout))) yield { mirror, layout }
    }
  }

  async #remove({ mirror, layout }: MirroredLayout, statuses: readonly BlobStatus[]): Promise<void> {
    const { storage, onEvent } = this.#options
    for (let at = 0; at < statuses.length && !this.#hasStopped; at += removedAtATime) {
      const removed = await layout.removeUnused(statuses.slice(at, at + removedAtATime))
      for (const { digest, size } of removed) {
        await storage.sharedBlobs.release(digest)
        onEvent?.({ type: 'evicted', mirror, bytes: size })
      }
    }
  }
}

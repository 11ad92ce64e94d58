import { isDrayError } from '../errors.ts'
import type { Collection, CollectOptions } from './garbage/collect.ts'
import { Periodic } from './periodic.ts'
import type { Storage } from './storage/storage.ts'

/** How garbage is collected while a folder is served. */
export interface GcOptions extends Pick<CollectOptions, 'graceMs' | 'untagged'> {
  /** From one time to the next, in milliseconds; an hour by default. The first time is a minute after the start. */
  readonly everyMs?: number | undefined
  /** Told what was done each time; failures are warned of, too. */
  readonly onCollected?: ((collection: Collection) => void) | undefined
}

export interface HousekeepingOptions {
  /** Nothing is collected when absent. */
  readonly gc?: GcOptions | undefined
  readonly onWarning?: ((message: string) => void) | undefined
}

const hourMs = 3600 * 1000
const firstGcMs = 60 * 1000
/** Uploads that nobody went on with for so long expire. */
const uploadTtlMs = 24 * hourMs

/** What has to be done now and then in a served folder: uploads expire, garbage is collected. */
export class Housekeeping {
  readonly #storage: Storage
  readonly #options: HousekeepingOptions
  readonly #tasks: readonly Periodic[]

  constructor(storage: Storage, options: HousekeepingOptions) {
    this.#storage = storage
    this.#options = options
    const expiry = new Periodic(() => this.#warned(() => this.#expireUploads()), {
      firstMs: 0,
      everyMs: hourMs,
    })
    const { gc } = options
    const { everyMs = hourMs } = gc ?? {}
    const firstMs = Math.min(firstGcMs, everyMs)
    this.#tasks = gc
      ? [expiry, new Periodic(signal => this.#warned(() => this.#collect(gc, signal)), { firstMs, everyMs })]
      : [expiry]
  }

  /** Ends what goes on just now, and waits for that. */
  async stop(): Promise<void> {
    await Promise.all(this.#tasks.map(task => task.stop()))
  }

  async #expireUploads(): Promise<void> {
    await this.#storage.uploads.removeOlderThan(Date.now() - uploadTtlMs)
  }

  async #collect({ graceMs, untagged, onCollected }: GcOptions, signal: AbortSignal): Promise<void> {
    const collection = await this.#storage.collectGarbage({ graceMs, untagged, signal })
    onCollected?.(collection)
    for (const { repository, error } of collection.failures) {
      this.#options.onWarning?.(`no garbage was collected in ${repository}: ${error.message}`)
    }
  }

  async #warned(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (isDrayError(error, 'ABORTED')) return
      this.#options.onWarning?.(isDrayError(error) ? error.message : String(error))
    }
  }
}

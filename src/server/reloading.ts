import { isDrayError } from '../errors.ts'

export interface ReloadingOptions {
  /** Each looks whether its files have changed, and reads them; after a failure what they held before counts. */
  readonly reloads: readonly (() => Promise<void>)[]
  readonly everyMs: number
  readonly onWarning: ((message: string) => void) | undefined
}

/** Looks now and then whether files have changed. */
export class Reloading {
  readonly #options: ReloadingOptions
  readonly #timer: NodeJS.Timeout
  readonly #told = new Map<() => Promise<void>, string>()
  #last = Promise.resolve()

  constructor(options: ReloadingOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.reload(), options.everyMs)
    this.#timer.unref()
  }

  /** Looks at once. Files that cannot be used are told of, once and not each time. */
  reload(): Promise<void> {
    this.#last = this.#last.then(() => this.#reloadAll())
    return this.#last
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#last
  }

  async #reloadAll(): Promise<void> {
    for (const reload of this.#options.reloads) {
      try {
        await reload()
        this.#told.delete(reload)
      } catch (error) {
        const reason = isDrayError(error) ? error.message : String(error)
        if (this.#told.get(reload) === reason) continue
        this.#told.set(reload, reason)
        this.#options.onWarning?.(`${reason}; what was read before goes on to count`)
      }
    }
  }
}

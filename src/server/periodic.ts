export interface PeriodicOptions {
  /** Before the first time, in milliseconds. */
  readonly firstMs: number
  /** From the end of one time to the next, in milliseconds. */
  readonly everyMs: number
}

/** Does some work now and then, once at a time. */
export class Periodic {
  readonly #work: (signal: AbortSignal) => Promise<void>
  readonly #everyMs: number
  readonly #ending = new AbortController()
  #timer: NodeJS.Timeout
  #last = Promise.resolve()

  /** @param work fails for nothing but a bug; ends soon when its signal fires */
  constructor(work: (signal: AbortSignal) => Promise<void>, { firstMs, everyMs }: PeriodicOptions) {
    this.#work = work
    this.#everyMs = everyMs
    this.#timer = this.#wait(firstMs)
  }

  /** Ends what goes on just now, and waits for that. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#ending.abort()
    await this.#last
  }

  #wait(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#last = this.#run()
    }, ms)
    return timer.unref()
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending
    await this.#work(signal)
    if (!signal.aborted) this.#timer = this.#wait(this.#everyMs)
  }
}

/** Work that many may want at the same time and that is done once for all of them. */
export class Flights {
  readonly #running = new Map<string, Promise<unknown>>()

  /** Does the work, or waits for who does it already; `key` says what work it is, and with it of what type the result. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key)
    if (running !== undefined) return running as Promise<Result>
    const started = work().finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return started
  }
}

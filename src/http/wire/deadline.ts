/** Bounds one wait after the other with one timer, which is cheap enough to be started anew for each piece of a body. */
export class Deadline {
  readonly #timer: NodeJS.Timeout
  #isWaiting = false

  /** @param ms how long a wait may take */
  constructor(ms: number, expire: () => void) {
    this.#timer = setTimeout(() => {
      if (this.#isWaiting) expire()
    }, ms)
  }

  /** A wait begins, or begins anew. */
  start(): void {
    this.#isWaiting = true
    this.#timer.refresh()
  }

  /** The wait is over; what comes next may take as long as it will. */
  stop(): void {
    this.#isWaiting = false
  }

  /** There will be no more waits. */
  end(): void {
    this.#isWaiting = false
    clearTimeout(this.#timer)
  }
}

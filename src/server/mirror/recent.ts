/** What was learnt last, of so many things at the most, each for its time. */
export class Recent<Value> {
  readonly #kept = new Map<string, { readonly value: Value; readonly until: number }>()
  readonly #max: number
  readonly #clock: () => number

  /** @param clock now, in milliseconds */
  constructor(max: number, clock: () => number) {
    this.#max = max
    this.#clock = clock
  }

  /** Undefined for what is not known, or not any more. */
  get(key: string): Value | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && this.#clock() < kept.until ? kept.value : undefined
  }

  set(key: string, value: Value, forMs = Number.POSITIVE_INFINITY): void {
    this.#kept.delete(key)
    this.#kept.set(key, { value, until: this.#clock() + forMs })
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined && this.#kept.size > this.#max) this.#kept.delete(oldest)
  }

  delete(key: string): void {
    this.#kept.delete(key)
  }
}

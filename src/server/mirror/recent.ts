import { RecentMap } from '../../recent-map.ts'

/** What was learnt last, of so many things at the most, each for its time. */
export class Recent<Value> {
  readonly #kept: RecentMap<string, { readonly value: Value; readonly until: number }>
  readonly #clock: () => number

  /** @param clock now, in milliseconds */
  constructor(max: number, clock: () => number) {
    this.#kept = new RecentMap(max)
    this.#clock = clock
  }

  /** Undefined for what is not known, or not any more. */
  get(key: string): Value | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && this.#clock() < kept.until ? kept.value : undefined
  }

  set(key: string, value: Value, forMs = Number.POSITIVE_INFINITY): void {
    this.#kept.set(key, { value, until: this.#clock() + forMs })
  }

  delete(key: string): void {
    this.#kept.delete(key)
  }
}

/** For what is kept by names that others make up: repositories that a mirror's clients ask for, hosts of redirects. */
const defaultMax = 1000

/** A map that does not grow without end: what was not asked for or set for the longest goes first. */
export class RecentMap<Key, Value> extends Map<Key, Value> {
  readonly #max: number

  /** @param max how many entries it holds */
  constructor(max = defaultMax) {
    super()
    this.#max = max
  }

  override get(key: Key): Value | undefined {
    const value = super.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  override set(key: Key, value: Value): this {
    this.delete(key)
    super.set(key, value)
    const [oldest] = this.keys()
    if (this.size > this.#max && oldest !== undefined) this.delete(oldest)
    return this
  }
}

/** So much work at most is done in one turn, so that who waits behind it does not wait long. */
const mostTogether = 64

interface Group {
  readonly items: unknown[]
  readonly done: Promise<void>
}

/** Lets work on one key run one after the other, within this process; work on different keys runs side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>()
  /** What has the last turn of its key so far and has not begun. */
  readonly #groups = new Map<string, Group>()

  /** Runs `work` when all earlier work on `key` has ended, well or badly. */
  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    this.#groups.delete(key)
    const turn = (this.#tails.get(key) ?? Promise.resolve()).then(work)
    const ended = () => {}
    const tail = turn.then(ended, ended)
    this.#tails.set(key, tail)
    try {
      return await turn
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }

  /**
   * Runs `work` once for several items that wait for the same turn, in their order; it is the same work for all that come
   * this way with one key. What fails fails for all of them.
   */
  together<Item>(key: string, item: Item, work: (items: readonly Item[]) => Promise<void>): Promise<void> {
    const group = this.#groups.get(key)
    if (group !== undefined && group.items.length < mostTogether) {
      group.items.push(item)
      return group.done
    }
    const items = [item]
    const done = this.run(key, () => {
      if (this.#groups.get(key)?.items === items) this.#groups.delete(key)
      return work(items)
    })
    this.#groups.set(key, { items, done })
    return done
  }
}

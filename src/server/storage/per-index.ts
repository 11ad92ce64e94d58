import type { IndexDocument } from '../../layout/index-document.ts'
import type { Layout } from '../../layout/layout.ts'

/** What is worked out from a repository's index.json, once for each state that the file is seen in. */
export class PerIndex<Value> {
  readonly #workOut: (layout: Layout) => Promise<Value>
  readonly #known = new WeakMap<IndexDocument, Promise<Value>>()

  constructor(workOut: (layout: Layout) => Promise<Value>) {
    this.#workOut = workOut
  }

  /** @throws DrayError `INTEGRITY`, `IO`, and what working it out throws */
  async of(layout: Layout): Promise<Value> {
    const index = await layout.index()
    const known = this.#known.get(index)
    if (known !== undefined) return known
    const work = this.#workOut(layout)
    this.#known.set(index, work)
    // What failed may go well the next time.
    work.catch(() => this.#known.delete(index))
    return work
  }
}

import type { Digest } from '../../../src/oci/digest.ts'

/** What is found under a path: the digest of the blob or manifest, undefined for nothing. */
export type Found = Digest | undefined

/** A path below `/v2/` with what will be found there. */
export type Change = readonly [path: string, found: Found]

/** What a registry that may be killed at any moment owes to those who write to it. */
export class Ledger {
  readonly #owed = new Map<string, Set<Found>>()
  readonly #touched = new Set<string>()

  /** While the work is not acknowledged, there may be what was there before, or what comes of it. */
  async change(changes: readonly Change[], work: () => Promise<void>): Promise<void> {
    for (const [path, found] of changes) {
      this.#owed.set(path, (this.#owed.get(path) ?? new Set([undefined])).add(found))
      this.#touched.add(path)
    }
    await work()
    for (const [path, found] of changes) this.#owed.set(path, new Set([found]))
  }

  /** What is there for sure. */
  at(path: string): Found {
    const [found, ...others] = this.#owed.get(path) ?? []
    return others.length === 0 ? found : undefined
  }

  /** The paths at which something is for sure. */
  get paths(): string[] {
    return [...this.#owed.keys()].filter(path => this.at(path) !== undefined)
  }

  /** Looks at all that was touched since it was looked at last. */
  async settle(look: (path: string) => Promise<Found>): Promise<void> {
    await this.#settle([...this.#touched], look)
    this.#touched.clear()
  }

  /** Looks at everything that there is at such paths. */
  async settleAll(look: (path: string) => Promise<Found>, paths = /./): Promise<void> {
    const fitting = [...this.#owed.keys()].filter(path => paths.test(path))
    await this.#settle(fitting, look)
  }

  async #settle(paths: readonly string[], look: (path: string) => Promise<Found>): Promise<void> {
    const check = async (path: string) => {
      const found = await look(path)
      const owed = this.#owed.get(path) ?? new Set()
      if (!owed.has(found)) throw new Error(`${path}: ${found} instead of ${[...owed].join(' or ')}`)
      this.#owed.set(path, new Set([found]))
    }
    for (let at = 0; at < paths.length; at += 16) await Promise.all(paths.slice(at, at + 16).map(check))
  }
}

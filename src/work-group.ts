import { setMaxListeners } from 'node:events'
import { DrayError } from './errors.ts'

/**
 * Work that runs side by side and fails as one: the first failure stops new work and aborts `signal`, what is under
 * way is waited for, and that first failure, never one that followed from it, is thrown.
 */
export class WorkGroup {
  readonly #controller: AbortController
  readonly #limit: number

  constructor(controller: AbortController, limit: number) {
    this.#controller = controller
    this.#limit = limit
  }

  /** Aborted by the first failure or by the caller; its reason is what is thrown. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Does the work for each item, in order, for as many at a time as the group's limit holds.
   * @param weigh how much of the limit an item takes up; one that is heavier than the limit is done alone
   */
  async map<Item, Result>(
    items: readonly Item[],
    work: (item: Item) => Promise<Result>,
    weigh: (item: Item) => number = () => 1,
  ): Promise<readonly Result[]> {
    const results: Result[] = new Array(items.length)
    const running = new Set<Promise<void>>()
    let weight = 0
    for (const [position, item] of items.entries()) {
      const own = weigh(item)
      while (weight > 0 && weight + own > this.#limit && !this.signal.aborted) await Promise.race(running)
      if (this.signal.aborted) break
      weight += own
      const run = async () => {
        results[position] = await work(item)
      }
      const done: Promise<void> = run()
        .catch(error => this.#controller.abort(error))
        .then(() => {
          weight -= own
          running.delete(done)
        })
      running.add(done)
    }
    await Promise.all(running)
    this.signal.throwIfAborted()
    return results
  }

  /** Like `Promise.all`, but does not settle before all the promises have. */
  async all<Results extends readonly unknown[]>(
    promises: {
      readonly [Position in keyof Results]: Promise<Results[Position]>
    },
  ): Promise<Results> {
    // Only the first call of `abort` counts.
    for (const promise of promises) promise.catch(error => this.#controller.abort(error))
    await Promise.allSettled(promises)
    this.signal.throwIfAborted()
    return (await Promise.all(promises)) as unknown as Results
  }
}

/**
 * Runs work in a group of its own, with at most `limit` pieces of each `map` at a time.
 * @throws DrayError `ABORTED` when the outer `signal` aborts; else what the work threw first
 */
export async function withWorkGroup<Result>(
  options: { readonly limit: number; readonly signal?: AbortSignal | undefined },
  run: (group: WorkGroup) => Promise<Result>,
): Promise<Result> {
  const { limit, signal } = options
  const controller = new AbortController()
  // Every request of every piece listens to it.
  setMaxListeners(0, controller.signal)
  const cancel = () => controller.abort(abortError(signal))
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    controller.signal.throwIfAborted()
    return await run(new WorkGroup(controller, limit))
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/** What to throw once `signal` is aborted: its reason where that is a DrayError, else one with code `ABORTED`. */
export function abortError(signal: AbortSignal | undefined): DrayError {
  const reason: unknown = signal?.reason
  return reason instanceof DrayError ? reason : new DrayError('ABORTED', 'cancelled', { cause: reason })
}

import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'

/**
 * Passes chunks through until the signal fires, also while the source stalls.
 * @throws DrayError `ABORTED`
 */
export async function* abortable(chunks: Chunks, signal: AbortSignal | undefined): Chunks {
  if (signal === undefined) {
    yield* chunks
    return
  }
  const iterator = chunks[Symbol.asyncIterator]()
  let ended = false
  try {
    while (true) {
      const next = await orAborted(iterator.next(), signal)
      if (next.done) break
      yield next.value
    }
    ended = true
  } finally {
    // Not awaited: a stalled source would hold the abort up, and what it says while being let go is of no use.
    if (!ended) iterator.return?.().catch(() => {})
  }
}

/** One listener for each wait: racing against one long-lived promise would keep every chunk in memory. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () =>
      reject(new DrayError('ABORTED', 'the transfer was cancelled', { cause: signal.reason }))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

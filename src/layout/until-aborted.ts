import { DrayError } from '../errors.ts'

/**
 * Waits for work until the signal fires, also while the work stalls; what becomes of it after that is of no use.
 * @throws DrayError `ABORTED`, and what the work throws
 */
export async function untilAborted<Result>(
  signal: AbortSignal | undefined,
  work: Promise<Result>,
): Promise<Result> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** @throws DrayError `ABORTED` once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

function abortError(signal: AbortSignal): DrayError {
  return new DrayError('ABORTED', 'the transfer was cancelled', { cause: signal.reason })
}

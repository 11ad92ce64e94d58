/**
 * Waits for work until the signal fires, also while the work stalls; what becomes of it after that is of no use here.
 * @throws what `reasonOf` makes of the signal, and what the work throws
 */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal | undefined,
  reasonOf: (signal: AbortSignal) => Error,
): Promise<Result> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(reasonOf(signal))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

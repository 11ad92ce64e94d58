import { DrayError } from '../errors.ts'

/** @throws DrayError `ABORTED` once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw transferAborted(signal)
}

/** What a transfer ends with that its signal has ended. */
export function transferAborted(signal: AbortSignal): DrayError {
  return new DrayError('ABORTED', 'the transfer was cancelled', { cause: signal.reason })
}

import { DrayError } from '../../errors.ts'

/** @throws DrayError `ABORTED` once the signal has fired */
export function throwIfEnded(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DrayError('ABORTED', 'the collection was ended', { cause: signal.reason })
}

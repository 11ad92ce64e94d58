import { DrayError } from '../errors.ts'

/** What reading an archive ends with that its signal has ended. */
export function aborted(archive: string, signal: AbortSignal): DrayError {
  return new DrayError('ABORTED', `${archive}: cancelled`, { cause: signal.reason })
}

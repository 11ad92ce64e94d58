import { DrayError } from '../errors.ts'

/** True for an error of the operating system with one of the codes (`ENOENT`, …). */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes(errnoOf(error) ?? '')
}

/** An `IO` error that says what could not be done (`cannot read /path: EISDIR`); other errors stay what they are. */
export function ioFault(doing: string, error: unknown): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return new DrayError('IO', `cannot ${doing}: ${errno}`, { cause: error })
}

/**
 * Runs `work`, turning errors of the operating system into DrayErrors.
 * @param doing ends the sentence "cannot …"
 * @throws DrayError `IO`; what else `work` throws
 */
export async function attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw ioFault(doing, error)
  }
}

function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof DrayError || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

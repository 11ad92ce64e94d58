import { DrayError, type ErrorCode } from '../errors.ts'
import { OutputClosed } from './stdout.ts'

const exitCodes = {
  USAGE: 2,
  INVALID_REFERENCE: 2,
  NOT_FOUND: 3,
  UNAUTHORIZED: 4,
  NETWORK: 5,
  TIMEOUT: 5,
  INTEGRITY: 6,
  UNSUPPORTED: 1,
  REGISTRY: 1,
  IO: 1,
  PARTIAL: 7,
  ABORTED: 130,
} as const satisfies Record<ErrorCode, number>

/**
 * The exit code of the process after this error: 1 a fault of ours or of the registry, 2 wrong usage, 3 not found,
 * 4 not authorised, 5 network, 6 integrity, 7 a part of a batch failed, 130 interrupted. It is 0 where nothing failed:
 * commander stops with an error after `--help` and `--version`, and a closed stdout ends the program in peace.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof DrayError) return exitCodes[error.code]
  if (isCommanderError(error)) return error.exitCode === 0 ? 0 : 2
  return error instanceof OutputClosed ? 0 : 1
}

/** An error of commander's own. */
export interface CommanderError extends Error {
  readonly code: string
  readonly exitCode: number
}

/** True for an error of commander's own. Told by its code, so that commander need not be loaded to ask. */
export function isCommanderError(error: unknown): error is CommanderError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('commander.')
  )
}

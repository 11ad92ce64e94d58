import type { DrayError } from '../errors.ts'

/** How a step ended; `skipped` is one that could not be taken, or had nothing to look at. */
export type StepStatus = 'ok' | 'warning' | 'failed' | 'skipped'

/** Facts beside the message, for programs; never a secret. */
export type Details = Readonly<Record<string, unknown>>

/** What a step found. */
export interface Finding {
  readonly status: StepStatus
  /** One line, without the name of the step. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string | undefined
  readonly details?: Details | undefined
  /** What it failed with; its code decides the exit code. */
  readonly error?: DrayError | undefined
  /** How long it took, where a step before it already did the work. */
  readonly ms?: number | undefined
}

/** All is well. */
export function ok(message: string, details?: Details): Finding {
  return { status: 'ok', message, details }
}

/** Something that need not stop anybody, but may surprise. */
export function warning(message: string, more: Pick<Finding, 'hint' | 'details'> = {}): Finding {
  return { status: 'warning', message, ...more }
}

/** Nothing was looked at. */
export function skipped(message: string, more: Pick<Finding, 'hint' | 'details'> = {}): Finding {
  return { status: 'skipped', message, ...more }
}

/** What the error says; a step may also throw it. */
export function failed(error: DrayError, more: Pick<Finding, 'details' | 'ms'> = {}): Finding {
  return { status: 'failed', message: error.message, hint: error.hint, error, ...more }
}

/** What the error says, of something that was not asked for. */
export function mild(error: DrayError, details?: Details): Finding {
  return warning(error.message, { hint: error.hint, details })
}

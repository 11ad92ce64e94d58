import type { Writable } from 'node:stream'
import { DrayError } from '../errors.ts'
import type { Progress, ProgressOptions } from './progress-display.ts'

/** The values of `--progress`. */
export const progressFlags = ['auto', 'tty', 'plain', 'json', 'none'] as const
/** A value of `--progress`. */
export type ProgressFlag = (typeof progressFlags)[number]

/** `none` still shows warnings; `quiet` shows nothing. */
export type ProgressKind = 'tty' | 'plain' | 'json' | 'none' | 'quiet'

/** What the choice of a display depends on. */
export interface ProgressSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether stderr is a terminal. */
  readonly isTTY: boolean
}

/**
 * How progress is shown: as `--progress` says; by itself bars on a terminal, lines in a CI job, on a dumb terminal and
 * in a pipe. `--quiet` beats them all.
 * @throws DrayError `USAGE` when bars are wanted where there is no terminal
 */
export function chooseProgress(
  choice: ProgressSurroundings & { readonly flag?: ProgressFlag | undefined; readonly quiet?: boolean },
): ProgressKind {
  const { flag = 'auto', env, isTTY } = choice
  if (choice.quiet) return 'quiet'
  if (flag === 'tty' && !isTTY) {
    throw new DrayError('USAGE', '--progress tty: stderr is not a terminal', { hint: 'use --progress plain' })
  }
  if (flag !== 'auto') return flag
  return isTTY && !isSet(env.CI) && env.TERM !== 'dumb' ? 'tty' : 'plain'
}

/**
 * Whether to use colour: as `FORCE_COLOR` says (`0` and `false` mean no), else not with `NO_COLOR`, else on a terminal
 * that is not dumb.
 */
export function chooseColor({ env, isTTY }: ProgressSurroundings): boolean {
  if (env.FORCE_COLOR !== undefined) return !['0', 'false'].includes(env.FORCE_COLOR)
  return isTTY && !env.NO_COLOR && env.TERM !== 'dumb'
}

/**
 * Starts a display; lines in place of bars on a terminal that has no width. What a kind needs is loaded only here, so
 * that verbs without progress start fast.
 */
export async function startProgress(kind: ProgressKind, options: ProgressOptions): Promise<Progress> {
  const settings = { color: false, now: () => performance.now(), ...options }
  switch (kind) {
    case 'tty':
      if (hasNoWidth(settings.stream)) return startProgress('plain', options)
      return (await import('./progress-tty.ts')).startBars(settings)
    case 'plain':
      return (await import('./progress-plain.ts')).startLines(settings)
    case 'json':
      return (await import('./progress-json.ts')).startJson(settings)
    case 'none':
      return (await import('./progress-plain.ts')).startWarnings(settings)
    case 'quiet':
      return { onEvent: () => {}, stop: () => {} }
  }
}

/** Terminals whose size nobody has set have 0 columns (`script` in a CI job); ora would divide by that. */
function hasNoWidth(stream: Writable & { readonly columns?: number }): boolean {
  return stream.columns === 0
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false' && value !== '0'
}

import type { CliContext } from './context.ts'
import { chooseColor, chooseProgress, type ProgressFlag, startProgress } from './progress.ts'
import type { Progress } from './progress-display.ts'

/** What a verb's options say of its progress. */
export interface ProgressFlags {
  readonly progress: ProgressFlag
  readonly quiet?: boolean
}

/**
 * Runs work whose progress is shown, as the flags and the terminal say. The display goes when the work has ended; before
 * it prints anything itself, the work stops it.
 * @throws DrayError `USAGE` when bars are wanted where there is no terminal, and what the work throws
 */
export async function withProgress<Result>(
  flags: ProgressFlags,
  { env, stderr }: Pick<CliContext, 'env' | 'stderr'>,
  run: (progress: Progress) => Promise<Result>,
): Promise<Result> {
  const surroundings = { env, isTTY: stderr.isTTY === true }
  const kind = chooseProgress({ flag: flags.progress, quiet: flags.quiet ?? false, ...surroundings })
  const progress = await startProgress(kind, { stream: stderr, color: chooseColor(surroundings) })
  try {
    return await run(progress)
  } finally {
    progress.stop()
  }
}

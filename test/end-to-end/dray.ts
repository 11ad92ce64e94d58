import { expect } from 'vitest'
import { type RunOptions, type RunResult, runDray } from '../support/run.ts'

/** For suites that run many programs, on machines that are busy. */
export const patience = { timeout: 60_000 }

/** Runs the built program, which has to succeed; when it does not, the failure shows what it said. */
export async function dray(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await runDray(args, options)
  expect(result, `dray ${args.join(' ')}\n${result.stderr}`).toMatchObject({ code: 0, signal: null })
  return result
}

/** What `--format json` printed. */
export async function drayJson(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  return JSON.parse((await dray([...args, '--format', 'json'], options)).stdout)
}

/**
 * Runs the built program, which has to fail with this exit code, print nothing on stdout, and say last on stderr what
 * failed, in one line and one for the hint at the most. Returns what it said.
 */
export async function drayFails(
  code: number,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await runDray(args, options)
  expect(result, `dray ${args.join(' ')}\n${result.stderr}`).toMatchObject({ code, stdout: '' })
  expect(result.stderr).toMatch(/(^|\n)dray: [^\n]+\n(hint: [^\n]+\n)?$/)
  return result.stderr
}

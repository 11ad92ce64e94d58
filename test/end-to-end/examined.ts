import { expect } from 'vitest'
import { type RunOptions, runDray } from '../support/run.ts'

/** A step of `dray doctor --format json`. */
export interface ExaminedStep {
  readonly step: string
  readonly status: string
  readonly message: string
  readonly hint: string | null
  readonly details: Readonly<Record<string, unknown>>
  readonly ms: number
}

/** How `dray doctor` ended, and what it found. */
export interface Examined {
  readonly code: number | null
  readonly reference: string
  readonly registry: string
  readonly healthy: boolean
  /** By its name; fails when it is not there. */
  step(name: string): ExaminedStep
  /** `tcp ok` of each step. */
  readonly outcomes: readonly string[]
  /** All that was printed, the errors too. */
  readonly printed: string
}

/** Every step, in order. */
export const stepNames = [
  ...['configuration', 'proxy', 'dns', 'tcp', 'tls', 'http', 'clock', 'challenge', 'credential', 'token'],
  ...['pull', 'push', 'delete', 'rate-limit', 'mirrors'],
]

/** Runs the built `dray doctor` and reads its document, in which every field must be there. */
export async function examined(args: readonly string[], options: RunOptions = {}): Promise<Examined> {
  const { code, stdout, stderr } = await runDray(['doctor', '--format', 'json', ...args], options)
  expect(stdout, stderr).toMatch(/^{/)
  const document = JSON.parse(stdout)
  expect(Object.keys(document)).toEqual(['reference', 'registry', 'healthy', 'steps'])
  const steps: ExaminedStep[] = document.steps
  expect(steps.map(({ step }) => step)).toEqual(stepNames)
  for (const step of steps) {
    expect(Object.keys(step)).toEqual(['step', 'status', 'message', 'hint', 'details', 'ms'])
  }
  expect(document.healthy).toBe(code === 0)
  return {
    ...document,
    code,
    step: name => steps.find(({ step }) => step === name) ?? expect.fail(`no step ${name}`),
    outcomes: steps.map(({ step, status }) => `${step} ${status}`),
    printed: stdout + stderr,
  }
}

/** The steps from one on to the one before another, each with this status. */
export function stretch(from: string, to: string | undefined, status: string): string[] {
  const end = to === undefined ? stepNames.length : stepNames.indexOf(to)
  return stepNames.slice(stepNames.indexOf(from), end).map(name => `${name} ${status}`)
}

import { type DrayError, isDrayError } from '../errors.ts'
import { type Details, type Finding, failed, type StepStatus, skipped } from './finding.ts'
import type { Patient, Purpose } from './patient.ts'

/** One thing to look at. */
export interface Step {
  /** One word, or two with a dash. */
  readonly name: string
  /** The steps that must not have failed, or there is nothing to look at. */
  readonly needs: readonly string[]
  /** What alone it is needed for: whoever wants something else is warned at the most. Needed for all when absent. */
  readonly purpose?: Purpose
  /** A DrayError that it throws is its finding. */
  examine(patient: Patient): Promise<Finding>
}

/** A step that was taken, or skipped. */
export interface StepReport {
  readonly step: string
  readonly status: StepStatus
  readonly message: string
  readonly hint: string | null
  readonly details: Details
  readonly ms: number
  /** What the step failed with; for the program alone. */
  readonly error?: DrayError | undefined
}

/** Takes the steps in order, and tells of each as soon as it is done. */
export async function* examine(patient: Patient, steps: readonly Step[]): AsyncGenerator<StepReport> {
  /** By the name of a step that failed, or was skipped for that, the one that is to blame. */
  const blamed = new Map<string, string>()
  for (const step of steps) {
    const startedAt = performance.now()
    const culprit = step.needs.map(name => blamed.get(name)).find(name => name !== undefined)
    const finding =
      culprit === undefined ? await take(step, patient) : skipped(`not tried, since ${culprit} failed`)
    if (culprit !== undefined) blamed.set(step.name, culprit)
    if (finding.status === 'failed') blamed.set(step.name, step.name)
    const { status, message, hint = null, details = {}, error } = finding
    const ms = Math.round(finding.ms ?? performance.now() - startedAt)
    yield { step: step.name, status, message, hint, details, ms, error }
  }
}

async function take(step: Step, patient: Patient): Promise<Finding> {
  const finding = await step.examine(patient).catch((error: unknown) => {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    return failed(error)
  })
  const isNeeded = step.purpose === undefined || step.purpose === patient.purpose
  return finding.status === 'failed' && !isNeeded ? { ...finding, status: 'warning' } : finding
}

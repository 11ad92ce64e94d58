import { describe, expect, it } from 'vitest'
import { examine, type Step, type StepReport } from '../../src/doctor/examine.ts'
import { failed, ok, skipped, warning } from '../../src/doctor/finding.ts'
import { steps } from '../../src/doctor/steps.ts'
import { DrayError } from '../../src/errors.ts'
import { fakePatient } from './fake-patient.ts'

const broken = new DrayError('NETWORK', 'it is broken', { hint: 'mend it' })

function step(name: string, needs: readonly string[], examine: Step['examine']): Step {
  return { name, needs, examine }
}

async function reportsOf(some: readonly Step[], options = {}): Promise<StepReport[]> {
  const reports: StepReport[] = []
  for await (const report of examine(fakePatient(options).patient, some)) reports.push(report)
  return reports
}

async function taken(some: readonly Step[], options = {}): Promise<string[]> {
  return (await reportsOf(some, options)).map(({ step, status, message }) => `${step} ${status}: ${message}`)
}

describe('an examination', () => {
  it('takes the steps in order and goes on after a warning and after what was skipped', async () => {
    const some = [
      step('a', [], async () => ok('fine')),
      step('b', ['a'], async () => warning('odd')),
      step('c', ['b'], async () => skipped('nothing there')),
      step('d', ['c'], async () => ok('fine')),
    ]
    expect(await taken(some)).toEqual([
      'a ok: fine',
      'b warning: odd',
      'c skipped: nothing there',
      'd ok: fine',
    ])
  })

  it('skips what depends on a failure, near or far, says on which, and takes the rest', async () => {
    const some = [
      step('a', [], async () => failed(broken)),
      step('b', ['a'], async () => ok('never')),
      step('c', ['b'], async () => ok('never')),
      step('d', [], async () => ok('fine')),
    ]
    expect(await taken(some)).toEqual([
      'a failed: it is broken',
      'b skipped: not tried, since a failed',
      'c skipped: not tried, since a failed',
      'd ok: fine',
    ])
  })

  it('takes an error that a step throws for its finding, but not a bug, nor Ctrl-C', async () => {
    const throwing = (error: Error) => [step('a', [], () => Promise.reject(error))]
    const [report] = await reportsOf(throwing(broken))
    expect(report).toMatchObject({ status: 'failed', hint: 'mend it', error: broken, details: {} })
    await expect(taken(throwing(new TypeError('a bug')))).rejects.toThrow('a bug')
    await expect(taken(throwing(new DrayError('ABORTED', 'interrupted')))).rejects.toThrow('interrupted')
  })

  it('only warns of what is needed for something else', async () => {
    const pushing: Step[] = [{ ...step('a', [], async () => failed(broken)), purpose: 'push' }]
    expect(await taken(pushing)).toEqual(['a warning: it is broken'])
    expect(await taken(pushing, { purpose: 'push' })).toEqual(['a failed: it is broken'])
  })

  it('has steps that need only what comes before them', () => {
    const before = new Set<string>()
    for (const { name, needs } of steps) {
      for (const need of needs) expect(before, `${name} needs ${need}`).toContain(need)
      before.add(name)
    }
    expect(before.size).toBe(steps.length)
  })
})

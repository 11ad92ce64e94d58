import { describe, expect, it } from 'vitest'
import { stepText } from '../../src/cli/doctor-view.ts'
import type { StepReport } from '../../src/doctor/examine.ts'

const report: StepReport = {
  step: 'tcp',
  status: 'failed',
  message: 'cannot reach registry.example: connection refused',
  hint: 'is the registry running, and is the port right?',
  details: {},
  ms: 3,
}

describe('a step of the doctor', () => {
  it('is a line, and one for the hint, where nobody has a screen', () => {
    expect(stepText(report, { color: false })).toBe(
      [
        'failed   tcp            cannot reach registry.example: connection refused',
        '                        hint: is the registry running, and is the port right?',
        '',
      ].join('\n'),
    )
  })

  it('hints at nothing where all is well', () => {
    expect(stepText({ ...report, status: 'ok' }, { color: false })).toMatch(/^ok {7}tcp .*\n$/)
    expect(stepText({ ...report, hint: null }, { color: false })).toMatch(/^[^\n]*\n$/)
  })

  it.each([120, 80, 60, 54, 53, 40, 20])('fits into %d columns, in whole words', columns => {
    const text = stepText(report, { color: false, columns })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(Math.max(columns, 24))
    expect(text.replace(/\s+/g, ' ').trim()).toBe(`failed tcp ${report.message} hint: ${report.hint}`)
  })

  it.each([
    ['ok', 32],
    ['warning', 33],
    ['failed', 31],
    ['skipped', 2],
  ] as const)('is coloured for %s where colours are wanted, and nothing else is', (status, code) => {
    const plain = stepText({ ...report, status }, { color: false })
    const coloured = stepText({ ...report, status }, { color: true })
    expect(coloured).toMatch(new RegExp(`^\\x1b\\[${code}m${status}\\x1b\\[\\d+m `))
    expect(coloured.replace(/\x1b\[\d+m/g, '')).toBe(plain)
  })

  it('shows what a registry said without letting it act on the terminal', () => {
    const message = 'denied: \x1b[2J\nok  pull'
    expect(stepText({ ...report, message, hint: null }, { color: false })).toContain(
      'denied: \\u{1b}[2J\\nok',
    )
  })
})

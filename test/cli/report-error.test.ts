import { CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { errorLines } from '../../src/cli/report-error.ts'
import { OutputClosed } from '../../src/cli/stdout.ts'
import { DrayError } from '../../src/errors.ts'

describe('an error for people', () => {
  it('is one line, and a hint where there is one', () => {
    const error = new DrayError('NOT_FOUND', 'ghcr.io/org/app:9: no such tag', { hint: 'see dray ls' })
    expect(errorLines(error)).toEqual(['dray: ghcr.io/org/app:9: no such tag', 'hint: see dray ls'])
    expect(errorLines(new DrayError('IO', 'disk full'))).toEqual(['dray: disk full'])
  })

  it('stays one line whatever the registry answered', () => {
    const answer = 'r: answered "a\nb\x1b[31m\u202e"'
    expect(errorLines(new DrayError('REGISTRY', answer))).toHaveLength(1)
    expect(errorLines(new Error(answer))[0]).toBe('dray: r: answered "a\\nb\\u{1b}[31m\\u{202e}"')
  })

  it('is cut to a length that fits a log', () => {
    const [line = ''] = errorLines(new DrayError('REGISTRY', 'x'.repeat(1_000_000)))
    expect(line).toHaveLength(2007)
    expect(line.endsWith('x…')).toBe(true)
  })

  it('has no secret in message, hint or stack', () => {
    const cause = new Error('GET https://bob:hunter2@host/?X-Amz-Signature=feed')
    const error = new DrayError('NETWORK', 'sent Authorization: Bearer abcdef', {
      hint: 'password=hunter2',
      cause,
    })
    expect(errorLines(error, { debug: true }).join('\n')).not.toMatch(/hunter2|feed|abcdef/)
  })

  it('has its stack and causes with debug', () => {
    const error = new DrayError('NETWORK', 'r: broken', { cause: new Error('reset', { cause: 'by peer' }) })
    const lines = errorLines(error, { debug: true })
    expect(lines.slice(0, 2)).toEqual(['dray: r: broken', 'DrayError: r: broken'])
    expect(lines).toContain('caused by: Error: reset')
    expect(lines).toContain('caused by: by peer')
    expect(lines.some(line => line.includes('report-error.test.ts'))).toBe(true)
  })

  it('has its stack without debug where it is a bug', () => {
    const lines = errorLines(new TypeError('x is not a function'))
    expect(lines[0]).toBe('dray: x is not a function')
    expect(lines[1]).toContain('please report it')
    expect(lines.some(line => line.includes('report-error.test.ts'))).toBe(true)
  })

  it('ends where causes go in a circle', () => {
    const error = new Error('round')
    error.cause = error
    expect(errorLines(error).filter(line => line.includes('round'))).toHaveLength(2)
  })

  it('takes what commander says without its own prefix and without a stack', () => {
    const error = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--foo'")
    expect(errorLines(error)).toEqual(["dray: unknown option '--foo'"])
  })

  it('is nothing where nothing failed', () => {
    expect(errorLines(new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'))).toEqual([])
    expect(errorLines(new OutputClosed())).toEqual([])
  })
})

describe('an error for programs', () => {
  const parse = (error: unknown, debug = false): unknown => {
    const lines = errorLines(error, { json: true, debug })
    expect(lines).toHaveLength(1)
    return JSON.parse(lines[0] ?? '')
  }

  it('is one JSON object', () => {
    expect(parse(new DrayError('UNAUTHORIZED', 'r: denied', { hint: 'dray login r' }))).toEqual({
      error: { code: 'UNAUTHORIZED', message: 'r: denied', hint: 'dray login r', exitCode: 4 },
    })
    expect(parse(new DrayError('IO', 'full'))).toEqual({
      error: { code: 'IO', message: 'full', exitCode: 1 },
    })
  })

  it('says INTERNAL and keeps the stack of a bug', () => {
    expect(parse(new TypeError('oops'))).toEqual({
      error: {
        code: 'INTERNAL',
        message: 'oops',
        hint: expect.stringContaining('report'),
        exitCode: 1,
        stack: expect.stringMatching(/^TypeError: oops\n/),
      },
    })
  })

  it('says USAGE for what commander refuses', () => {
    expect(parse(new CommanderError(1, 'commander.unknownCommand', "error: unknown command 'x'"))).toEqual({
      error: { code: 'USAGE', message: "unknown command 'x'", exitCode: 2 },
    })
  })
})

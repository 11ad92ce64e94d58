import { Command, InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { OutputClosed } from '../../src/cli/stdout.ts'
import { DrayError, type ErrorCode } from '../../src/errors.ts'

const fromCommander = (...argv: string[]): unknown => {
  const program = new Command('dray')
    .exitOverride()
    .version('1.0.0')
    .option('--size <n>', 'size', text => {
      throw new InvalidArgumentError(`not ${text}`)
    })
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  try {
    program.parse(argv, { from: 'user' })
  } catch (error) {
    return error
  }
  throw new Error('commander did not stop')
}

describe('the exit code', () => {
  it.each([
    ['USAGE', 2],
    ['INVALID_REFERENCE', 2],
    ['NOT_FOUND', 3],
    ['UNAUTHORIZED', 4],
    ['NETWORK', 5],
    ['TIMEOUT', 5],
    ['INTEGRITY', 6],
    ['PARTIAL', 7],
    ['ABORTED', 130],
    ['REGISTRY', 1],
    ['UNSUPPORTED', 1],
    ['IO', 1],
  ] as const satisfies [ErrorCode, number][])('of %s is %i', (code, exitCode) => {
    expect(exitCodeOf(new DrayError(code, 'failed'))).toBe(exitCode)
  })

  it('is 2 for what commander refuses', () => {
    expect(exitCodeOf(fromCommander('--no-such-flag'))).toBe(2)
    expect(exitCodeOf(fromCommander('--size', 'big'))).toBe(2)
  })

  it('is 0 after help and version, which commander ends with an error too', () => {
    expect(exitCodeOf(fromCommander('--help'))).toBe(0)
    expect(exitCodeOf(fromCommander('--version'))).toBe(0)
  })

  it('is 0 when the reader of stdout has gone', () => {
    expect(exitCodeOf(new OutputClosed())).toBe(0)
  })

  it.each([new TypeError('bug'), 'a string', undefined, null, { code: 'USAGE' }])('is 1 for %s', thrown => {
    expect(exitCodeOf(thrown)).toBe(1)
  })
})

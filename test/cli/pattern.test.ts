import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePattern } from '../../src/cli/pattern.ts'

const matches = (pattern: string, name: string) => parsePattern(pattern, '--match')(name)

describe('a glob', () => {
  it.each([
    ['v1.*', 'v1.2', true],
    ['v1.*', 'xv1.2', false],
    ['v1.*', 'v1.', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['1.?', '1.2', true],
    ['1.?', '1.22', false],
    ['1.2', '1x2', false],
    ['*-alpine', '3-alpine-alpine', true],
    ['*a*b*', 'xaxbx', true],
    ['*a*b', 'bab', true],
    ['*a*b', 'aba', false],
    ['[0-9].[0-9]', '1.2', true],
    ['[0-9].[0-9]', 'a.2', false],
    ['[!0-9]*', 'v1', true],
    ['[!0-9]*', '1', false],
    ['[abc-]', '-', true],
    ['[]x]', ']', true],
    ['[!]x]', ']', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['v1', 'V1', false],
    ['a/b', 'a/b', true],
    ['(a|b)+', 'a', false],
    ['?', '🐳', true],
  ])('%j tried on %j is %j', (pattern, name, wanted) => {
    expect(matches(pattern, name)).toBe(wanted)
  })

  it('agrees with the regular expression that means the same', () => {
    const glob = fc
      .array(fc.constantFrom('a', 'b', '*', '?', '**'), { maxLength: 8 })
      .map(parts => parts.join(''))
    const name = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 10 }).map(parts => parts.join(''))
    fc.assert(
      fc.property(glob, name, (pattern, text) => {
        const regex = new RegExp(
          `^${pattern.replaceAll('*', '.*').replaceAll('?', '.').replaceAll('.*.*', '.*')}$`,
        )
        expect(matches(pattern, text)).toBe(regex.test(text))
      }),
    )
  })

  it('takes no time to speak of where a regular expression would take for ever', () => {
    const started = performance.now()
    expect(matches('*a'.repeat(60), 'a'.repeat(5000))).toBe(true)
    expect(matches(`${'*a'.repeat(60)}b`, 'a'.repeat(5000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it.each(['[abc', '[]', '[!]', 'abc\\'])('cannot be %s', pattern => {
    expect(() => matches(pattern, 'x')).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('a regular expression', () => {
  it.each([
    ['/^v\\d+/', 'v12-x', true],
    ['/beta/', '1-beta-2', true],
    ['/BETA/i', '1-beta-2', true],
    ['/^\\d+$/', 'x1', false],
    ['/a\\/b/', 'a/b', true],
    ['/a/', 'a'.repeat(129), false],
  ])('%s tried on %j is %j', (pattern, name, wanted) => {
    expect(matches(pattern, name)).toBe(wanted)
  })

  it.each([
    ['/(/', 'cannot read the pattern "/(/"'],
    ['/a/g', 'only the flags i and u may follow'],
    ['/a/ii', 'cannot read the pattern'],
  ])('cannot be %s', (pattern, message) => {
    expect(() => matches(pattern, 'x')).toThrow(message)
    expect(() => matches(pattern, 'x')).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

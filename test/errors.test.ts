import { describe, expect, it } from 'vitest'
import { DrayError, isDrayError, quote } from '../src/errors.ts'

describe('DrayError', () => {
  it('carries code, message, hint, cause and status', () => {
    const cause = new Error('below')
    const error = new DrayError('NOT_FOUND', 'ghcr.io/org/app:1: not found', {
      hint: 'look',
      cause,
      status: 404,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'DrayError',
      code: 'NOT_FOUND',
      message: 'ghcr.io/org/app:1: not found',
      hint: 'look',
      cause,
      status: 404,
    })
  })

  it('has no cause of its own making', () => {
    expect('cause' in new DrayError('IO', 'no')).toBe(false)
  })
})

describe('isDrayError', () => {
  const error = new DrayError('TIMEOUT', 'late')

  it('tells a DrayError from anything else', () => {
    expect(isDrayError(error)).toBe(true)
    expect(isDrayError(new Error('late'))).toBe(false)
    expect(isDrayError({ name: 'DrayError', code: 'TIMEOUT' })).toBe(false)
    expect(isDrayError(undefined)).toBe(false)
  })

  it('tells one of the given codes from the others', () => {
    expect(isDrayError(error, 'NETWORK', 'TIMEOUT')).toBe(true)
    expect(isDrayError(error, 'NETWORK')).toBe(false)
    expect(isDrayError(new Error('late'), 'TIMEOUT')).toBe(false)
  })
})

describe('quote', () => {
  it('puts text between double quotes', () => {
    expect(quote('a b')).toBe('"a b"')
    expect(quote('')).toBe('""')
  })

  it('shows what a terminal would obey or hide, and leaves letters of any script as they are', () => {
    expect(quote('a\r\nb\u001b[2Jc\u202ed\u{e0001}\ud800')).toBe(
      '"a\\u{d}\\u{a}b\\u{1b}[2Jc\\u{202e}d\\u{e0001}\\u{d800}"',
    )
    expect(quote('été/漢字/🐳')).toBe('"été/漢字/🐳"')
  })

  it('cuts what is longer than 256 characters', () => {
    expect(quote('x'.repeat(256))).toBe(`"${'x'.repeat(256)}"`)
    expect(quote('x'.repeat(257))).toBe(`"${'x'.repeat(256)}…"`)
    expect(quote(`${'x'.repeat(255)}🐳`)).toBe(`"${'x'.repeat(255)}\\u{d83d}…"`)
  })
})

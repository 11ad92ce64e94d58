import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, printableJson, printableLines } from '../../src/cli/printable.ts'

describe('printable', () => {
  it.each([
    ['plain text', 'a b\\c', 'a b\\c'],
    ['lines and tabs', 'a\nb\r\n\tc', 'a\\nb\\r\\n\\tc'],
    ['ANSI sequences', '\x1b[31mred\x1b[0m', '\\u{1b}[31mred\\u{1b}[0m'],
    ['one-byte ANSI sequences', '\x9b31m', '\\u{9b}31m'],
    ['delete and bell', '\x7f\x07\0', '\\u{7f}\\u{7}\\u{0}'],
    ['bidi overrides', 'abc\u202etxt.exe\u2066', 'abc\\u{202e}txt.exe\\u{2066}'],
    ['invisible characters', 'a\u200bb\ufeff\u2028', 'a\\u{200b}b\\u{feff}\\u{2028}'],
    ['hidden tags', '\u{e0041}', '\\u{e0041}'],
    ['lone surrogates', '\ud800x', '\\u{d800}x'],
    ['letters, accents and emoji', 'naïve 日本 👩‍💻 नि', 'naïve 日本 👩‍💻 नि'],
  ])('escapes what a terminal might obey in %s', (_, text, wanted) => {
    expect(printable(text)).toBe(wanted)
  })

  it('keeps lines and tabs only where lines are wanted', () => {
    expect(printableLines('a\n\tb\r\x1b')).toBe('a\n\tb\\r\\u{1b}')
  })

  it('leaves no control character behind, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}]/u)
      }),
    )
  })
})

describe('printable JSON', () => {
  it('says the same as before and holds no control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const json = printableJson(JSON.stringify({ text }, null, 2))
        expect(JSON.parse(json)).toEqual({ text })
        expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u{e0000}-\u{e007f}]/u)
      }),
    )
  })
})

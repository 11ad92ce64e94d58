import { describe, expect, it } from 'vitest'
import { alignRows, cutTo, padTo, widthOf } from '../../src/cli/text-width.ts'

describe('the width of text', () => {
  it.each([
    ['', 0],
    ['latin', 5],
    ['naïve', 5],
    ['nai\u0308ve', 5],
    ['日本語', 6],
    ['한국', 4],
    ['ｗｉｄｅ', 8],
    ['👩‍💻!', 3],
    ['✔️', 2],
    ['🇩🇪', 2],
    ['\u200d', 0],
  ])('of %j is %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width)
  })
})

describe('cutting and padding', () => {
  it.each([
    ['layer', 5, 'layer'],
    ['layers', 5, 'laye…'],
    ['a b c', 3, 'a…'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('cuts %j to %i columns', (text, columns, wanted) => {
    expect(cutTo(text, columns)).toBe(wanted)
  })

  it('pads by columns, not by characters', () => {
    expect(padTo('日本', 6)).toBe('日本  ')
    expect(padTo('longer', 3)).toBe('longer')
  })

  it('aligns columns and leaves no space at the end of a line', () => {
    const rows = [
      ['a', '1', 'x'],
      ['日本', '100', ''],
      ['b', '20'],
    ]
    expect(alignRows(rows, [1])).toEqual(['a       1  x', '日本  100', 'b      20'])
  })
})

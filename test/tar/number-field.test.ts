import { expect, it } from 'vitest'
import { numberField } from '../../src/tar/number-field.ts'

it.each([
  ['00000000017\0', 15],
  ['       17 \0\0', 15],
  ['17', 15],
  ['17\0garbage', 15],
  ['777777777777', 0o777777777777],
  ['', 0],
  ['            ', 0],
  ['19', undefined],
  ['-7', undefined],
  ['0x7', undefined],
])('octal digits in a field of twelve: %j is %s', (text, expected) => {
  const block = Buffer.alloc(20)
  block.write(text, 4, 'latin1')
  expect(numberField(block, 4, 12)).toBe(expected)
})

it.each([
  ['80000000000000000000000f', 15],
  ['80000000001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['800000000020000000000000', undefined],
  ['ffffffffffffffffffffffff', -1],
  ['fffffffffffffffffffff000', -4096],
  ['bfffffffffffffffffffffff', undefined],
])('a binary number in a field of twelve: %s is %s', (hex, expected) => {
  expect(numberField(Buffer.from(hex, 'hex'), 0, 12)).toBe(expected)
})

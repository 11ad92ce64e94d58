import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatPax, parsePax } from '../../src/tar/pax-records.ts'

it.each([
  ['6 a=b\n', [['a', 'b']]],
  ['5 a=\n', [['a', '']]],
  ['13 a=b=c\nd=e\n', [['a', 'b=c\nd=e']]],
  [
    '6 a=b\n6 a=c\n',
    [
      ['a', 'b'],
      ['a', 'c'],
    ],
  ],
  ['', []],
])('records are read: %j', (text, expected) => {
  const records = parsePax(Buffer.from(text))?.map(({ key, value }) => [key, Buffer.from(value).toString()])
  expect(records).toEqual(expected)
})

it.each([
  '6 a=b',
  '7 a=b\n',
  '5 a=b\n',
  '6 a:b\n',
  '6 =bc\n',
  '06',
  '-6 a=b\n',
  '6a=b\n',
  '6 a=b\n\0\0',
  '1e1 a=bc\n',
  '99999999999 a=b\n',
])('what is no record is not read: %j', text => expect(parsePax(Buffer.from(text))).toBeUndefined())

it('a record counts the digits of its own length', () => {
  for (const length of [1, 4, 5, 6, 90, 94, 95, 96, 97, 990, 993, 994, 995, 99_990]) {
    const text = formatPax([{ key: 'k', value: Buffer.alloc(length, 'v') }]).toString()
    expect(Number.parseInt(text, 10)).toBe(text.length)
  }
})

it('records are read as they were written', () => {
  const record = fc.record({
    key: fc.string({ minLength: 1 }).filter(key => !key.includes('=')),
    value: fc.uint8Array({ maxLength: 2000 }).map(bytes => Buffer.from(bytes)),
  })
  fc.assert(
    fc.property(fc.array(record), records => {
      expect(parsePax(formatPax(records))).toEqual(records)
    }),
  )
})

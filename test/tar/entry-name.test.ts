import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeName, encodeName, safePath } from '../../src/tar/entry-name.ts'

describe('a name', () => {
  it.each([
    ['a/b', 'a/b'],
    ['./a//b/', 'a/b'],
    ['', ''],
    ['./', ''],
    ['a/..', ''],
    ['a/../b/./c', 'b/c'],
    ['...', '...'],
    ['..a/b..', '..a/b..'],
    ['a\\..\\..\\b', 'a\\..\\..\\b'],
  ])('is a path within the tree: %j is %j', (name, path) => expect(safePath(name, 'a.tar')).toBe(path))

  it.each([
    ['/a', 'a.tar: entry "/a" has an absolute name'],
    ['/', 'a.tar: entry "/" has an absolute name'],
    ['..', 'a.tar: entry ".." leads out of the tree'],
    ['./../a', 'a.tar: entry "./../a" leads out of the tree'],
    ['a/../../a', 'a.tar: entry "a/../../a" leads out of the tree'],
    ['a\0b', 'a.tar: entry "a\\u{0}b" has a NUL in its name'],
  ])('leads nowhere else: %j', (name, message) =>
    expect(() => safePath(name, 'a.tar')).toThrow(expect.objectContaining({ code: 'INTEGRITY', message })),
  )

  it('is text where it is UTF-8, and else keeps each byte', () => {
    expect(decodeName(Buffer.from('äö/€/😀'))).toBe('äö/€/😀')
    expect(decodeName(Buffer.from([0x61, 0xff, 0xc3]))).toBe('a\udcff\udcc3')
    // What UTF-8 would make of a surrogate is none of it.
    expect(decodeName(Buffer.from([0xed, 0xb3, 0xbf]))).toBe('\udced\udcb3\udcbf')
  })

  it('gives the same bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(encodeName(decodeName(bytes)).equals(bytes)).toBe(true)
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(decodeName(encodeName(text))).toBe(text)
      }),
    )
  })
})

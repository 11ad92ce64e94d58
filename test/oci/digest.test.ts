import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import {
  algorithmOf,
  DigestCounter,
  digestFault,
  digestOf,
  hexOf,
  isDigest,
  parseDigest,
} from '../../src/oci/digest.ts'

const emptySha256 = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

describe('parseDigest', () => {
  it('reads sha256 and sha512, and tells their parts', () => {
    const long = parseDigest(`sha512:${'ab'.repeat(64)}`)
    expect(parseDigest(emptySha256)).toBe(emptySha256)
    expect([algorithmOf(parseDigest(emptySha256)), algorithmOf(long)]).toEqual(['sha256', 'sha512'])
    expect([hexOf(parseDigest(emptySha256)), hexOf(long)]).toEqual([emptySha256.slice(7), 'ab'.repeat(64)])
  })

  it.each([
    ['', 'it must look like sha256:'],
    ['latest', 'it must look like sha256:'],
    [':', 'the algorithm "" is not supported'],
    [`:${'0'.repeat(64)}`, 'the algorithm "" is not supported'],
    ['sha256:', 'sha256 has 64 hex digits, not 0'],
    [`sha256:${'0'.repeat(63)}`, 'not 63'],
    [`sha256:${'0'.repeat(65)}`, 'not 65'],
    [`sha512:${'0'.repeat(64)}`, 'sha512 has 128 hex digits, not 64'],
    [`sha256:${'F'.repeat(64)}`, 'lower-case hex digits'],
    [`sha256:${'g'.repeat(64)}`, 'lower-case hex digits'],
    [`sha256:${'0'.repeat(63)}\n`, 'lower-case hex digits'],
    [`sha256: ${'0'.repeat(63)}`, 'lower-case hex digits'],
    [`sha256:sha256:${'0'.repeat(57)}`, 'lower-case hex digits'],
    [`SHA256:${'0'.repeat(64)}`, 'the algorithm "SHA256" is not supported'],
    [`sha384:${'0'.repeat(96)}`, 'the algorithm "sha384" is not supported'],
    [`constructor:${'0'.repeat(64)}`, 'the algorithm "constructor" is not supported'],
    [`sha256+b64:${'0'.repeat(64)}`, 'is not supported'],
  ])('refuses %j because %s', (text, why) => {
    expect(isDigest(text)).toBe(false)
    expect(digestFault(text)).toContain(why)
    expect(() => parseDigest(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_REFERENCE', message: expect.stringContaining(why) }),
    )
  })

  it('shows what it refuses, without controls and not at any length', () => {
    expect(() => parseDigest('a\u001b[2J:b')).toThrow('invalid digest "a\\u{1b}[2J:b": the algorithm')
    for (const text of ['x'.repeat(100_000), `${'x'.repeat(100_000)}:`, `sha256:${'x'.repeat(100_000)}`]) {
      try {
        parseDigest(text)
        expect.unreachable()
      } catch (error) {
        expect(error).toBeInstanceOf(DrayError)
        expect(String(error).length).toBeLessThan(1000)
      }
    }
  })
})

describe('digestOf', () => {
  it('is the sha256 of bytes or of text in UTF-8, unless sha512 is asked for', () => {
    expect(digestOf(new Uint8Array())).toBe(emptySha256)
    expect(digestOf('été')).toBe(digestOf(Buffer.from('été', 'utf8')))
    expect(digestOf('abc', 'sha512')).toBe(`sha512:${createHash('sha512').update('abc').digest('hex')}`)
  })
})

describe('DigestCounter', () => {
  it('counts and hashes pieces as it does the whole', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
    fc.assert(
      fc.property(pieces, fc.constantFrom('sha256' as const, 'sha512' as const), (chunks, algorithm) => {
        const counter = new DigestCounter(algorithm)
        for (const chunk of chunks) counter.add(chunk)
        const whole = Buffer.concat(chunks)
        expect(counter.bytes).toBe(whole.length)
        expect(counter.digest()).toBe(digestOf(whole, algorithm))
      }),
    )
  })

  it('can be asked in between and again', () => {
    const counter = new DigestCounter()
    expect(counter.digest()).toBe(emptySha256)
    counter.add(Buffer.from('a'))
    expect(counter.digest()).toBe(digestOf('a'))
    counter.add(Buffer.from('b'))
    expect(counter.digest()).toBe(digestOf('ab'))
    expect(counter.digest()).toBe(digestOf('ab'))
  })
})

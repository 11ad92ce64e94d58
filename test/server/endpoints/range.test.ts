import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseRange } from '../../../src/server/endpoints/range.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'

const size = fc.integer({ min: 0, max: 12 })
const position = fc.integer({ min: 0, max: 15 })
const zeros = fc.constantFrom('', '0', '000')
const space = fc.constantFrom('', ' ', '\t ')

/** The positions of the bytes that a range wants, as RFC 9110, 14.1.2, says it for one byte at a time. */
function wanted(first: number | null, last: number | null, size: number): number[] {
  const all = Array.from({ length: size }, (_, at) => at)
  if (first === null) return all.filter(at => size - at <= (last ?? 0))
  return all.filter(at => at >= first && (last === null || at <= last))
}

describe('a Range', () => {
  it('is the bytes that the specification says, and unsatisfiable where those are none', () => {
    const parts = fc.tuple(fc.option(position), fc.option(position), zeros, space)
    const property = fc.property(parts, size, ([first, last, zero, blank], length) => {
      fc.pre(first !== null || last !== null)
      const number = (value: number | null) => (value === null ? '' : `${zero}${value}`)
      const range = parseRange(`${blank}bytes=${number(first)}-${number(last)}${blank}`, length)
      const bytes = wanted(first, last, length)
      const expected = bytes.length === 0 ? 'unsatisfiable' : { start: bytes[0], end: bytes.at(-1) }
      expect(range).toEqual(expected)
    })
    fc.assert(property, { numRuns: 2000 })
  })

  it('is never outside the content, whatever the header is', () => {
    const header = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'bytes=-,0129 ') }),
      fc.string({ unit: fc.constantFrom(...'-,0129 ') }).map(text => `bytes=${text}`),
    )
    const property = fc.property(header, fc.nat(), (text, length) => {
      const range = parseRange(text, length)
      if (range === undefined || range === 'unsatisfiable') return
      expect(range.start).toBeGreaterThanOrEqual(0)
      expect(range.end).toBeGreaterThanOrEqual(range.start)
      expect(range.end).toBeLessThan(length)
    })
    fc.assert(property, { numRuns: 2000 })
  })
})

describe('the Content-Range of a chunk', () => {
  let registry: EmbeddedRegistry
  beforeAll(async () => {
    registry = await startEmbeddedRegistry()
  })
  afterAll(() => registry[Symbol.asyncDispose]())

  it('is taken where the chunk begins at the end of the upload and is as long, and nowhere else', async () => {
    const chunk = fc.record({
      start: fc.nat(6),
      end: fc.nat(8),
      bytes: fc.nat(5),
      prefix: fc.constantFrom('', 'bytes '),
    })
    const property = fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), async chunks => {
      const { headers } = await registry.ask('POST', '/v2/a/blobs/uploads/')
      const location = String(headers.location)
      let model = 0
      for (const { start, end, bytes, prefix } of chunks) {
        const range = { 'Content-Range': `${prefix}${start}-${end}` }
        const answer = await registry.ask('PATCH', location, { headers: range, body: 'x'.repeat(bytes) })
        const isFitting = start === model && end - start + 1 === bytes
        expect(answer.status === 202).toBe(isFitting)
        if (isFitting) model += bytes
        else expect([400, 416]).toContain(answer.status)
        const { status, headers: progress } = await registry.ask('GET', location)
        expect(status).toBe(204)
        expect(progress.range).toBe(`0-${Math.max(model - 1, 0)}`)
      }
      expect((await registry.ask('DELETE', location)).status).toBe(204)
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('is refused where it is none, and the upload stays what it was', async () => {
    const { headers } = await registry.ask('POST', '/v2/a/blobs/uploads/')
    const location = String(headers.location)
    const text = fc
      .string({ unit: fc.constantFrom(...'bytes =-/*0129'), minLength: 1 })
      .map(one => one.trim())
    const property = fc.asyncProperty(text, async range => {
      // What does look like one may begin anywhere but at 0.
      fc.pre(range !== '' && !/^(bytes[ =])?0+-/.test(range))
      const answer = await registry.ask('PATCH', location, { headers: { 'Content-Range': range }, body: 'x' })
      expect(answer).toMatchObject({ status: 416, codes: ['BLOB_UPLOAD_INVALID'] })
      expect((await registry.ask('GET', location)).headers.range).toBe('0-0')
    })
    await fc.assert(property, { numRuns: 100 })
  })
})

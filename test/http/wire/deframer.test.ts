import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deframer } from '../../../src/http/wire/deframer.ts'
import { type Framing, MalformedAnswer } from '../../../src/http/wire/head.ts'

const chunked: Framing = { kind: 'chunked' }

/** Takes the framing off what comes in pieces. */
function deframe(framing: Framing, pieces: Iterable<Uint8Array | string>) {
  const deframer = new Deframer(framing)
  const content: Uint8Array[] = []
  for (const piece of pieces) {
    for (const part of deframer.pieces(Buffer.from(piece))) {
      expect(part.length).toBeGreaterThan(0)
      content.push(part)
    }
  }
  return {
    content: Buffer.concat(content).toString('latin1'),
    isDone: deframer.isDone,
    hasSurplus: deframer.hasSurplus,
  }
}

/** The same bytes, cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map(place => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...sorted].map((place, at) => bytes.subarray(place, sorted[at] ?? bytes.length))
}

describe('a body in chunks', () => {
  const whole = '5;a="b;c"\r\nhello\r\n006 \t\r\n world\r\n0;x\r\nA: b\r\nC: d\r\n\r\n'

  it('is the same wherever it is cut', () => {
    for (let first = 0; first <= whole.length; first += 1) {
      for (let second = first; second <= whole.length; second += 1) {
        const pieces = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)]
        expect(deframe(chunked, pieces)).toEqual({ content: 'hello world', isDone: true, hasSurplus: false })
      }
    }
  })

  it('is the same whatever its content, its chunks, their extensions, its trailers and the cuts', () => {
    const extension = fc.constantFrom('', ';a', ';a=b', ' ;a="\r b"'.replace('\r', ''), '\t')
    const chunk = fc.record({
      content: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      extension,
      inCapitals: fc.boolean(),
      zeros: fc.constantFrom('', '0', '0000'),
    })
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        fc.array(fc.constantFrom('A: b', 'Digest: sha256:x', 'c:'), { maxLength: 3 }),
        fc.array(fc.nat(5000), { maxLength: 20 }),
        fc.uint8Array({ maxLength: 3 }),
        (chunks, trailers, places, surplus) => {
          const framed = chunks.map(({ content, extension, inCapitals, zeros }) => {
            const size = `${zeros}${content.length.toString(16)}`
            return Buffer.concat([
              Buffer.from(`${inCapitals ? size.toUpperCase() : size}${extension}\r\n`),
              content,
              Buffer.from('\r\n'),
            ])
          })
          const end = Buffer.from(`0\r\n${trailers.map(line => `${line}\r\n`).join('')}\r\n`)
          expect(deframe(chunked, cut(Buffer.concat([...framed, end, surplus]), places))).toEqual({
            content: Buffer.concat(chunks.map(({ content }) => content)).toString('latin1'),
            isDone: true,
            hasSurplus: surplus.length > 0,
          })
        },
      ),
      { numRuns: 500 },
    )
  })

  it('is not done at any place before its end', () => {
    for (let at = 0; at < whole.length; at += 1) {
      expect(deframe(chunked, [whole.slice(0, at)]).isDone).toBe(false)
    }
  })

  it('may be empty', () => {
    expect(deframe(chunked, ['0\r\n\r\n'])).toEqual({ content: '', isDone: true, hasSurplus: false })
  })

  it('gives parts of the memory that came, and no copies', () => {
    const input = Buffer.from('5\r\nhello\r\n')
    const [part] = [...new Deframer(chunked).pieces(input)]
    expect(part?.buffer).toBe(input.buffer)
    expect(part?.byteOffset).toBe(input.byteOffset + 3)
  })

  it.each([
    ['no size', '\r\nhello'],
    ['a size that is none', 'x\r\n'],
    ['a negative size', '-5\r\n'],
    ['a size with a sign', '+5\r\n'],
    ['a size in another notation', '0x5\r\n'],
    ['a blank before the size', ' 5\r\n'],
    ['something else behind the size', '5 x\r\n'],
    ['a size that no number holds', 'fffffffffffffffff\r\n'],
    ['a size line that ends in a bare LF', '5\nhello'],
    ['a size line with a bare CR', '5;a\rb\r\nhello'],
    ['a chunk that is longer than its size', '5\r\nhellooo\r\n'],
    ['a chunk that ends in a bare LF', '5\r\nhello\n0\r\n\r\n'],
    ['the next size right behind a chunk', '5\r\nhello5\r\n'],
    ['trailers that end in a bare LF', '0\r\n\n'],
    ['an extension without end', `5;${'a'.repeat(20_000)}`],
    ['a chunk without end of line', `1\r\na${'b'.repeat(20_000)}`],
    ['a trailer without end', `0\r\n${'a'.repeat(20_000)}`],
    ['trailers without end', `0\r\n${'a: b\r\n'.repeat(4000)}`],
  ])('is none with %s, in one piece or byte by byte', (_, text) => {
    expect(() => deframe(chunked, [text])).toThrow(MalformedAnswer)
    expect(() => deframe(chunked, text)).toThrow(MalformedAnswer)
  })

  it('may have any number of chunks with extensions', () => {
    const text = `1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(100)
    expect(deframe(chunked, [text]).content).toBe('x'.repeat(100))
  })
})

describe('a body with a length', () => {
  it('is the same wherever it is cut, and what comes behind it is surplus', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 3 }),
        fc.array(fc.nat(300), { maxLength: 9 }),
        (content, surplus, places) => {
          const pieces = cut(Buffer.concat([content, surplus]), places)
          expect(deframe({ kind: 'length', bytes: content.length }, pieces)).toEqual({
            content: Buffer.from(content).toString('latin1'),
            isDone: true,
            hasSurplus: surplus.length > 0,
          })
        },
      ),
    )
  })

  it('is done at once where the length is 0, and not done before it is whole', () => {
    expect(new Deframer({ kind: 'length', bytes: 0 }).isDone).toBe(true)
    expect(deframe({ kind: 'length', bytes: 6 }, ['hello']).isDone).toBe(false)
  })
})

describe('a body that ends with the connection', () => {
  it('is all that comes, and is never done by itself', () => {
    expect(deframe({ kind: 'close' }, ['0\r\n', '\r\n', 'more'])).toEqual({
      content: '0\r\n\r\nmore',
      isDone: false,
      hasSurplus: false,
    })
  })
})

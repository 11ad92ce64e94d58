import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { collect, verified } from '../../src/oci/content.ts'
import { type DigestAlgorithm, DigestCounter, digestOf } from '../../src/oci/digest.ts'

async function* stream(...pieces: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

const descriptorFor = (content: string, algorithm?: DigestAlgorithm) => ({
  mediaType: 'application/octet-stream',
  digest: digestOf(content, algorithm),
  size: Buffer.byteLength(content),
})

/** What was given out, and the error that ended it, if one did. */
async function drain(chunks: AsyncIterable<Uint8Array>): Promise<{ text: string; error?: unknown }> {
  let text = ''
  try {
    for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  } catch (error) {
    return { text, error }
  }
  return { text }
}

const integrity = (why: string) =>
  expect.objectContaining({ code: 'INTEGRITY', message: expect.stringContaining(why) })

describe('verified', () => {
  it.each([['sha256'], ['sha512']] as const)(
    'gives out content with the right %s digest and size',
    async algorithm => {
      const given = await drain(verified(stream('one ', 'two'), descriptorFor('one two', algorithm), 'blob'))
      expect(given).toEqual({ text: 'one two' })
    },
  )

  it('leaves out empty pieces', async () => {
    const pieces: number[] = []
    for await (const chunk of verified(stream('', 'a', '', 'b', ''), descriptorFor('ab'), 'blob')) {
      pieces.push(chunk.length)
    }
    expect(pieces).toEqual([1, 1])
  })

  it('gives out nothing for empty content, and checks its digest', async () => {
    expect(await drain(verified(stream(), descriptorFor(''), 'blob'))).toEqual({ text: '' })
    expect(await drain(verified(stream('', ''), descriptorFor(''), 'blob'))).toEqual({ text: '' })
    const wrong = { ...descriptorFor('x'), size: 0 }
    expect(await drain(verified(stream(), wrong, 'blob'))).toEqual({
      text: '',
      error: integrity(`blob: the content has digest ${digestOf('')}, not ${wrong.digest}`),
    })
  })

  it('withholds the last piece of content with another digest', async () => {
    const wrong = { ...descriptorFor('one two'), digest: digestOf('other') }
    expect(await drain(verified(stream('one ', 'two'), wrong, 'blob'))).toEqual({
      text: 'one ',
      error: integrity(`blob: the content has digest ${digestOf('one two')}, not ${wrong.digest}`),
    })
  })

  it('ends in an error when content ends too soon', async () => {
    expect(await drain(verified(stream('one '), descriptorFor('one two'), 'blob'))).toEqual({
      text: 'one ',
      error: integrity('blob: ended after 4 of 7 bytes'),
    })
    expect((await drain(verified(stream(), descriptorFor('one two'), 'blob'))).error).toEqual(
      integrity('ended after 0 of 7 bytes'),
    )
  })

  it('ends in an error when more comes, within a piece or after the right content', async () => {
    const more = integrity('blob: more than the 7 bytes that its descriptor says')
    expect(await drain(verified(stream('one ', 'two!'), descriptorFor('one two'), 'blob'))).toEqual({
      text: 'one ',
      error: more,
    })
    expect(await drain(verified(stream('one ', 'two', '!'), descriptorFor('one two'), 'blob'))).toEqual({
      text: 'one two',
      error: more,
    })
    expect((await drain(verified(stream('!'), descriptorFor(''), 'blob'))).error).toEqual(
      integrity('more than the 0 bytes'),
    )
  })

  it('passes the error of a broken stream on as it is', async () => {
    const broken = new Error('cut')
    async function* source() {
      yield Buffer.from('one ')
      throw broken
    }
    const given = await drain(verified(source(), descriptorFor('one two'), 'blob'))
    expect(given.text).toBe('one ')
    expect(given.error).toBe(broken)
  })

  it('closes its source when the reader stops, or when the content is wrong', async () => {
    let closed = 0
    async function* source() {
      try {
        yield Buffer.from('one ')
        yield Buffer.from('TWO')
        yield Buffer.from('!')
      } finally {
        closed += 1
      }
    }
    for await (const _ of verified(source(), descriptorFor('one two'), 'blob')) break
    expect(closed).toBe(1)
    expect((await drain(verified(source(), descriptorFor('one two'), 'blob'))).error).toBeInstanceOf(
      DrayError,
    )
    expect(closed).toBe(2)
  })

  it('goes on with a digest and a count of what came before', async () => {
    const before = new DigestCounter()
    before.add(Buffer.from('one '))
    const counted: number[] = []
    const onCounted = ({ bytes }: DigestCounter) => counted.push(bytes)
    const rest = verified(stream('t', 'wo'), descriptorFor('one two'), 'blob', { counter: before, onCounted })
    expect(await drain(rest)).toEqual({ text: 'two' })
    expect(counted).toEqual([5, 7])
  })

  it('refuses what does not go with what came before', async () => {
    const before = new DigestCounter()
    before.add(Buffer.from('ONE '))
    const rest = verified(stream('t', 'wo'), descriptorFor('one two'), 'blob', { counter: before })
    expect(await drain(rest)).toEqual({ text: 't', error: integrity('blob: the content has digest') })
  })

  it('never gives out the whole of wrong content, in whatever pieces it comes', async () => {
    const piece = fc.uint8Array({ maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.array(piece, { maxLength: 8 }),
        async (right, sent) => {
          const whole = Buffer.concat(right)
          const descriptor = { mediaType: '', digest: digestOf(whole), size: whole.length }
          const given: Uint8Array[] = []
          try {
            for await (const chunk of verified(stream(...sent), descriptor, 'blob')) given.push(chunk)
            expect(Buffer.compare(Buffer.concat(given), whole)).toBe(0)
          } catch (error) {
            if (!(error instanceof DrayError)) throw error
            const out = Buffer.concat(given)
            if (out.length >= whole.length) expect(Buffer.compare(out, whole)).toBe(0)
          }
        },
      ),
    )
  })
})

describe('collect', () => {
  it('joins pieces, up to as many bytes as the limit', async () => {
    expect((await collect(stream('one ', '', 'two'), 7, 'manifest')).toString()).toBe('one two')
    expect((await collect(stream(), 0, 'manifest')).length).toBe(0)
  })

  it('stops reading at the first byte over the limit, and closes its source', async () => {
    let pulled = 0
    let closed = false
    async function* endless() {
      try {
        for (;;) {
          pulled += 1
          yield Buffer.alloc(10)
        }
      } finally {
        closed = true
      }
    }
    await expect(collect(endless(), 25, 'manifest')).rejects.toEqual(
      integrity('manifest: more than 25 bytes, which is the limit'),
    )
    expect([pulled, closed]).toEqual([3, true])
  })
})

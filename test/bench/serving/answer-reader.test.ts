import { expect, it } from 'vitest'
import { AnswerReader } from './answer-reader.ts'

const answers: readonly { what: string; method?: string; text: string; expected: object }[] = [
  {
    what: 'a body of a known length',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    expected: { status: 200, bytes: 5, location: undefined },
  },
  {
    what: 'chunks',
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    expected: { status: 200, bytes: 15 },
  },
  {
    what: 'no body after a HEAD',
    method: 'HEAD',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    expected: { status: 200, bytes: 0 },
  },
  {
    what: 'no body where there can be none',
    text: 'HTTP/1.1 204 No Content\r\nLocation: /v2/a/b?c=d\r\n\r\n',
    expected: { status: 204, bytes: 0, location: '/v2/a/b?c=d' },
  },
  {
    what: 'an empty body',
    text: 'HTTP/1.1 202 Accepted\r\nlocation: http://a/b\r\nContent-Length: 0\r\n\r\n',
    expected: { status: 202, bytes: 0, location: 'http://a/b' },
  },
]

it.each(answers)(
  '$what: the end of an answer is found, however it is cut',
  ({ method = 'GET', text, expected }) => {
    const bytes = Buffer.from(text)
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const reader = new AnswerReader(method)
      expect(reader.take(bytes.subarray(0, cut))).toBe(false)
      expect(reader.take(bytes.subarray(cut))).toBe(true)
      expect(reader).toMatchObject(expected)
    }
  },
)

it('an answer that comes byte by byte is found to end with its last one', () => {
  for (const { method = 'GET', text, expected } of answers) {
    const reader = new AnswerReader(method)
    const ends = Array.from(text, character => reader.take(Buffer.from(character)))
    expect(ends.indexOf(true)).toBe(text.length - 1)
    expect(reader).toMatchObject(expected)
  }
})

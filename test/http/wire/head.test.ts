import { describe, expect, it } from 'vitest'
import { MalformedAnswer, NotHttp, parseHead } from '../../../src/http/wire/head.ts'
import { HeadReader } from '../../../src/http/wire/head-reader.ts'

const head = (...lines: string[]) => lines.join('\r\n')
const parse = (lines: string[], method = 'GET') => parseHead(head(...lines), method)

describe('the head of an answer', () => {
  it('is its status and its headers, whose names are asked for in lower case', () => {
    const { status, headers } = parse([
      'HTTP/1.1 206 Partial Content',
      'Content-Type: \t text/plain \t',
      'A:b',
    ])
    expect(status).toBe(206)
    expect(headers.get('content-type')).toBe('text/plain')
    expect(headers.get('a')).toBe('b')
    expect(headers.get('b')).toBeUndefined()
  })

  it.each([
    ['HTTP/1.1 200 OK', 200],
    ['HTTP/1.1 200 ', 200],
    ['HTTP/1.1 200', 200],
    ['HTTP/1.0 404 Not Found', 404],
    ['HTTP/1.1 599 \xe4\x00 odd', 599],
    ['HTTP/1.1 999 x', 999],
  ])('may begin with %j', (line, status) => expect(parse([line]).status).toBe(status))

  it.each([
    '',
    'HTTP/1.1',
    'HTTP/1.1 ',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.2 200 OK',
    'HTTP/2 200 OK',
    'HTTP/2.0 200 OK',
    'http/1.1 200 OK',
    ' HTTP/1.1 200 OK',
    'ICY 200 OK',
    'SSH-2.0-OpenSSH',
  ])('does not begin with %j', line => expect(() => parse([line])).toThrow(MalformedAnswer))

  it('keeps each line of a header that comes more than once', () => {
    const { headers } = parse([
      'HTTP/1.1 401 x',
      'Www-Authenticate: Basic',
      'x: 1',
      'www-authenticate: Bearer',
    ])
    expect(headers.all('www-authenticate')).toEqual(['Basic', 'Bearer'])
    expect(headers.get('www-authenticate')).toBe('Basic, Bearer')
  })

  it.each(['__proto__', 'constructor', 'toString'])(
    'may have a header named %s, which is nothing special',
    name => {
      expect(parse(['HTTP/1.1 200 OK']).headers.get(name.toLowerCase())).toBeUndefined()
      expect(parse(['HTTP/1.1 200 OK', `${name}: x`]).headers.get(name.toLowerCase())).toBe('x')
    },
  )

  it('joins lines that were folded', () => {
    const { headers } = parse(['HTTP/1.1 200 OK', 'Link: <a>;', '   rel="next"', '\t; x', 'b: c'])
    expect(headers.get('link')).toBe('<a>; rel="next" ; x')
    expect(headers.get('b')).toBe('c')
  })

  it('may hold what is beyond ASCII, and empty values', () => {
    const { headers } = parse(['HTTP/1.1 200 OK', 'a: gr\xfc\xdfe\xa0', 'b:', 'c: \t '])
    expect(headers.get('a')).toBe('gr\xfc\xdfe\xa0')
    expect(headers.get('b')).toBe('')
    expect(headers.get('c')).toBe('')
  })

  it.each([
    'no colon',
    ': no name',
    'a b: blank in the name',
    'a : blank behind the name',
    'gr\xfcn: beyond ASCII in the name',
    'a: b\x00c',
    'a: b\rc',
    'a: b\nc: d',
    'a: \x7f',
    'a: \x1b[31m',
  ])('has no line %j', line => expect(() => parse(['HTTP/1.1 200 OK', line])).toThrow(MalformedAnswer))

  it('takes no longer for blanks in a value than for letters', () => {
    const start = performance.now()
    const blanks = ' '.repeat(60_000)
    expect(parse(['HTTP/1.1 200 OK', `a:${blanks}b${blanks}`]).headers.get('a')).toBe('b')
    expect(() => parse(['HTTP/1.1 200 OK', `a:${blanks}\x00`])).toThrow(MalformedAnswer)
    expect(parse(['HTTP/1.1 200 OK', ...Array(15_000).fill('a:')]).headers.all('a').length).toBe(15_000)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('the end of a body is told', () => {
  const length = (bytes: number) => ({ kind: 'length', bytes })
  const chunked = { kind: 'chunked' }
  const close = { kind: 'close' }

  it.each<[what: string, lines: string[], framing: object, keepsAlive: boolean]>([
    ['by a length', ['Content-Length: 5'], length(5), true],
    ['by a length of nothing', ['Content-Length: 0'], length(0), true],
    ['by a length with zeros in front', ['Content-Length: 0005'], length(5), true],
    ['by a huge length', ['Content-Length: 999999999999999'], length(999_999_999_999_999), true],
    ['by a length that is said twice', ['Content-Length: 5', 'content-length: 5'], length(5), true],
    ['by a length that is said twice in one line', ['Content-Length: 5 , 5'], length(5), true],
    ['by chunks', ['Transfer-Encoding: chunked'], chunked, true],
    ['by chunks in capitals', ['Transfer-Encoding: CHUNKED'], chunked, true],
    ['by the end of the connection', [], close, false],
    [
      'by chunks where there is a length too, and is not trusted then',
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      chunked,
      false,
    ],
    ['so with Connection: close', ['Content-Length: 5', 'Connection: close'], length(5), false],
    ['so with close among others', ['Content-Length: 5', 'Connection: x, CLOSE'], length(5), false],
    [
      'so with close in a second line',
      ['Content-Length: 5', 'Connection: x', 'connection: close'],
      length(5),
      false,
    ],
    [
      'so with a token that only looks like close',
      ['Content-Length: 5', 'Connection: closed'],
      length(5),
      true,
    ],
  ])('%s', (_, lines, framing, keepsAlive) => {
    expect(parse(['HTTP/1.1 200 OK', ...lines])).toMatchObject({ framing, keepsAlive })
  })

  it.each<[lines: string[], framing: object, keepsAlive: boolean]>([
    [['Content-Length: 5'], length(5), false],
    [['Content-Length: 5', 'Connection: keep-alive'], length(5), true],
    [['Content-Length: 5', 'Connection: keep-alive, close'], length(5), false],
    [['Connection: keep-alive'], close, false],
  ])('by HTTP/1.0 with %j', (lines, framing, keepsAlive) => {
    expect(parse(['HTTP/1.0 200 OK', ...lines])).toMatchObject({ framing, keepsAlive })
  })

  it.each([
    ['HEAD', 200],
    ['GET', 204],
    ['PUT', 204],
    ['GET', 304],
    ['GET', 100],
    ['GET', 103],
  ])('by there being none: %s, %i', (method, status) => {
    for (const line of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Content-Length: no', 'a: b']) {
      expect(parse([`HTTP/1.1 ${status} x`, line], method)).toMatchObject({
        framing: length(0),
        keepsAlive: true,
      })
    }
  })

  it.each([
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: 5, 6'],
    ['Content-Length: 5,'],
    ['Content-Length: '],
    ['Content-Length: -1'],
    ['Content-Length: +5'],
    ['Content-Length: 5.0'],
    ['Content-Length: 0x10'],
    ['Content-Length: 5 bytes'],
    ['Content-Length: 1e3'],
    ['Content-Length: 9999999999999999'],
    ['Content-Length: \xb2'],
    ['Transfer-Encoding: gzip'],
    ['Transfer-Encoding: gzip, chunked'],
    ['Transfer-Encoding: chunked, chunked'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: identity'],
    ['Transfer-Encoding: '],
    ['Transfer-Encoding: xchunked'],
  ])('by none of these: %j %j', (...lines) =>
    expect(() => parse(['HTTP/1.1 200 OK', ...lines.filter(line => line !== undefined)])).toThrow(
      MalformedAnswer,
    ),
  )

  it('by no chunks in HTTP/1.0', () =>
    expect(() => parse(['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'])).toThrow(MalformedAnswer))
})

describe('the bytes of a head', () => {
  const read = (...pieces: string[]) => {
    const reader = new HeadReader('GET')
    let found: ReturnType<HeadReader['read']>
    for (const piece of pieces) {
      expect(found).toBeUndefined()
      found = reader.read(Buffer.from(piece, 'latin1'))
    }
    return found && { status: found.head.status, rest: Buffer.from(found.rest).toString('latin1') }
  }
  const whole = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n'

  it('may come in two parts, cut anywhere, behind one that says that it is to come', () => {
    for (let at = 1; at < whole.length; at += 1) {
      expect(read(whole.slice(0, at), `${whole.slice(at)}body`)).toEqual({ status: 200, rest: 'body' })
    }
  })

  it('may come one by one', () => {
    expect(read(...whole)).toEqual({ status: 200, rest: '' })
  })

  it('cost no more when they come one by one', () => {
    const reader = new HeadReader('GET')
    const start = performance.now()
    const long = Buffer.from(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(5000)}c: ${'d'.repeat(30_000)}\r\n\r\n`)
    let found: unknown
    for (let at = 0; at < long.length; at += 1) found = reader.read(long.subarray(at, at + 1))
    expect(found).toBeDefined()
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('are refused as soon as they cannot be HTTP', () => {
    for (const start of ['S', 'HTTQ', 'HTTP/2', '\r\n', '\n', '\x15\x03\x01']) {
      expect(() => read(start)).toThrow(NotHttp)
    }
  })

  it.each([
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'HTTP/1.1 200 OK\r\na: b\n\r\n',
    'HTTP/1.1 200 OK\r\n\n',
  ])('have no line that ends in a bare LF: %j', text =>
    expect(() => read(text)).toThrow(/does not end in CRLF/),
  )

  it('are no more than 64 KiB, in one piece or in many', () => {
    const start = 'HTTP/1.1 200 OK\r\na: '
    const fits = `${start}${'b'.repeat(65_536 - start.length - 4)}\r\n\r\n`
    expect(read(fits)).toEqual({ status: 200, rest: '' })
    expect(() => read(fits.replace('b', 'bb'))).toThrow(/too long/)
    expect(() => read(start, ...Array(66).fill('b'.repeat(1000)))).toThrow(/too long/)
    expect(() => read(start, ...Array(20_000).fill('\r\na:b'))).toThrow(/too long/)
  })

  it('do not switch to another protocol', () => {
    expect(() => read('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n')).toThrow(/another protocol/)
  })

  it('may pass thousands of heads that say that it is to come', () => {
    expect(read(`${'HTTP/1.1 102 Wait\r\n\r\n'.repeat(20_000)}HTTP/1.1 204 x\r\n\r\n`)).toEqual({
      status: 204,
      rest: '',
    })
  })
})

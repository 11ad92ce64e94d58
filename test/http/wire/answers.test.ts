import { describe, expect, it } from 'vitest'
import { pour } from '../../../src/flow.ts'
import { gate, meet, type Peer, text } from './raw-server.ts'

/** A script that answers each request on a connection with the same bytes. */
const always = (answer: string) => async (peer: Peer) => {
  for (;;) {
    await peer.whole()
    await peer.write(answer)
  }
}

const five = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('a request on the wire', () => {
  it('is its line, the host, its headers and no more', async () => {
    const seen: string[] = []
    await using meeting = await meet(async peer => {
      seen.push(await peer.request())
      await peer.write(five)
    })
    const answer = await meeting.ask({
      path: '/v2/a/blobs/x?digest=sha256:1&b=%20c%2F#part',
      headers: { accept: '*/*', 'x-odd': '\xe4 \t~' },
    })
    expect(await text(answer.body)).toBe('hello')
    const { host } = meeting.server
    expect(seen).toEqual([
      `GET /v2/a/blobs/x?digest=sha256:1&b=%20c%2F HTTP/1.1\r\nhost: ${host}\r\naccept: */*\r\nx-odd: \xe4 \t~`,
    ])
    expect(answer.url.href).toBe(`${meeting.server.url}/v2/a/blobs/x?digest=sha256:1&b=%20c%2F#part`)
  })

  it.each([
    ['GET', undefined, undefined],
    ['HEAD', undefined, undefined],
    ['DELETE', undefined, undefined],
    ['POST', undefined, '0'],
    ['PUT', undefined, '0'],
    ['PATCH', undefined, '0'],
    ['PUT', '', '0'],
    ['PUT', 'bytes', '5'],
    ['DELETE', 'bytes', '5'],
  ] as const)('says with %s and body %j a length of %s', async (method, body, length) => {
    const seen = gate<{ head: string; body: Buffer }>()
    await using meeting = await meet(async peer => {
      seen.open(await peer.whole())
      await peer.write('HTTP/1.1 204 No Content\r\n\r\n')
    })
    const answer = await meeting.ask({ method, body: body === undefined ? undefined : Buffer.from(body) })
    expect(answer.status).toBe(204)
    const { head, body: sent } = await seen.passed
    expect(/content-length: (.*)/.exec(head)?.[1]).toBe(length)
    expect(sent.toString()).toBe(body ?? '')
  })

  it.each([
    ['a value that begins another header', { a: 'b\r\nc: d' }],
    ['a bare LF in a value', { a: 'b\nc' }],
    ['a NUL in a value', { a: 'b\0' }],
    ['what latin1 does not hold', { a: '\u0100' }],
    ['a name that ends a line', { 'a: b\r\nc': 'd' }],
    ['a name with a blank', { 'a b': 'c' }],
    ['no name', { '': 'c' }],
    ['a second length', { 'Content-Length': '5' }],
    ['a transfer-encoding', { 'transfer-encoding': 'chunked' }],
    ['a second host', { host: 'elsewhere' }],
  ])('is not sent with %s', async (_, headers) => {
    await using meeting = await meet(always(five))
    await expect(meeting.ask({ headers: headers as Record<string, string> })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(
        /^cannot send the request to 127\.0\.0\.1:\d+: invalid [\x21-\x7e]* header$/,
      ),
    })
    // No byte of it went out: what the server sees is the next one.
    expect(await text((await meeting.ask()).body)).toBe('hello')
  })
})

describe('an answer', () => {
  it.each([
    ['with a length', five],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n',
    ],
    ['until the connection ends', 'HTTP/1.1 200 OK\r\n\r\nhello'],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nhello'],
    [
      'behind others that say that it is to come',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: <a>\r\n\r\n${five}`,
    ],
  ])('%s may come whole, or byte by byte', async (_, answer) => {
    await using meeting = await meet(async peer => {
      const head = await peer.request()
      if (head.startsWith('GET /whole')) await peer.write(answer)
      else for (const byte of answer) await peer.write(byte)
      peer.socket.end()
    })
    for (const path of ['/whole', '/bytes']) {
      const { status, body } = await meeting.ask({ path })
      expect(status).toBe(200)
      expect(await text(body)).toBe('hello')
    }
  })

  it('to HEAD has the length of a body that does not come', async () => {
    await using meeting = await meet(always('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'))
    for (let at = 0; at < 2; at += 1) {
      const { headers, body } = await meeting.ask({ method: 'HEAD' })
      expect(headers.get('content-length')).toBe('1000')
      expect(await text(body)).toBe('')
    }
    expect(meeting.server.peers.length).toBe(1)
  })

  it('is read by an iteration or poured, but once', async () => {
    await using meeting = await meet(always(five))
    const { body } = await meeting.ask()
    expect(await text(body)).toBe('hello')
    await expect(text(body)).rejects.toThrow('can be read once')
    const given = await meeting.ask()
    await given.discard()
    await expect(pour(given.body, () => undefined)).rejects.toThrow('can be read once')
  })

  it('ends with what its taker throws, at once or later', async () => {
    await using meeting = await meet(always(five))
    const fault = new Error('no room')
    const throwing = () => {
      throw fault
    }
    await expect(pour((await meeting.ask()).body, throwing)).rejects.toBe(fault)
    await expect(pour((await meeting.ask()).body, () => Promise.reject(fault))).rejects.toBe(fault)
    await Promise.all(meeting.server.peers.map(peer => peer.closed))
  })

  it('ends where its reader leaves', async () => {
    await using meeting = await meet(async peer => {
      await peer.request()
      while (!peer.socket.destroyed) await peer.write('HTTP/1.1 200 OK\r\n\r\nhello')
    })
    for await (const _ of (await meeting.ask()).body) break
    await meeting.server.peers[0]?.closed
  })
})

describe('an answer that nobody wants', () => {
  it.each([
    ['is empty', 0],
    ['is small', 1000],
    ['is as large as is read', 64 * 1024],
  ])('leaves its connection to the next request where it %s', async (_, length) => {
    await using meeting = await meet(
      always(`HTTP/1.1 404 Not Found\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`),
    )
    for (let at = 0; at < 3; at += 1) await (await meeting.ask()).discard()
    expect(meeting.server.peers.length).toBe(1)
  })

  it.each([
    ['a length', 'Content-Length: 999999999'],
    ['no end', 'a: b'],
  ])('is cut off where it is large, with %s', async (_, header) => {
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`)
      while (!peer.socket.destroyed) await peer.write(Buffer.alloc(10_000))
    })
    await (await meeting.ask()).discard()
    await meeting.server.peers[0]?.closed
  })

  it.each([
    ['breaks', (peer: Peer) => peer.socket.resetAndDestroy()],
    ['is malformed', (peer: Peer) => peer.write('x')],
    ['stalls', () => undefined],
  ])('does no harm where it %s', async (_, fault) => {
    await using meeting = await meet(
      async peer => {
        await peer.request()
        await peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
        await fault(peer)
      },
      { wire: { timeoutMs: 50 } },
    )
    await (await meeting.ask()).discard()
    await meeting.server.peers[0]?.closed
  })

  it('may be given up again, or after it was read', async () => {
    await using meeting = await meet(always(five))
    const answer = await meeting.ask()
    expect(await text(answer.body)).toBe('hello')
    await answer.discard()
    await answer.discard()
  })
})

describe('a server that', () => {
  /** What the client makes of bytes after which the server ends, resets or stays. */
  const told = async (answer: string, how: 'end' | 'reset' | 'stay') => {
    await using meeting = await meet(
      async peer => {
        await peer.request()
        await peer.write(answer)
        if (how === 'end') peer.socket.end()
        if (how === 'reset') peer.socket.resetAndDestroy()
      },
      { wire: { timeoutMs: 100 } },
    )
    const outcome = await meeting
      .ask()
      .then(({ body }) => text(body))
      .catch((error: unknown) => error)
    await meeting.server.peers[0]?.closed
    return outcome
  }

  const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'
  const closedIt = 'the other side closed the connection'
  const early = 'the answer ended early'

  it.each<[what: string, answer: string, how: 'end' | 'reset', why: string]>([
    ['ends before an answer', '', 'end', closedIt],
    ['ends in the middle of a head', 'HTTP/1.1 200 O', 'end', early],
    ['ends behind a head that says that it is to come', 'HTTP/1.1 100 Continue\r\n\r\n', 'end', early],
    ['ends before a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'end', early],
    [
      'ends in the middle of a body with a length',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell',
      'end',
      early,
    ],
    ['ends in the middle of a chunk', chunks, 'end', early],
    ['ends before the last chunk', `${chunks}lo\r\n`, 'end', early],
    ['ends in the middle of trailers', `${chunks}lo\r\n0\r\nA: b\r\n`, 'end', early],
    ['resets before an answer', '', 'reset', 'the connection was reset'],
    // Older versions of libuv take a reset that comes with the last bytes for an end.
    [
      'resets in the middle of a head',
      'HTTP/1.1 200 O',
      'reset',
      '(the connection was reset|the answer ended early)',
    ],
  ])('%s has broken the connection', async (_, answer, how, why) => {
    expect(await told(answer, how)).toMatchObject({
      code: 'NETWORK',
      fault: 'broken',
      message: expect.stringMatching(new RegExp(`^cannot reach 127\\.0\\.0\\.1:\\d+: ${why}$`)),
    })
  })

  it.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'],
    ['in chunks', chunks],
    ['until the connection ends', 'HTTP/1.1 200 OK\r\n\r\nhell'],
  ])('resets in the middle of a body %s has broken the connection', async (_, answer) => {
    const read = gate()
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(answer)
      await read.passed
      peer.socket.resetAndDestroy()
    })
    const { body } = await meeting.ask()
    const reading = pour(body, () => {
      read.open()
      return undefined
    })
    await expect(reading).rejects.toMatchObject({ fault: 'broken', message: /the connection was reset/ })
  })

  it.each<[what: string, answer: string, why: RegExp]>([
    ['ends lines with bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', /malformed HTTP/],
    [
      'has two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
      /malformed HTTP/,
    ],
    ['switches to another protocol', 'HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n', /another protocol/],
    ['sends an endless head', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(70_000)}`, /its head is too long/],
    ['has a chunk without a size', `${chunks}lo\r\nx\r\n`, /malformed HTTP: the size of a chunk is "x"/],
    ['has a chunk that is too long', `${chunks}lo!\r\n`, /malformed HTTP: a chunk is longer/],
  ])('%s is not waited for', async (_, answer, why) => {
    expect(await told(answer, 'stay')).toMatchObject({ code: 'NETWORK', fault: 'broken', message: why })
  })

  it.each<[what: string, answer: string, fault: string, why: RegExp]>([
    ['says another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'unreachable', /does not answer in HTTP$/],
    [
      'says another protocol in lines of its own',
      '-ERR unknown\n',
      'unreachable',
      /does not answer in HTTP$/,
    ],
    ['speaks TLS', '\x15\x03\x01\x00\x02\x02\x46', 'refused-tls', /speaks TLS, and was asked in plain HTTP$/],
  ])('%s is not waited for, nor asked again', async (_, answer, fault, why) => {
    expect(await told(answer, 'stay')).toMatchObject({ code: 'NETWORK', fault, message: why })
  })

  it.each<[what: string, answer: string, why: RegExp]>([
    ['sends nothing', '', /no answer came in time/],
    ['stalls in the middle of a head', 'HTTP/1.1 200', /no answer came in time/],
    ['stalls behind a head that says that it is to come', 'HTTP/1.1 100 x\r\n\r\n', /no answer came in time/],
    ['stalls before a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', /the answer stalled/],
    [
      'stalls in the middle of a body',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell',
      /the answer stalled/,
    ],
    ['stalls in the middle of a chunk', chunks, /the answer stalled/],
    ['stalls before the last chunk', `${chunks}lo\r\n`, /the answer stalled/],
    ['stalls where no end is told', 'HTTP/1.1 200 OK\r\n\r\nhell', /the answer stalled/],
  ])('%s is given up in time', async (_, answer, why) => {
    expect(await told(answer, 'stay')).toMatchObject({ code: 'TIMEOUT', fault: 'timeout', message: why })
  })

  it('goes on saying that the answer is to come is given up in time', async () => {
    await using meeting = await meet(
      async peer => {
        await peer.request()
        while (!peer.socket.destroyed) await peer.write('HTTP/1.1 102 Processing\r\n\r\n')
      },
      { wire: { timeoutMs: 50 } },
    )
    await expect(meeting.ask()).rejects.toMatchObject({ message: /no answer came in time/ })
  })
})

describe('a wait for a body', () => {
  it('is no wait while the taker is busy, from the first piece on', async () => {
    await using meeting = await meet(always(five), { wire: { timeoutMs: 40 } })
    const { body } = await meeting.ask()
    // All of the body is there before it is read; then its taker is slower than any wait may be.
    await new Promise(resolve => setTimeout(resolve, 20))
    let content = ''
    await pour(body, async piece => {
      await new Promise(resolve => setTimeout(resolve, 100))
      content += Buffer.from(piece).toString()
    })
    expect(content).toBe('hello')
  })

  it('does not begin before it is read', async () => {
    await using meeting = await meet(always(five), { wire: { timeoutMs: 20 } })
    const { body } = await meeting.ask()
    await new Promise(resolve => setTimeout(resolve, 60))
    expect(await text(body)).toBe('hello')
  })

  it('begins anew with each piece', async () => {
    await using meeting = await meet(
      async peer => {
        await peer.request()
        await peer.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n')
        for (let at = 0; at < 10; at += 1) {
          await new Promise(resolve => setTimeout(resolve, 20))
          await peer.write('x')
        }
      },
      { wire: { timeoutMs: 120 } },
    )
    expect(await text((await meeting.ask()).body)).toBe('xxxxxxxxxx')
  })
})

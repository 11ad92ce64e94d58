import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleBlob } from '../support/sample-image.ts'

const { digest } = sampleBlob('some').descriptor

function open({ server }: EmbeddedRegistry): Socket {
  const socket = connect({ host: '127.0.0.1', port: server.port })
  // To be cut off is what some tests are about.
  socket.on('error', () => {})
  return socket
}

/** All that comes for what is sent, until the connection is closed. */
async function answersTo(registry: EmbeddedRegistry, sent: string | Buffer): Promise<string> {
  const socket = open(registry)
  let all = ''
  socket.on('data', (chunk: Buffer) => {
    all += chunk.toString('latin1')
  })
  socket.write(sent)
  await once(socket, 'close')
  return all
}

const lines = (...all: string[]) => [...all, '', ''].join('\r\n')
const statusesIn = (answers: string) =>
  [...answers.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)

describe('a path', () => {
  it.each(['/v2/\x00', '/v2/a b', '/v2/\x7f', 'v2/', ''])('that is none is refused: %j', async path => {
    await using registry = await startEmbeddedRegistry()
    const answers = await answersTo(registry, lines(`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close'))
    expect(statusesIn(answers)).toEqual([expect.stringMatching(/^40[04]$/)])
  })
})

/** What would be answered if a part of the request before it were taken for a request. */
const smuggled = lines('GET /healthz HTTP/1.1', 'Host: x', 'Connection: close')
const post = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1`

describe('where a request ends is not a matter of opinion:', () => {
  it.each<[string, readonly string[]]>([
    ['a length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['two equal lengths', ['Content-Length: 4', 'Content-Length: 4']],
    ['a list of lengths', ['Content-Length: 4, 5']],
    ['a length with a sign', ['Content-Length: +4']],
    ['a negative length', ['Content-Length: -4']],
    ['a hexadecimal length', ['Content-Length: 0x4']],
    ['a length that is too large for a number', ['Content-Length: 99999999999999999999']],
    ['a blank before the colon', ['Content-Length : 4']],
    ['a folded line', ['Content-Length:', ' 4']],
    ['an encoding that is not known', ['Transfer-Encoding: xchunked']],
    ['chunks that are not the last encoding', ['Transfer-Encoding: chunked, identity']],
    ['an encoding given twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
    ['an encoding behind a control character', ['Transfer-Encoding: \x0bchunked']],
  ])('%s', async (_, headers) => {
    await using registry = await startEmbeddedRegistry()
    const answers = await answersTo(registry, `${lines(post, 'Host: x', ...headers)}0\r\n\r\n${smuggled}`)
    expect(statusesIn(answers)).toEqual(['400'])
    expect((await registry.ask('HEAD', `/v2/a/blobs/${digest}`)).status).toBe(404)
  })

  it.each([
    ['a length that is no number', 'xyz\r\nsome\r\n0\r\n\r\n'],
    ['a negative length', '-4\r\nsome\r\n0\r\n\r\n'],
    ['a length that is too large for a number', 'fffffffffffffffff\r\nsome\r\n0\r\n\r\n'],
    ['more bytes than its length', '2\r\nsome\r\n0\r\n\r\n'],
    ['only line feeds', '4\nsome\n0\n\n'],
  ])('a chunk with %s', async (_, body) => {
    await using registry = await startEmbeddedRegistry()
    const head = lines(post, 'Host: x', 'Transfer-Encoding: chunked')
    const answers = await answersTo(registry, `${head}${body}${smuggled}`)
    expect(statusesIn(answers).filter(status => status !== '400')).toEqual([])
    expect((await registry.ask('HEAD', `/v2/a/blobs/${digest}`)).status).toBe(404)
  })

  it('a body that is longer than its length', async () => {
    await using registry = await startEmbeddedRegistry()
    const answers = await answersTo(
      registry,
      `${lines(post, 'Host: x', 'Content-Length: 4')}something\r\n\r\n`,
    )
    // What comes behind the body is no request; whether the first is answered before that is seen is a race.
    expect(statusesIn(answers).at(-1)).toBe('400')
    const { status, body } = await registry.ask('GET', `/v2/a/blobs/${digest}`)
    expect(status === 404 || body.toString() === 'some').toBe(true)
  })
})

describe('a connection', () => {
  it('is of use again when a body was refused in its middle', async () => {
    await using registry = await startEmbeddedRegistry()
    const { headers } = await registry.ask('POST', '/v2/a/blobs/uploads/')
    const size = 8 * 1024 * 1024
    const chunk = [
      `PATCH ${headers.location} HTTP/1.1`,
      'Host: x',
      'Content-Range: 0-3',
      `Content-Length: ${size}`,
    ]
    const socket = open(registry)
    let all = ''
    socket.on('data', (piece: Buffer) => {
      all += piece.toString('latin1')
    })
    socket.write(lines(...chunk))
    socket.write(Buffer.alloc(size))
    socket.write(smuggled)
    await once(socket, 'close')
    expect(statusesIn(all)).toEqual(['400', '200'])
  })

  it('is taken up to the limit, with thousands on which nothing is asked, and given back', {
    timeout: 30_000,
  }, async () => {
    const limit = 2000
    await using registry = await startEmbeddedRegistry({ limits: { connections: limit } })
    const sockets: Socket[] = []
    for (let count = 0; count < limit; count += 100) {
      const some = Array.from({ length: 100 }, () => open(registry))
      await Promise.all(some.map(socket => once(socket, 'connect')))
      sockets.push(...some)
    }
    // The last one of them, so all have arrived.
    const [last] = sockets.slice(-1)
    last?.write(lines('GET /v2/ HTTP/1.1', 'Host: x'))
    if (last !== undefined) expect(String((await once(last, 'data'))[0])).toContain('200 OK')
    expect(await answersTo(registry, smuggled)).toBe('')
    const ended = sockets.map(socket => once(socket, 'close'))
    for (const socket of sockets) socket.destroy()
    await Promise.all(ended)
    let answers = ''
    while (!answers.includes('200 OK')) answers = await answersTo(registry, smuggled)
  })
})

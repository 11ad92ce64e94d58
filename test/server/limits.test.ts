import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Users } from '../../src/server/auth/users.ts'
import type { EmbeddedRegistry } from '../support/embedded-registry.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../support/sample-image.ts'

const blob = sampleBlob('some')
const head = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n')

/** A connection of which the client decides each byte. */
function open({ server }: EmbeddedRegistry, options: { readonly allowHalfOpen?: boolean } = {}): Socket {
  const socket = connect({ host: '127.0.0.1', port: server.port, ...options })
  // To be cut off is what some tests are about.
  socket.on('error', () => {})
  return socket
}

/** All that comes until the connection is closed, or reset. */
function rest(socket: Socket): Promise<string> {
  let all = ''
  socket.on('data', (chunk: Buffer) => {
    all += chunk.toString()
  })
  return new Promise(resolve => socket.once('close', () => resolve(all)))
}

async function answerTo(registry: EmbeddedRegistry, sent: string): Promise<string> {
  const socket = open(registry)
  socket.write(sent)
  return rest(socket)
}

/** What comes until it fits. */
async function received(socket: Socket, pattern: RegExp): Promise<string> {
  let all = ''
  while (!pattern.test(all)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    all += chunk.toString()
  }
  return all
}

describe('a client that is slow on purpose', () => {
  it('is cut while it sends headers', async () => {
    await using registry = await startEmbeddedRegistry({ limits: { headersMs: 100 } })
    const socket = open(registry)
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n')
    const dripping = setInterval(() => socket.write('x: y\r\n'), 20)
    const answer = await rest(socket).finally(() => clearInterval(dripping))
    expect(answer).toMatch(/^(HTTP\/1\.1 408 Request Timeout\r\n|$)/)
  })

  it.each([
    ['a body', `POST /v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`],
    ['a body that nobody wants', 'PUT /v2/'],
  ])('is cut while it sends %s, byte by byte', async (_, line) => {
    await using registry = await startEmbeddedRegistry({ limits: { idleMs: 200, bytesPerSecond: 1000 } })
    const socket = open(registry)
    socket.write(head(line, 'Content-Length: 1000000'))
    const dripping = setInterval(() => socket.write('x'), 20)
    await rest(socket).finally(() => clearInterval(dripping))
  })

  it('is cut while it takes an answer, byte by byte', async () => {
    const large = sampleBlob('x'.repeat(20_000_000))
    await using registry = await startEmbeddedRegistry({ limits: { idleMs: 300, bytesPerSecond: 1_000_000 } })
    await registry.putBlob('a', large)
    const socket = open(registry)
    socket.write(head(`GET /v2/a/blobs/${large.descriptor.digest}`))
    let taken = 0
    const dripping = setInterval(() => {
      taken += (socket.read(1000) as Buffer | null)?.length ?? 0
    }, 20)
    const event = await registry
      .ended(({ method }) => method === 'GET')
      .finally(() => clearInterval(dripping))
    expect(event.sent).toBeLessThan(20_000_000)
    expect(taken).toBeLessThan(1_000_000)
    socket.destroy()
  })

  it('is cut when it is silent', async () => {
    await using registry = await startEmbeddedRegistry({ limits: { idleMs: 100, bytesPerSecond: 0 } })
    const line = `POST /v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`
    const socket = open(registry)
    socket.write(`${head(line, 'Content-Length: 4')}so`)
    await rest(socket)
    expect(await registry.ended(({ status }) => status !== 201)).toMatchObject({ received: 2 })
  })

  it('may take any time for a body that moves', async () => {
    await using registry = await startEmbeddedRegistry({ limits: { idleMs: 1000, bytesPerSecond: 1 } })
    const path = `/v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`
    const { port } = registry.server
    const headers = { 'Content-Length': 4 }
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path, headers })
    const start = performance.now()
    const letters = [...'some']
    const dripping = setInterval(() => {
      const letter = letters.shift()
      if (letter === undefined) clearInterval(dripping)
      else outgoing.write(letter)
    }, 300)
    const [answer] = await once(outgoing, 'response')
    expect(answer.statusCode).toBe(201)
    expect(performance.now() - start).toBeGreaterThan(1000)
    answer.resume()
    outgoing.end()
  })
})

describe('a connection that is kept', () => {
  it('has nothing piled up on it by bodies that were refused', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    try {
      await using registry = await startEmbeddedRegistry()
      for (let count = 0; count < 20; count += 1) {
        const body = Buffer.alloc(200_000)
        expect((await registry.ask('PATCH', '/v2/a/blobs/uploads/none', { body })).status).toBe(404)
      }
      await new Promise(resolve => setImmediate(resolve))
    } finally {
      process.off('warning', listen)
    }
    expect(warnings).toEqual([])
  })
})

describe('a request that is too large', () => {
  it('is refused for its headers', async () => {
    await using registry = await startEmbeddedRegistry()
    const huge = `x: ${'y'.repeat(70_000)}`
    expect(await answerTo(registry, head('GET /v2/', huge))).toMatch(/^HTTP\/1\.1 431 /)
    const large = { headers: { x: 'y'.repeat(60_000) } }
    expect((await registry.ask('GET', '/v2/', large)).status).toBe(200)
  })

  it('is refused for its manifest, by its length and as it comes', async () => {
    await using registry = await startEmbeddedRegistry()
    const body = Buffer.alloc(5 * 1024 * 1024)
    const put = (headers: Record<string, string>) =>
      registry.ask('PUT', '/v2/a/manifests/v1', { body, headers })
    expect(await put({})).toMatchObject({ status: 413, codes: ['SIZE_INVALID'] })
    expect(await put({ 'Transfer-Encoding': 'chunked' })).toMatchObject({ status: 413 })
  })
})

describe('a connection', () => {
  it('is refused when there are too many, and taken again when there are not', async () => {
    await using registry = await startEmbeddedRegistry({ limits: { connections: 2 } })
    const [first, second] = [open(registry), open(registry)]
    for (const socket of [first, second]) {
      socket.write(head('GET /v2/'))
      await received(socket, /200 OK/)
    }
    expect(await answerTo(registry, head('GET /v2/'))).toBe('')
    first.end()
    await rest(first)
    let answer = ''
    while (!answer.includes('200 OK'))
      answer = await answerTo(registry, head('GET /v2/', 'Connection: close'))
    second.destroy()
  })

  it('is closed when its client asks nothing more', async () => {
    await using registry = await startEmbeddedRegistry({ limits: { keepAliveMs: 50 } })
    expect(await answerTo(registry, head('GET /v2/'))).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Keep-Alive: /s)
  })

  it('answers requests that come together, in their order', async () => {
    await using registry = await startEmbeddedRegistry()
    await registry.putImage('a', sampleImage('one'), 'v1')
    const sent = [
      head('GET /v2/a/manifests/none'),
      head('GET /v2/'),
      head('GET /v2/a/tags/list'),
      `${head('POST /v2/a/blobs/uploads/?digest=x', 'Content-Length: 4')}some`,
      head('GET /healthz', 'Connection: close'),
    ].join('')
    const answer = await answerTo(registry, sent)
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)
    expect(statuses).toEqual(['404', '200', '200', '400', '200'])
  })

  it('that its client has closed for writing is closed, and what it asked for given up', async () => {
    await using registry = await startEmbeddedRegistry()
    const socket = open(registry, { allowHalfOpen: true })
    const path = `/v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`
    socket.end(`${head(`POST ${path}`, 'Content-Length: 4')}so`)
    await rest(socket)
    expect((await registry.ended(({ method }) => method === 'POST')).status).not.toBe(201)
    expect((await registry.ask('GET', `/v2/a/blobs/${blob.descriptor.digest}`)).status).toBe(404)
  })

  it('without a Host, or with what is no HTTP, is refused', async () => {
    await using registry = await startEmbeddedRegistry()
    expect(await answerTo(registry, 'GET /v2/ HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await answerTo(registry, '\x16\x03\x01 TLS?\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    const smuggled = head('POST /v2/', 'Content-Length: 4', 'Transfer-Encoding: chunked')
    expect(await answerTo(registry, `${smuggled}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe('a client that waits for leave to send its body', () => {
  const path = `/v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`
  const expecting = { 'Content-Length': 4, Expect: '100-continue' }

  it('is told to go on when the body is wanted', async () => {
    await using registry = await startEmbeddedRegistry()
    const { port } = registry.server
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path, headers: expecting })
    outgoing.flushHeaders()
    await once(outgoing, 'continue')
    outgoing.end('some')
    const [answer] = await once(outgoing, 'response')
    expect(answer.statusCode).toBe(201)
    answer.resume()
  })

  it.each([
    [
      'without a login',
      { auth: { kind: 'basic', users: { check: async () => false } satisfies Users } },
      401,
    ],
    ['where nothing can be written', { readOnly: true }, 405],
  ] as const)('is refused %s before it sends', async (_, options, status) => {
    await using registry = await startEmbeddedRegistry(options)
    const sent = head(`POST ${path}`, 'Content-Length: 4', 'Expect: 100-continue')
    const answer = await answerTo(registry, sent)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toContain('Connection: close')
  })
})

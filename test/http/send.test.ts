import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { createTransport, type TransportOptions } from '../../src/http/send.ts'
import { collect } from '../../src/oci/content.ts'
import { startLoopback } from '../support/loopback.ts'

/** A transport beside a server that answers as the test says. */
async function start(listener: RequestListener, options: TransportOptions = {}) {
  const server = await startLoopback(listener)
  const transport = createTransport(options)
  const ask = (request: Partial<HttpRequest> = {}) =>
    transport.send({ method: 'GET', url: new URL(`${server.url}/`), ...request })
  return {
    ask,
    url: server.url,
    async [Symbol.asyncDispose]() {
      await transport.close()
      await server.stop()
    },
  }
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

const read = async (body: AsyncIterable<Uint8Array>) =>
  (await collect(body, 1024 * 1024, 'a body')).toString()

describe('the transport', () => {
  it('gives status, headers line by line, and body', async () => {
    await using server = await start((_, response) => {
      response.writeHead(401, { 'WWW-Authenticate': ['Basic', 'Bearer realm="x"'] }).end('no')
    })
    const answer = await server.ask()
    expect(answer.status).toBe(401)
    expect(answer.headers.all('www-authenticate')).toEqual(['Basic', 'Bearer realm="x"'])
    expect(answer.url.href).toBe(`${server.url}/`)
    expect(await read(answer.body)).toBe('no')
  })

  it.each<[what: string, request: Partial<HttpRequest>, expected: string]>([
    ['no body and no length with GET', { method: 'GET' }, 'GET undefined undefined '],
    ['a length of 0 with a POST without a body', { method: 'POST' }, 'POST 0 undefined '],
    ['a length of 0 with a PUT without a body', { method: 'PUT' }, 'PUT 0 undefined '],
    ['bytes with their length', { method: 'PUT', body: Buffer.from('bytes') }, 'PUT 5 undefined bytes'],
    ['no bytes', { method: 'PUT', body: Buffer.alloc(0) }, 'PUT 0 undefined '],
    [
      'a stream with its length, not in chunks',
      { method: 'PATCH', body: { length: 6, open: async () => pieces('str', '', 'eam') } },
      'PATCH 6 undefined stream',
    ],
    [
      'an empty stream',
      { method: 'PUT', body: { length: 0, open: async () => pieces() } },
      'PUT 0 undefined ',
    ],
  ])('sends %s', async (_, request, expected) => {
    await using server = await start(async (message, response) => {
      const { 'content-length': length, 'transfer-encoding': encoding } = message.headers
      response.end(`${message.method} ${length} ${encoding} ${await read(message)}`)
    })
    expect(await read((await server.ask(request)).body)).toBe(expected)
  })

  it('asks one thing after the other over one connection, whatever it asks', async () => {
    const ports: (number | undefined)[] = []
    await using server = await start(async (message, response) => {
      ports.push(message.socket.remotePort)
      await read(message)
      response.writeHead(message.method === 'PUT' ? 404 : 200).end('some')
    })
    for (const method of ['HEAD', 'GET', 'PUT', 'GET', 'HEAD'] as const) {
      const answer = await server.ask({ method, body: method === 'PUT' ? Buffer.from('x') : undefined })
      if (method === 'GET') expect(await read(answer.body)).toBe('some')
      else await answer.discard()
    }
    expect(ports.length).toBe(5)
    expect(new Set(ports).size).toBe(1)
  })

  it('reads an answer no faster than its reader', async () => {
    const piece = Buffer.alloc(1024 * 1024)
    const count = 100
    let given = 0
    let taken = 0
    let most = 0
    await using server = await start(async (_, response) => {
      for (let at = 0; at < count; at += 1) {
        await new Promise(resolve => response.write(piece, resolve))
        given += piece.length
        most = Math.max(most, given - taken)
      }
      response.end()
    })
    for await (const each of (await server.ask()).body) {
      for (let turns = 0; turns < 10; turns += 1) await new Promise(setImmediate)
      taken += each.length
    }
    expect(taken).toBe(count * piece.length)
    // What the memory of two sockets may hold.
    expect(most).toBeLessThan(24 * piece.length)
  })

  it('gives up an answer that is too long to be read for nothing', async () => {
    let closed: Promise<unknown> | undefined
    await using server = await start((_, response) => {
      closed = once(response, 'close')
      response.write(Buffer.alloc(1024 * 1024))
    })
    await (await server.ask()).discard()
    await closed
  })

  it('uses a connection again after a body that was given up', async () => {
    const ports = new Set<number | undefined>()
    await using server = await start((message, response) => {
      ports.add(message.socket.remotePort)
      response.end('some')
    })
    for (let at = 0; at < 10; at += 1) await (await server.ask()).discard()
    expect(ports.size).toBeLessThan(4)
  })

  it('ends a connection whose answer is left in the middle', async () => {
    let closed: Promise<unknown> | undefined
    await using server = await start((_, response) => {
      closed = once(response, 'close')
      response.write(Buffer.alloc(1024))
    })
    for await (const _ of (await server.ask()).body) break
    await closed
  })

  it('asks again on the connections that a HEAD went over', async () => {
    const ports = new Set<number | undefined>()
    await using server = await start((message, response) => {
      ports.add(message.socket.remotePort)
      response.end()
    })
    for (let asked = 0; asked < 6; asked += 1) await (await server.ask({ method: 'HEAD' })).discard()
    // One that has just become free may come too late for the next.
    expect(ports.size).toBeLessThan(3)
  })

  it.each(['hello', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'])(
    'never takes for the next answer what comes with the answer to a HEAD: %j',
    async extra => {
      const answers = {
        HEAD: `HTTP/1.1 200 OK\r\nContent-Length: ${extra.length}\r\n\r\n${extra}`,
        GET: okAnswer,
      }
      const server = createTcpServer(socket => {
        socket.on('error', () => socket.destroy())
        socket.on('data', bytes =>
          socket.write(bytes.toString().startsWith('HEAD') ? answers.HEAD : answers.GET),
        )
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const transport = createTransport()
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      for (const _ of [1, 2]) {
        const found = await transport.send({ method: 'HEAD', url })
        expect(found.status).toBe(200)
        await found.discard()
        expect(await read((await transport.send({ method: 'GET', url })).body)).toBe('ok')
      }
      await transport.close()
      server.close()
    },
  )
})

const okAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe('a connection that fails is a DrayError', () => {
  it('when nobody listens', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    gone.close()
    const transport = createTransport()
    await expect(
      transport.send({ method: 'GET', url: new URL(`http://127.0.0.1:${port}/`) }),
    ).rejects.toMatchObject({
      code: 'NETWORK',
      fault: 'unreachable',
      message: `cannot reach 127.0.0.1:${port}: connection refused`,
    })
    await transport.close()
  })

  it('when it is cut before the answer', async () => {
    await using server = await start(message => message.socket.destroy())
    await expect(server.ask()).rejects.toMatchObject({ code: 'NETWORK', fault: 'broken' })
  })

  it.each([
    ['has a length', { 'content-length': 10 }],
    ['comes in chunks', {}],
  ])('when it is cut in the middle of a body that %s', async (_, headers) => {
    await using server = await start((_, response) => {
      response.writeHead(200, headers)
      response.write('half', () => response.destroy())
    })
    const { body } = await server.ask()
    await expect(read(body)).rejects.toMatchObject({ code: 'NETWORK', fault: 'broken' })
  })

  it('when no answer comes in time', async () => {
    await using server = await start(() => {}, { timeoutMs: 100 })
    await expect(server.ask()).rejects.toMatchObject({ code: 'TIMEOUT', message: /no answer came in time/ })
  })

  it('when the body stalls', async () => {
    await using server = await start((_, response) => response.write('half'), { timeoutMs: 100 })
    const { body } = await server.ask()
    await expect(read(body)).rejects.toMatchObject({ code: 'TIMEOUT', message: /the answer stalled/ })
  })

  it.each([
    ['says something else', 'SSH-2.0-OpenSSH\r\n', 'unreachable'],
    ['says nothing', '', 'broken'],
  ])('when the other side %s and hangs up', async (_, greeting, fault) => {
    const server = createTcpServer(socket => {
      socket.on('error', () => socket.destroy())
      socket.once('data', () => socket.end(greeting))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const transport = createTransport()
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await expect(transport.send({ method: 'GET', url })).rejects.toMatchObject({ code: 'NETWORK', fault })
    await transport.close()
    server.close()
  })
})

describe('a stream that is sent', () => {
  const put = (open: () => Promise<AsyncIterable<Uint8Array>>, length = 8): Partial<HttpRequest> => ({
    method: 'PUT',
    body: { length, open },
  })
  const swallow: RequestListener = (message, response) => {
    message
      .resume()
      .on('end', () => response.end())
      .on('error', () => response.destroy())
  }

  it('passes on why its source broke, not what that did to the connection', async () => {
    const fault = new Error('the disk is gone')
    await using server = await start(swallow)
    await expect(
      server.ask(
        put(async () => {
          throw fault
        }),
      ),
    ).rejects.toBe(fault)
    const breaking = async function* () {
      yield Buffer.from('half')
      throw fault
    }
    await expect(server.ask(put(async () => breaking()))).rejects.toBe(fault)
  })

  it('may be answered before it is sent whole', async () => {
    let isClosed = false
    const long = async function* () {
      try {
        for (let at = 0; at < 1024; at += 1) yield Buffer.alloc(64 * 1024)
      } finally {
        isClosed = true
      }
    }
    await using server = await start((message, response) => {
      message.once('data', () => response.writeHead(413, { connection: 'close' }).end('too much'))
    })
    const answer = await server.ask(put(async () => long(), 64 * 1024 * 1024))
    expect(answer.status).toBe(413)
    expect(await read(answer.body)).toBe('too much')
    await expect.poll(() => isClosed).toBe(true)
  })
})

describe('an abort', () => {
  it('before the request sends nothing', async () => {
    let count = 0
    await using server = await start((_, response) => {
      count += 1
      response.end()
    })
    await expect(server.ask({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(count).toBe(0)
  })

  it.each(['the transport', 'the request'])(
    'ends the wait for an answer, by the signal of %s',
    async where => {
      const controller = new AbortController()
      const { signal } = controller
      await using server = await start(() => controller.abort(), where === 'the transport' ? { signal } : {})
      await expect(server.ask(where === 'the request' ? { signal } : {})).rejects.toMatchObject({
        code: 'ABORTED',
      })
    },
  )

  it('ends the wait for a connection', async () => {
    const controller = new AbortController()
    const silent = createTcpServer(() => controller.abort())
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as AddressInfo
    const transport = createTransport({ signal: controller.signal })
    const asked = transport.send({ method: 'GET', url: new URL(`https://127.0.0.1:${port}/v2/`) })
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' })
    await transport.close()
    silent.close()
  })

  it('by the signal of the transport lets requests through that have one of their own', async () => {
    await using server = await start((_, response) => response.end('still here'), {
      signal: AbortSignal.abort(),
    })
    const { body } = await server.ask({ signal: new AbortController().signal })
    expect(await read(body)).toBe('still here')
  })

  it('ends a body, with the reason that was given', async () => {
    const controller = new AbortController()
    const reason = new DrayError('PARTIAL', 'another part failed')
    await using server = await start((_, response) => response.write('half'))
    const { body } = await server.ask({ signal: controller.signal })
    const reading = (async () => {
      for await (const _ of body) controller.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
  })

  it('ends an upload whose source stalls', async () => {
    const controller = new AbortController()
    const stalling = async function* () {
      yield Buffer.from('half')
      controller.abort()
      await new Promise(() => {})
    }
    await using server = await start(message => message.resume().on('error', () => {}))
    const body = { length: 8, open: async () => stalling() }
    await expect(server.ask({ method: 'PUT', body, signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })
})

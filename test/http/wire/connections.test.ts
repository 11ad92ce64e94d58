import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Chunks, pour } from '../../../src/flow.ts'
import { createTransport } from '../../../src/http/send.ts'
import { projectFolder, run } from '../../support/run.ts'
import { gate, meet, type Peer, startRawServer, text } from './raw-server.ts'

const five = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

/** Answers each request with the number of its connection. */
async function number(peer: Peer): Promise<void> {
  for (;;) {
    await peer.whole()
    await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${peer.number}`)
  }
}

const put = { method: 'PUT', body: { length: 1, open: async () => stream() } } as const

async function* stream(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x')
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a connection', () => {
  it.each<[what: string, answer: string]>([
    ['an answer with a length', five],
    ['an empty answer', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['an answer in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    [
      'an answer of HTTP/1.0 that says so',
      five.replace('1.1', '1.0').replace('OK', 'OK\r\nConnection: keep-alive'),
    ],
  ])('is used again after %s, for any method', async (_, answer) => {
    await using meeting = await meet(async peer => {
      for (;;) {
        await peer.whole()
        await peer.write(answer)
      }
    })
    for (const request of [{}, put, { method: 'POST' }, {}] as const)
      await text((await meeting.ask(request)).body)
    expect(meeting.server.peers.length).toBe(1)
  })

  it.each<[what: string, answer: string]>([
    ['Connection: close', five.replace('OK', 'OK\r\nConnection: close')],
    ['HTTP/1.0', five.replace('1.1', '1.0')],
    ['surplus behind its body', `${five}!`],
    ['another answer behind it', five + five],
    ['a body where there is none', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('is closed after an answer with %s', async (_, answer) => {
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(answer)
      await peer.closed
    })
    for (let at = 1; at <= 2; at += 1) {
      await text((await meeting.ask()).body)
      expect(meeting.server.peers.length).toBe(at)
      await meeting.server.peers[at - 1]?.closed
    }
  })

  it('is closed when something comes over it while nobody asks', async () => {
    await using meeting = await meet(async peer => {
      await peer.request()
      await peer.write(five)
      await new Promise(setImmediate)
      await peer.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    })
    expect(await text((await meeting.ask()).body)).toBe('hello')
    await meeting.server.peers[0]?.closed
    expect(await text((await meeting.ask()).body)).toBe('hello')
  })

  it('serves one request at a time', async () => {
    const go = gate()
    await using meeting = await meet(async peer => {
      for (;;) {
        await peer.request()
        if (peer.number === 1) await go.passed
        await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${peer.number}`)
      }
    })
    const first = meeting.ask()
    expect(await text((await meeting.ask()).body)).toBe('2')
    expect(await text((await meeting.ask()).body)).toBe('2')
    go.open()
    expect(await text((await first).body)).toBe('1')
  })

  it('is kept for its own origin', async () => {
    await using one = await meet(number)
    await using two = await startRawServer(number)
    await text((await one.ask()).body)
    const answer = await one.wire.send({ method: 'GET', url: new URL(two.url) })
    expect(await text(answer.body)).toBe('1')
    expect(two.peers.length).toBe(1)
  })

  it('is closed when it has been idle for four seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await using meeting = await meet(number)
    await text((await meeting.ask()).body)
    vi.advanceTimersByTime(3999)
    await text((await meeting.ask()).body)
    expect(meeting.server.peers.length).toBe(1)
    vi.advanceTimersByTime(4000)
    await meeting.server.peers[0]?.closed
    expect(await text((await meeting.ask()).body)).toBe('2')
  })
})

describe('a kept connection that the server closes', () => {
  /** Answers one request on each connection, and does `what` on the next. */
  const once1 = (what: (peer: Peer) => unknown) => async (peer: Peer) => {
    await peer.whole()
    await peer.write(five)
    await peer.whole()
    if (peer.number > 1) await peer.write(five)
    else await what(peer)
  }

  it.each([
    ['ended', (peer: Peer) => peer.socket.end()],
    ['reset', (peer: Peer) => peer.socket.resetAndDestroy()],
  ])('and %s as the next request comes costs a GET nothing', async (_, what) => {
    await using meeting = await meet(once1(what))
    expect(await text((await meeting.ask()).body)).toBe('hello')
    expect(await text((await meeting.ask()).body)).toBe('hello')
    expect(meeting.server.peers.length).toBe(2)
  })

  it.each([put, { method: 'POST' }, { method: 'DELETE' }] as const)(
    'does not have a $method sent twice',
    async request => {
      await using meeting = await meet(once1(peer => peer.socket.end()))
      expect(await text((await meeting.ask()).body)).toBe('hello')
      await expect(meeting.ask(request)).rejects.toMatchObject({
        fault: 'broken',
        message: /the other side closed the connection/,
      })
      expect(meeting.server.peers.length).toBe(1)
    },
  )

  it('does not have a GET sent twice whose answer had begun', async () => {
    await using meeting = await meet(
      once1(async peer => {
        await peer.write('H')
        peer.socket.end()
      }),
    )
    expect(await text((await meeting.ask()).body)).toBe('hello')
    await expect(meeting.ask()).rejects.toMatchObject({ message: /the answer ended early/ })
    expect(meeting.server.peers.length).toBe(1)
  })

  it('does not have a GET sent twice that is only slow', async () => {
    await using meeting = await meet(
      once1(() => undefined),
      { wire: { timeoutMs: 50 } },
    )
    expect(await text((await meeting.ask()).body)).toBe('hello')
    await expect(meeting.ask()).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(meeting.server.peers.length).toBe(1)
  })

  it('before another request is not used for it', async () => {
    await using meeting = await meet(async peer => {
      await peer.whole()
      await peer.write(five)
      peer.socket.end()
    })
    for (let at = 0; at < 3; at += 1) {
      expect(await text((await meeting.ask(put)).body)).toBe('hello')
      await meeting.server.peers[at]?.closed
    }
  })
})

describe('connecting', () => {
  const hasIpv6 = Object.values(networkInterfaces()).some(addresses =>
    addresses?.some(({ address }) => address === '::1'),
  )

  it.skipIf(!hasIpv6)('finds an IPv6 address', async () => {
    const heads: string[] = []
    await using meeting = await meet(
      async peer => {
        heads.push(await peer.request())
        await peer.write(five)
      },
      { host: '::1' },
    )
    expect(await text((await meeting.ask()).body)).toBe('hello')
    expect(heads[0]).toContain(`host: ${meeting.server.host}`)
    expect(meeting.server.host).toMatch(/^\[::1\]:/)
  })

  it('finds a name, at whichever of its addresses there is an answer', async () => {
    await using meeting = await meet(number)
    const url = new URL(meeting.server.url.replace('127.0.0.1', 'localhost'))
    expect(await text((await meeting.wire.send({ method: 'GET', url })).body)).toBe('1')
  })

  it('takes only so long', async () => {
    // A TLS handshake that is not answered counts as connecting.
    await using meeting = await meet(() => undefined, { wire: { connectTimeoutMs: 50 } })
    const url = new URL(meeting.server.url.replace('http:', 'https:'))
    await expect(meeting.wire.send({ method: 'GET', url })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: /connecting took too long/,
    })
    await meeting.server.peers[0]?.closed
  })

  it.each<[what: string, url: () => Promise<string>]>([
    [
      'nobody listens',
      async () => {
        const gone = createTcpServer().listen(0, '127.0.0.1')
        await once(gone, 'listening')
        const { port } = gone.address() as AddressInfo
        gone.close()
        return `http://127.0.0.1:${port}/`
      },
    ],
    ['no host can have the name', async () => `http://${'a'.repeat(64)}.example/`],
  ])('fails in the same words as small requests do when %s', async (_, where) => {
    const transport = createTransport()
    const url = new URL(await where())
    const errorOf = (isBulk: boolean) =>
      transport.send({ method: 'GET', url, isBulk }).catch((error: unknown) => error)
    const small = await errorOf(false)
    expect(small).toMatchObject({ code: 'NETWORK', fault: 'unreachable' })
    const { message, hint } = small as { message: string; hint: string }
    expect(await errorOf(true)).toMatchObject({ code: 'NETWORK', fault: 'unreachable', message, hint })
    await transport.close()
  })
})

describe('the end of a wire', () => {
  it('closes what is idle, and ends what is under way', async () => {
    const asked = gate()
    await using meeting = await meet(async peer => {
      const head = await peer.request()
      await peer.write(head.startsWith('GET /half') ? five.replace('5', '9') : five)
      await peer.request()
      asked.open()
    })
    const half = await meeting.ask({ path: '/half' })
    const reading = pour(half.body, () => undefined)
    await text((await meeting.ask()).body)
    const waiting = meeting.ask()
    await asked.passed
    await using idle = await meet(number)
    await text((await meeting.wire.send({ method: 'GET', url: new URL(idle.server.url) })).body)
    meeting.wire.close()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(meeting.ask()).rejects.toMatchObject({ code: 'ABORTED' })
    for (const peer of [...meeting.server.peers, ...idle.server.peers]) await peer.closed
  })

  it('may come while it connects', async () => {
    await using meeting = await meet(number)
    const asking = meeting.ask()
    meeting.wire.close()
    await expect(asking).rejects.toMatchObject({ code: 'ABORTED' })
    for (const peer of meeting.server.peers) await peer.closed
  })

  it('is not needed by a program that has nothing else to do', async () => {
    const ended = gate()
    const server = createServer((_, response) => response.end('hello'))
    server.on('connection', socket => socket.on('close', () => ended.open()))
    server.keepAliveTimeout = 60_000
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const script = `
      import { createTransport } from ${JSON.stringify(join(projectFolder, 'src/http/send.ts'))}
      const { send } = createTransport()
      const answer = await send({ method: 'GET', url: new URL('${url}'), isBulk: true })
      for await (const piece of answer.body) console.log(piece.toString())
      process.on('exit', () => console.log(Math.round(performance.now() - read)))
      const read = performance.now()`
    const { code, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const [body, idleMs] = stdout.trim().split('\n')
    expect(body).toBe('hello')
    // The connection was kept, and yet nobody waited for the four seconds that it may be.
    expect(Number(idleMs)).toBeLessThan(3000)
    await ended.passed
    server.close()
  })
})

describe('requests with streams or large answers', () => {
  /** undici says that it wants to keep the connection; the wire does not, since HTTP/1.1 keeps it anyway. */
  const wayOf = (heads: string[]) =>
    heads.map(head => (/^connection: keep-alive$/im.test(head) ? 'undici' : 'wire'))
  const body = { length: 1, open: async (): Promise<Chunks> => stream() }
  const requests = [
    { method: 'GET' },
    { method: 'GET', isBulk: true },
    { method: 'PUT', body },
    { method: 'PUT', body: Buffer.from('x') },
    { method: 'POST', isBulk: true },
  ] as const

  const ways = async (proxied: 'not' | 'http' | 'https' | 'excepted') => {
    const heads: string[] = []
    await using server = await startRawServer(async peer => {
      for (;;) {
        heads.push((await peer.whole()).head)
        await peer.write(five)
      }
    })
    // To this system 0.0.0.0 is itself, but it is not the loopback that proxies are never asked for.
    const excepted = server.url.replace('127.0.0.1', '0.0.0.0')
    const url = new URL({ http: 'http://registry.example/v2/', excepted }[proxied as string] ?? server.url)
    const proxy = {
      not: undefined,
      http: { http: server.url },
      https: { https: 'http://127.0.0.1:1' },
      excepted: { http: 'http://127.0.0.1:1', no: '0.0.0.0/8' },
    }[proxied]
    const transport = createTransport({ proxy })
    for (const request of requests) await text((await transport.send({ url, ...request })).body)
    await transport.close()
    return { ways: wayOf(heads), targets: heads.map(head => head.split(' ')[1]) }
  }

  it('go over the wire, and no others', async () => {
    expect((await ways('not')).ways).toEqual(['undici', 'wire', 'wire', 'undici', 'wire'])
  })

  it('go over the wire to a proxy too, which gets the whole URL', async () => {
    const { ways: taken, targets } = await ways('http')
    expect(taken).toEqual(['undici', 'wire', 'wire', 'undici', 'wire'])
    expect(targets).toEqual(Array(5).fill('http://registry.example/v2/'))
  })

  it('go over the wire to what is excepted from the proxy', async () => {
    const { ways: taken, targets } = await ways('excepted')
    expect(taken).toEqual(['undici', 'wire', 'wire', 'undici', 'wire'])
    expect(targets).toEqual(Array(5).fill('/'))
  })

  it('go over the wire where the proxy is for the other scheme', async () => {
    expect((await ways('https')).ways).toEqual(['undici', 'wire', 'wire', 'undici', 'wire'])
  })
})

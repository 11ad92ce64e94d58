import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { spawnDelayProxy, startDelayProxy } from './delay-proxy.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

it('brings bytes and ends unchanged, both ways', async () => {
  const sent = randomBytes(3_000_000)
  const client = await dial(await proxyTo(echo, 1))
  client.end(sent)
  expect((await buffer(client)).equals(sent)).toBe(true)
})

it('makes a round trip last as long as both ways', async () => {
  const client = await dial(await proxyTo(echo, 40))
  const start = performance.now()
  client.write('there and back')
  await once(client, 'data')
  // Timers may come a millisecond early.
  expect(performance.now() - start).toBeGreaterThanOrEqual(78)
})

it('lets pieces travel behind one another', async () => {
  const delayMs = 300
  const client = await dial(await proxyTo(echo, delayMs))
  const start = performance.now()
  for (let piece = 0; piece < 20; piece += 1) {
    await new Promise<void>(resolve => client.write('piece', () => resolve()))
  }
  client.end()
  expect((await buffer(client)).length).toBe(100)
  expect(performance.now() - start).toBeLessThan(10 * delayMs)
})

it('breaks a connection where the other one breaks', async () => {
  const client = await dial(await proxyTo(socket => socket.once('data', () => socket.resetAndDestroy()), 1))
  const broken = once(client, 'close')
  client.on('error', () => undefined)
  client.write('hello')
  await broken
})

it('runs in a process of its own until it is disposed of', async () => {
  const target = await listen(echo)
  const proxy = await spawnDelayProxy({ target, delayMs: 1 })
  const client = await dial(proxy.host)
  client.end('hello')
  expect((await buffer(client)).toString()).toBe('hello')
  await proxy[Symbol.asyncDispose]()
  await expect(dial(proxy.host)).rejects.toThrow('ECONNREFUSED')
})

function echo(socket: Socket): void {
  socket.pipe(socket)
}

async function proxyTo(serve: (socket: Socket) => void, delayMs: number): Promise<string> {
  const proxy = await startDelayProxy({ target: await listen(serve), delayMs })
  cleanups.push(async () => proxy[Symbol.asyncDispose]())
  return proxy.host
}

async function listen(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => {
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return `127.0.0.1:${address.port}`
}

async function dial(host: string): Promise<Socket> {
  const client = connect(Number(host.split(':')[1]), '127.0.0.1')
  await once(client, 'connect')
  cleanups.push(async () => {
    client.destroy()
  })
  return client
}

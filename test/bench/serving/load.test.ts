import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { startLoad } from './load.ts'

const signal = new AbortController().signal

it('work is done over several connections and counted', async () => {
  await using registry = await startEmbeddedRegistry()
  const options = { name: 'HEAD blob', port: registry.server.port, connections: 2 } as const
  await using load = await startLoad(options, signal)
  for (const jobs of [4, 3]) {
    const { wallMs, requests } = await load.work(jobs, signal)
    expect(requests).toBe(jobs)
    expect(wallMs).toBeGreaterThan(0)
  }
})

it('a server that refuses ends it', async () => {
  const server = createServer(socket => socket.end('HTTP/1.1 500 No\r\n\r\n')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const starting = startLoad({ name: 'HEAD blob', port, connections: 1 }, signal)
  await expect(starting).rejects.toThrow('answered with 500 instead of 202')
  server.close()
})

it('an interruption ends it', async () => {
  await using registry = await startEmbeddedRegistry()
  const options = { name: 'HEAD blob', port: registry.server.port, connections: 1 } as const
  await using load = await startLoad(options, signal)
  await expect(load.work(10, AbortSignal.abort())).rejects.toThrow('aborted')
})

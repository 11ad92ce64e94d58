import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts'
import { type LoopbackServer, startLoopback } from './loopback.ts'

const content = Buffer.alloc(300_000, 'content ')
let server: LoopbackServer
let proxy: FaultyProxy
let uploads: number[]

describe('the faulty proxy', () => {
  beforeEach(async () => {
    uploads = []
    server = await startLoopback(async (message, response) => {
      if (message.method !== 'PUT') {
        response
          .writeHead(200, { 'content-length': content.length, 'x-host': message.headers.host })
          .end(content)
        return
      }
      let received = 0
      message.on('data', chunk => (received += chunk.length))
      message.on('error', () => uploads.push(received))
      message.on('end', () => {
        uploads.push(received)
        response.writeHead(201).end()
      })
    })
    proxy = await startFaultyProxy(server.url)
  })
  afterEach(async () => {
    await proxy.stop()
    await server.stop()
  })

  it('passes on what it is not told to spoil, and counts it', async () => {
    const reply = await fetch(`${proxy.url}/blob?a=1`)
    expect(reply.headers.get('x-host')).toBe(proxy.host)
    expect(sha256(await reply.bytes())).toBe(sha256(content))
    expect((await fetch(`${proxy.url}/blob`, { method: 'PUT', body: content })).status).toBe(201)
    expect(uploads).toEqual([content.length])
    expect(proxy.requests).toMatchObject([
      { method: 'GET', path: '/blob', status: 200, received: 0, sent: content.length },
      { method: 'PUT', path: '/blob', status: 201, received: content.length, sent: 0 },
    ])
  })

  it.each([0, 1000, 200_000])('cuts an answer after %i bytes, and not the next one', async afterBytes => {
    proxy.spoil({ fault: { kind: 'cut', afterBytes } })
    const got = await download('/blob')
    expect(got).toMatchObject({ bytes: afterBytes, error: { code: 'ECONNRESET' } })
    expect(proxy.requests).toMatchObject([{ sent: afterBytes }])
    expect(await download('/blob')).toEqual({ bytes: content.length })
  })

  it('cuts an upload after so many bytes', async () => {
    proxy.spoil({ method: 'PUT', fault: { kind: 'cut-upload', afterBytes: 1000 } })
    await expect(fetch(`${proxy.url}/blob`, { method: 'PUT', body: content })).rejects.toThrow('fetch failed')
    await expect.poll(() => uploads).toEqual([1000])
  })

  it('breaks a connection before the answer', async () => {
    proxy.spoil({ fault: { kind: 'refuse' } })
    await expect(fetch(`${proxy.url}/blob`)).rejects.toThrow('fetch failed')
  })

  it('stalls until the client gives up', async () => {
    proxy.spoil({ fault: { kind: 'stall', afterBytes: 1000 } })
    const message = await get('/blob')
    const first: unknown[] = await once(message, 'data')
    expect(first).toEqual([content.subarray(0, 1000)])
    expect(message.complete).toBe(false)
    message.destroy()
  })

  it('ends an answer early in good order', async () => {
    proxy.spoil({ fault: { kind: 'truncate', afterBytes: 1000 } })
    const reply = await fetch(`${proxy.url}/blob`)
    expect(reply.headers.get('content-length')).toBeNull()
    expect(Buffer.from(await reply.bytes())).toEqual(content.subarray(0, 1000))
  })

  it('changes one byte', async () => {
    proxy.spoil({ fault: { kind: 'corrupt', atByte: 200_000 } })
    const got = Buffer.from(await (await fetch(`${proxy.url}/blob`)).bytes())
    const differing = [...got.keys()].filter(at => got[at] !== content[at])
    expect(differing).toEqual([200_000])
  })

  it('answers itself as often as it is told, for the requests that fit', async () => {
    proxy.spoil({
      method: 'GET',
      path: /^\/blob$/,
      times: 2,
      fault: { kind: 'answer', status: 503, headers: { 'retry-after': '1' }, body: 'busy' },
    })
    expect((await fetch(`${proxy.url}/other`)).status).toBe(200)
    const busy = await fetch(`${proxy.url}/blob?x`)
    expect([busy.status, busy.headers.get('retry-after'), await busy.text()]).toEqual([503, '1', 'busy'])
    expect((await fetch(`${proxy.url}/blob`)).status).toBe(503)
    expect((await fetch(`${proxy.url}/blob`)).status).toBe(200)
  })

  it('breaks the connection when the server behind is gone', async () => {
    await server.stop()
    await expect(fetch(`${proxy.url}/blob`)).rejects.toThrow('fetch failed')
  })
})

function get(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(`${proxy.url}${path}`, { agent: false }, resolve).on('error', reject).end()
  })
}

/** How many bytes came, and what ended them if it was an error. */
async function download(path: string): Promise<{ bytes: number; error?: unknown }> {
  const message = await get(path)
  let bytes = 0
  message.on('data', chunk => (bytes += chunk.length))
  return buffer(message).then(
    () => ({ bytes }),
    error => ({ bytes, error }),
  )
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

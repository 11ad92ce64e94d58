import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { Connection } from './connection.ts'

/** Answers what it reads with what `answer` makes of it; undefined where more must come. */
async function serve(answer: (text: string, socket: Socket) => string | undefined) {
  const server = createServer(socket => {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      text += chunk
      const answered = answer(text, socket)
      if (answered === undefined) return
      text = ''
      socket.write(answered)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.dispose]: () => server.close() }
}

const created = 'HTTP/1.1 201 Created\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n'

it('requests go one after the other over one connection, with their bodies', async () => {
  const seen: string[] = []
  using server = await serve(text => {
    if (text.startsWith('PUT') && !text.endsWith('the end')) return undefined
    seen.push(text)
    return created
  })
  using connection = await Connection.open(server.port)
  const body = { bytes: 12, pieces: [Buffer.from('begin'), Buffer.from('the end')] }
  const headers = { 'Content-Type': 'a/b' }
  await connection.ask({ method: 'PUT', path: '/a', headers, body, status: 201 })
  const empty = { bytes: 0, pieces: [] }
  const answer = await connection.ask({ method: 'POST', path: '/b', body: empty, status: 201 })
  expect(answer).toMatchObject({ location: '/there', bytes: 0 })
  expect(seen).toEqual([
    'PUT /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: a/b\r\nContent-Length: 12\r\n\r\nbeginthe end',
    'POST /b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n',
  ])
  expect(connection.requests).toBe(2)
})

it('another status than the wanted one is an error', async () => {
  using server = await serve(() => created)
  using connection = await Connection.open(server.port)
  const asking = connection.ask({ method: 'GET', path: '/a', status: 200 })
  await expect(asking).rejects.toThrow('GET /a was answered with 201 instead of 200')
})

it('a server that hangs up is an error', async () => {
  using server = await serve((_, socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell')
    return undefined
  })
  using connection = await Connection.open(server.port)
  await expect(connection.ask({ method: 'GET', path: '/a', status: 200 })).rejects.toThrow('hung up')
})

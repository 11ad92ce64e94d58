import { describe, expect, it } from 'vitest'
import { DrayError } from '../../../src/errors.ts'
import { createConnector } from '../../../src/http/connector.ts'
import { tlsOptions } from '../../../src/http/tls.ts'
import { openConnection } from '../../../src/http/wire/connection.ts'
import { Exchange } from '../../../src/http/wire/exchange.ts'
import { startRawServer } from './raw-server.ts'

/** An exchange over a new connection to a server that says nothing. */
async function prepare(url: string, signal?: AbortSignal) {
  const connect = createConnector({ connectTimeoutMs: 5000, tls: () => tlsOptions({}) })
  const connection = await openConnection(connect, { url: new URL(url) })
  const freed: unknown[] = []
  const exchange = () =>
    new Exchange(
      connection,
      { method: 'GET', url: new URL(url) },
      { answerTimeoutMs: 5000, bodyTimeoutMs: 5000, signal, onEnd: each => freed.push(each) },
    )
  return { connection, exchange, freed }
}

describe('between the connecting and the request', () => {
  it('an abort is not missed', async () => {
    await using server = await startRawServer(() => undefined)
    const reason = new DrayError('PARTIAL', 'another part failed')
    const { exchange, freed } = await prepare(server.url, AbortSignal.abort(reason))
    await expect(exchange().run()).rejects.toBe(reason)
    expect(freed).toEqual([undefined])
    await server.peers[0]?.closed
  })

  it('a connection that is gone is not waited for', async () => {
    await using server = await startRawServer(() => undefined)
    const { connection, exchange, freed } = await prepare(server.url)
    connection.destroy()
    await expect(exchange().run()).rejects.toMatchObject({
      fault: 'broken',
      message: /the other side closed the connection/,
    })
    expect(freed).toEqual([undefined])
  })
})

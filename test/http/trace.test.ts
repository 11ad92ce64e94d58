import { expect, it } from 'vitest'
import { NetworkError } from '../../src/http/network-error.ts'
import { type TraceEvent, trace } from '../../src/http/trace.ts'
import { fakeSend, type Script } from '../support/fake-send.ts'

const url = new URL('https://h/v2/')

function traced(script: Script) {
  const events: TraceEvent[] = []
  let time = 0
  const now = () => {
    time += 12.4
    return time
  }
  return { events, send: trace(event => events.push(event), now)(fakeSend(script).send) }
}

it('a request is told with its status, its time and the scheme of its Authorization, never the secret', async () => {
  const { events, send } = traced([{ status: 401 }, { status: 200 }])
  await send({ method: 'GET', url })
  await send({ method: 'HEAD', url, headers: { authorization: 'Bearer secret' } })
  expect(events).toEqual([
    { method: 'GET', url, status: 401, ms: 12, authorization: undefined },
    { method: 'HEAD', url, status: 200, ms: 12, authorization: 'Bearer' },
  ])
})

it('a request without an answer is told without a status, and its error passes through', async () => {
  const error = new NetworkError('broken', 'cut')
  const { events, send } = traced([error])
  await expect(send({ method: 'GET', url })).rejects.toBe(error)
  expect(events).toMatchObject([{ status: undefined, ms: 12 }])
})

import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { NetworkError } from '../../src/http/network-error.ts'
import {
  defaultRetryPolicy,
  parseRetryAfter,
  type RetryEvent,
  retry,
  retryDelayMs,
} from '../../src/http/retry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { type FakeAnswer, fakeSend, type Script } from '../support/fake-send.ts'

const policy = { retries: 3, baseMs: 100, maxMs: 250, maxRetryAfterMs: 10_000 }
const now = Date.UTC(2026, 0, 1)

describe('the delay before the next try', () => {
  it.each([
    ['the first, without luck', 0, 0, undefined, 50],
    ['the first, with luck', 0, 1, undefined, 100],
    ['the second doubles', 1, 1, undefined, 200],
    ['the third is capped', 2, 1, undefined, 250],
    ['none after the last', 3, 1, undefined, undefined],
    ['Retry-After where it is longer', 0, 1, 5_000, 5_000],
    ['our own where Retry-After is shorter', 0, 1, 20, 100],
    ['Retry-After just at its cap', 0, 0, 10_000, 10_000],
    ['none where Retry-After is over its cap', 0, 0, 10_001, undefined],
    ['none after the last, whatever Retry-After says', 3, 0, 1, undefined],
  ])('is: %s', (_, attempt, random, retryAfterMs, expected) => {
    expect(retryDelayMs(attempt, policy, { retryAfterMs, random })).toBe(expected)
  })

  it('stays a number for many tries', () => {
    expect(retryDelayMs(2_000, { ...policy, retries: 5_000 }, { random: 1 })).toBe(250)
  })
})

describe('Retry-After is read', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['1.5', 1_500],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['2026-01-01T00:00:05Z', 5_000],
    [String(now / 1000 + 30), 30_000],
    [String(now / 1000 - 30), 0],
    ['-5', undefined],
    ['soon', undefined],
    ['try again in 2099', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
  ])('%j as %j', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected)
  })
})

describe('a request is repeated', () => {
  it.each([408, 429, 500, 502, 503, 504])('after %i', async status => {
    const { answer, fake, clock, events } = await run([{ status }, { status }, { status: 200 }])
    expect(answer).toMatchObject({ status: 200 })
    expect(fake.requests).toHaveLength(3)
    expect(fake.discarded).toBe(2)
    expect(clock.sleeps).toEqual([75, 150])
    expect(events).toEqual([
      { type: 'retry', name: 'h:5000', reason: `it answered ${status}`, delayMs: 75 },
      { type: 'retry', name: 'h:5000', reason: `it answered ${status}`, delayMs: 150 },
    ])
  })

  it.each(['broken', 'timeout'] as const)('after a fault of the connection: %s', async fault => {
    const { answer, events } = await run([
      new NetworkError(fault, 'cannot reach h:5000: why'),
      { status: 200 },
    ])
    expect(answer).toMatchObject({ status: 200 })
    expect(events).toMatchObject([{ name: 'h:5000', reason: 'why' }])
  })

  it('with its body, where that is bytes', async () => {
    const request = { ...get, method: 'PUT', body: Buffer.from('bytes') } as const
    const { fake } = await run([{ status: 503 }, { status: 201 }], request)
    expect(fake.requests.map(({ body }) => body)).toEqual(['bytes', 'bytes'])
  })

  it('when Retry-After has passed, in seconds or at a date', async () => {
    const { clock } = await run([
      { status: 429, headers: { 'retry-after': '3' } },
      { status: 503, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:10 GMT' } },
      { status: 200 },
    ])
    expect(clock.sleeps).toEqual([3_000, 7_000])
  })

  it('when a connection is refused by a server that was there before', async () => {
    const fake = fakeSend([{ status: 200 }, new NetworkError('unreachable', 'refused'), { status: 204 }])
    const send = retry({ policy, clock: fakeClock() })(fake.send)
    await send(get)
    expect(await send(get)).toMatchObject({ status: 204 })
  })

  it('no more often than the policy says, and the last answer is given back unread', async () => {
    const { answer, fake } = await run([503, 503, 503, 500].map(status => ({ status })))
    expect(answer).toMatchObject({ status: 500 })
    expect(fake.discarded).toBe(3)
  })

  it('no more often than the policy says, and the last error is thrown', async () => {
    const last = new NetworkError('broken', 'the fourth')
    const error = new NetworkError('broken', 'one before')
    await expect(run([error, error, error, last])).rejects.toBe(last)
  })
})

describe('a request is not repeated', () => {
  it.each([200, 201, 301, 307, 400, 401, 403, 404, 405, 409, 412, 416, 501, 505])(
    'after %i',
    async status => {
      const { answer, clock } = await run([{ status, headers: { 'retry-after': '1' } }])
      expect(answer).toMatchObject({ status })
      expect(clock.sleeps).toEqual([])
    },
  )

  it.each<[what: string, error: Error]>([
    ['a connection refused by a server never met', new NetworkError('unreachable', 'refused')],
    ['TLS that is not accepted', new NetworkError('refused-tls', 'expired')],
    ['an abort', new DrayError('ABORTED', 'interrupted')],
    ['a bug', new TypeError('x is not a function')],
  ])('after %s', async (_, error) => {
    await expect(run([error])).rejects.toBe(error)
  })

  it('when Retry-After is longer than the policy allows', async () => {
    const { answer } = await run([{ status: 429, headers: { 'retry-after': '11' } }])
    expect(answer).toMatchObject({ status: 429 })
  })

  it('when its body is a stream', async () => {
    const open = async () => [Buffer.from('once')] as unknown as AsyncIterable<Uint8Array>
    const { answer, fake } = await run([{ status: 503 }], {
      ...get,
      method: 'PUT',
      body: { length: 4, open },
    })
    expect(answer).toMatchObject({ status: 503 })
    expect(fake.requests).toHaveLength(1)
  })

  it('when it was aborted while it waited', async () => {
    const controller = new AbortController()
    const abort = (): FakeAnswer => {
      controller.abort()
      return { status: 503 }
    }
    await expect(run(abort, { ...get, signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

it('the default policy gives up in less than a minute of its own', () => {
  const delays = Array.from({ length: 10 }, (_, attempt) =>
    retryDelayMs(attempt, defaultRetryPolicy, { random: 1 }),
  )
  expect(delays.filter(delay => delay !== undefined)).toEqual([500, 1_000, 2_000, 4_000, 8_000])
})

const get: HttpRequest = { method: 'GET', url: new URL('https://h:5000/v2/') }

async function run(script: Script, request = get) {
  const fake = fakeSend(script)
  const clock = fakeClock()
  const events: RetryEvent[] = []
  const send = retry({ policy, clock, onEvent: event => events.push(event) })(fake.send)
  return { answer: await send(request), fake, clock, events }
}

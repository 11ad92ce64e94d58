import { describe, expect, it } from 'vitest'
import { json } from '../../support/fake-send.ts'
import { playTurns } from '../turns.ts'
import { found, foundHeaders, head } from './speech.ts'

describe('a registry that is asked too much', () => {
  it.each([
    ['seconds', '7', 7000],
    ['a date', 'Thu, 01 Jan 2026 00:00:42 GMT', 42_000],
    ['unix time (Docker Hub, older)', '1767225612', 12_000],
  ])('23. is left alone for what Retry-After says, as %s', async (_, retryAfter, delayMs) => {
    const { registry, clock, expectTold } = playTurns('reg.example', [
      [head, undefined, { status: 429, headers: { 'retry-after': retryAfter }, body: 'Rate exceeded' }],
      [head, undefined, found],
    ])
    await registry.repository('app').resolve('v1')
    expectTold()
    expect(clock.sleeps).toEqual([delayMs])
  })

  it('23. is not waited for longer than is said, and that is told', async () => {
    const { registry, clock, expectTold } = playTurns(
      'reg.example',
      [
        [
          head,
          undefined,
          {
            ...json({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow' }] }, 429),
            headers: { 'retry-after': '61' },
          },
        ],
      ],
      { retryPolicy: { maxRetryAfterMs: 60_000 } },
    )
    await expect(registry.repository('app').resolve('v1')).rejects.toMatchObject({
      code: 'NETWORK',
      status: 429,
      hint: expect.stringContaining('Retry-After: 61'),
    })
    expectTold()
    expect(clock.sleeps).toEqual([])
  })

  const limit = { limit: null, remaining: null, windowSeconds: null, resetAt: null, source: null }
  it.each([
    [
      'Docker Hub',
      {
        'ratelimit-limit': '100;w=21600',
        'ratelimit-remaining': '76;w=21600',
        'docker-ratelimit-source': '192.0.2.1',
      },
      { ...limit, limit: 100, remaining: 76, windowSeconds: 21_600, source: '192.0.2.1' },
    ],
    [
      'GitHub, and the Hub API',
      { 'x-ratelimit-limit': '600', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1767225660' },
      { ...limit, limit: 600, remaining: 0, resetAt: Date.UTC(2026, 0, 1, 0, 1) },
    ],
    [
      'ACR',
      { 'x-ms-ratelimit-remaining-calls-per-second': '166.633333' },
      { ...limit, remaining: 166.633333, windowSeconds: 1 },
    ],
    ['a registry without limits', {}, undefined],
  ])('23. its limit is read by HEAD: %s', async (_, headers, expected) => {
    const turns = [[head, undefined, { headers: { ...foundHeaders, ...headers } }]] as const
    const { registry, expectTold } = playTurns('reg.example', turns, { provider: 'distribution' })
    expect(await registry.repository('app').rateLimit('v1')).toEqual(expected)
    expectTold()
  })

  it('23. its limit is read of the 429 too', async () => {
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }
    const { registry } = playTurns('reg.example', [[head, undefined, { status: 429, headers }]], {
      retryPolicy: { retries: 0 },
      provider: 'distribution',
    })
    expect(await registry.repository('app').rateLimit('v1')).toMatchObject({ limit: 100, remaining: 0 })
  })
})

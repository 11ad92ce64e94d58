import { describe, expect, it } from 'vitest'
import { headersFrom } from '../../src/http/message.ts'
import { parseRateLimit } from '../../src/registry/rate-limit.ts'
import { readRateLimit } from '../../src/registry/read-rate-limit.ts'
import { startFront } from './front.ts'

const now = Date.UTC(2026, 0, 1)

describe('23. the limits in headers', () => {
  it.each([
    [
      'of Docker Hub',
      {
        'ratelimit-limit': '100;w=21600',
        'ratelimit-remaining': '76;w=21600',
        'docker-ratelimit-source': '203.0.113.7',
      },
      { limit: 100, remaining: 76, windowSeconds: 21600, resetAt: null, source: '203.0.113.7' },
    ],
    [
      'of GitHub',
      { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4987', 'x-ratelimit-reset': '1767229200' },
      { limit: 5000, remaining: 4987, windowSeconds: null, resetAt: 1767229200_000, source: null },
    ],
    [
      'of GitLab',
      { 'ratelimit-limit': '60', 'ratelimit-remaining': '0', 'ratelimit-reset': '1767225660' },
      { limit: 60, remaining: 0, windowSeconds: null, resetAt: 1767225660_000, source: null },
    ],
    [
      "of the IETF's draft",
      { 'ratelimit-limit': '10, 10;w=1, 50;w=60', 'ratelimit-remaining': '9', 'ratelimit-reset': '50' },
      { limit: 10, remaining: 9, windowSeconds: 1, resetAt: now + 50_000, source: null },
    ],
    [
      'of Azure',
      { 'x-ms-ratelimit-remaining-calls-per-second': '166.633333' },
      { limit: null, remaining: 166.633333, windowSeconds: 1, resetAt: null, source: null },
    ],
    [
      'without what remains',
      { 'ratelimit-limit': '100;w=21600' },
      { limit: 100, remaining: null, windowSeconds: 21600, resetAt: null, source: null },
    ],
  ])('%s', (_, headers, limit) => {
    expect(parseRateLimit(headersFrom(headers), now)).toEqual(limit)
  })

  it.each([
    ['none', {}],
    ['text', { 'ratelimit-limit': 'many', 'ratelimit-remaining': '-1' }],
    ['a time alone', { 'ratelimit-reset': '50' }],
  ])('that are %s mean no limit', (_, headers) => {
    expect(parseRateLimit(headersFrom(headers), now)).toBeUndefined()
  })
})

describe('23. the limit of a registry', () => {
  const limited = { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4987' }

  it('is asked for by HEAD', async () => {
    await using front = await startFront((_, response) => response.writeHead(200, limited).end(), {
      provider: 'distribution',
    })
    expect(await readRateLimit(front.registry)).toMatchObject({ limit: 5000, remaining: 4987 })
    expect(front.lines).toEqual(['HEAD /v2/'])
  })

  it('for an image is asked for by HEAD of that', async () => {
    await using front = await startFront((_, response) => response.writeHead(200, limited).end(), {
      provider: 'distribution',
    })
    const image = { repository: 'app', reference: 'v1' }
    expect(await readRateLimit(front.registry, image)).toMatchObject({ remaining: 4987 })
    expect(await front.repository.rateLimit('v1')).toMatchObject({ remaining: 4987 })
    expect(front.lines).toEqual(['HEAD /v2/app/manifests/v1', 'HEAD /v2/app/manifests/v1'])
  })

  it('is none where no header tells one', async () => {
    await using front = await startFront((_, response) => response.end(), { provider: 'distribution' })
    expect(await readRateLimit(front.registry)).toBeUndefined()
  })

  it('that is used up is told', async () => {
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }
    await using front = await startFront((_, response) => response.writeHead(429, headers).end(), {
      provider: 'distribution',
      retryPolicy: { retries: 0 },
    })
    expect(await readRateLimit(front.registry)).toMatchObject({ remaining: 0 })
    expect(await front.repository.rateLimit('v1')).toMatchObject({ remaining: 0 })
  })

  it.each([
    [401, 'UNAUTHORIZED'],
    [500, 'NETWORK'],
  ])('is not made up of an answer %i', async (status, code) => {
    await using front = await startFront((_, response) => response.writeHead(status, limited).end(), {
      provider: 'distribution',
      retryPolicy: { retries: 0 },
    })
    await expect(readRateLimit(front.registry)).rejects.toMatchObject({ code })
    await expect(front.repository.rateLimit('v1')).rejects.toMatchObject({ code })
  })
})

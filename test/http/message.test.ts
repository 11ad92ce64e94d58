import { expect, it } from 'vitest'
import { headersFrom, type Middleware, stack, withHeaders } from '../../src/http/message.ts'
import { fakeSend } from '../support/fake-send.ts'

const url = new URL('https://h/')

it('of stacked middleware the first sees a request first', async () => {
  const fake = fakeSend([{}])
  const adding =
    (name: string): Middleware =>
    next =>
    request =>
      next(withHeaders(request, { way: `${request.headers?.way ?? ''}${name}` }))
  await stack(fake.send, adding('a'), adding('b'), adding('c'))({ method: 'GET', url })
  expect(fake.requests[0]?.headers?.way).toBe('abc')
})

it('headers are added over those that are there, and undefined adds none', () => {
  const request = { method: 'GET', url, headers: { a: '1', b: '2' } } as const
  expect(withHeaders(request, { b: '3', c: undefined }).headers).toEqual({ a: '1', b: '3' })
})

it('headers are found by lower-case names, in one or line by line', () => {
  const headers = headersFrom({ 'WWW-Authenticate': ['Basic', 'Bearer'], Link: 'x', absent: undefined })
  expect(headers.get('www-authenticate')).toBe('Basic, Bearer')
  expect(headers.all('www-authenticate')).toEqual(['Basic', 'Bearer'])
  expect(headers.all('link')).toEqual(['x'])
  expect(headers.get('absent')).toBeUndefined()
  expect(headers.all('absent')).toEqual([])
})

import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/http/message.ts'
import { redirect } from '../../src/http/redirect.ts'
import { fakeSend, type Script } from '../support/fake-send.ts'

const url = new URL('https://h/v2/a/blobs/x')
const headers = {
  authorization: 'Bearer secret',
  'x-own': 'own',
  accept: '*/*',
  range: 'bytes=5-',
  'user-agent': 'dray',
}
const get: HttpRequest = { method: 'GET', url, headers, scopes: ['repository:a:pull'] }

const to = (location: string, status = 307) => ({ status, headers: { location } })

async function follow(script: Script, request: HttpRequest = get) {
  const fake = fakeSend(script)
  return { fake, answer: await redirect()(fake.send)(request) }
}

describe('a redirect of a GET is followed', () => {
  it.each([301, 302, 303, 307, 308])('of status %i', async status => {
    const { fake, answer } = await follow([to('https://h/elsewhere', status), { status: 200 }])
    expect(answer.status).toBe(200)
    expect(answer.url.href).toBe('https://h/elsewhere')
    expect(fake.lines).toEqual(['GET https://h/v2/a/blobs/x', 'GET https://h/elsewhere'])
    expect(fake.discarded).toBe(1)
  })

  it.each([
    ['absolute', 'https://h/b?c=d', 'https://h/b?c=d'],
    ['relative to the host', '/b', 'https://h/b'],
    ['relative to the path', 'b', 'https://h/v2/a/blobs/b'],
    ['without a scheme', '//cdn/b', 'https://cdn/b'],
    ['with another port', 'https://h:444/b', 'https://h:444/b'],
    ['with a name and password, without these', 'https://user:pass@cdn/b', 'https://cdn/b'],
  ])('to a location that is %s', async (_, location, expected) => {
    const { fake } = await follow([to(location), {}])
    expect(fake.requests[1]?.url.href).toBe(expected)
  })

  it('with all its headers on the same origin', async () => {
    const { fake } = await follow([to('/b'), {}])
    expect(fake.requests[1]).toMatchObject({ headers, scopes: get.scopes })
  })

  it.each(['https://cdn/b', 'https://h:444/b', 'https://sub.h/b'])(
    'without credentials and own headers to %s',
    async location => {
      const { fake } = await follow([to(location), {}])
      expect(fake.requests[1]?.headers).toEqual({ accept: '*/*', range: 'bytes=5-', 'user-agent': 'dray' })
      expect(fake.requests[1]?.scopes).toBeUndefined()
    },
  )

  it('without credentials from http to https', async () => {
    const plain = { ...get, url: new URL('http://h/v2/') }
    const { fake } = await follow([to('https://h/v2/'), {}], plain)
    expect(fake.authorizations).toEqual(['Bearer secret', undefined])
  })

  it('without credentials when it comes back from another origin', async () => {
    const { fake } = await follow([to('https://cdn/b'), to('https://h/c'), {}])
    expect(fake.authorizations).toEqual(['Bearer secret', undefined, undefined])
  })

  it('ten times', async () => {
    const { fake, answer } = await follow([
      ...Array.from({ length: 10 }, (_, at) => to(`/${at}`)),
      { status: 200 },
    ])
    expect(answer.status).toBe(200)
    expect(fake.requests).toHaveLength(11)
  })

  it('and one of a HEAD too', async () => {
    const { fake } = await follow([to('https://cdn/b', 302), {}], { ...get, method: 'HEAD' })
    expect(fake.lines[1]).toBe('HEAD https://cdn/b')
  })
})

describe('a redirect is refused', () => {
  it('from https to http, before anything is sent there', async () => {
    const fake = fakeSend([to('http://h/b')])
    await expect(redirect()(fake.send)(get)).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'h redirects from https to http (h)',
    })
    expect(fake.requests).toHaveLength(1)
  })

  it.each([
    ['ftp://h/b', 'ftp (h)'],
    ['file:///etc/passwd', 'file'],
    ['data:,x', 'data'],
  ])('to %s', async (location, told) => {
    await expect(follow([to(location)])).rejects.toMatchObject({
      code: 'NETWORK',
      message: `h redirects from https to ${told}`,
    })
    await expect(follow([to(location)], { ...get, url: new URL('http://h/') })).rejects.toMatchObject({
      code: 'NETWORK',
      message: `h redirects from http to ${told}`,
      hint: expect.stringContaining('only http and https'),
    })
  })

  it('to what is no URL', async () => {
    await expect(follow([to('https://')])).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'h redirects to something that is not a URL',
    })
  })

  it('the eleventh time', async () => {
    await expect(follow(() => to('/again'))).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'h redirects more than 10 times',
    })
  })
})

describe('other methods', () => {
  const post: HttpRequest = { ...get, method: 'POST', body: Buffer.from('form') }

  it.each([307, 308])('are repeated within their origin after %i, with body and headers', async status => {
    const { fake } = await follow([to('/b', status), { status: 202 }], post)
    expect(fake.requests[1]).toMatchObject({ method: 'POST', body: 'form', headers })
  })

  it.each([301, 302, 303])('are not repeated after %i', async status => {
    expect((await follow([to('/b', status)], post)).answer.status).toBe(status)
  })

  it('are not repeated at another origin', async () => {
    expect((await follow([to('https://cdn/b')], post)).answer.status).toBe(307)
  })

  it('are not repeated with a stream as their body', async () => {
    const open = async () => [] as unknown as AsyncIterable<Uint8Array>
    const { answer } = await follow([to('/b')], { ...get, method: 'PUT', body: { length: 0, open } })
    expect(answer.status).toBe(307)
  })
})

it.each([[200], [304], [404]])('a Location beside status %i means nothing', async status => {
  expect((await follow([to('/b', status)])).answer.status).toBe(status)
})

it('a redirect without a Location is given back as it is', async () => {
  expect((await follow([{ status: 307 }])).answer.status).toBe(307)
})

import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/image-store.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { type Handler, startFront } from './front.ts'

const blob = sampleBlob('twelve bytes')
const open = async (): Promise<Chunks> => chunksOf('twelve', ' bytes')
const query = `digest=sha256%3A${blob.descriptor.digest.slice(7)}`

/** More than one PATCH takes. */
const big = sampleBlob(Buffer.alloc(33 * 1024 * 1024, 'big '))
const openBig = async (): Promise<Chunks> => chunksOf(big.bytes.subarray(0, 10), big.bytes.subarray(10))

/** Answers an error as distribution does. */
const refuse =
  (status: number, code: string): Handler =>
  async (seen, response) => {
    await seen.body()
    response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
  }

/** Answers every request with nothing but a status and a location. */
const answer =
  (status: number, location?: string, headers: Record<string, string> = {}): Handler =>
  async (seen, response) => {
    await seen.body()
    response.writeHead(status, { ...headers, ...(location === undefined ? {} : { location }) }).end()
  }

/** A registry that takes uploads, but for the requests that a test answers itself. */
function takesUploads(own: Partial<Record<string, Handler>> = {}): Handler {
  const usual: Record<string, Handler> = {
    HEAD: answer(404),
    POST: answer(202, '/upload/1?state=a'),
    PATCH: answer(202, '/upload/2'),
    PUT: answer(201),
    DELETE: answer(204),
  }
  return (seen, response) => (own[seen.method] ?? usual[seen.method] ?? answer(405))(seen, response)
}

/** Answers the first request in one way and all others in another. */
function first(handler: Handler, then: Handler): Handler {
  let isFirst = true
  return (seen, response) => {
    const now = isFirst ? handler : then
    isFirst = false
    return now(seen, response)
  }
}

describe('an upload', () => {
  it('is a POST and one PUT', async () => {
    let body = ''
    await using front = await startFront(
      takesUploads({
        PUT: async (seen, response) => {
          body = (await seen.body()).toString()
          response.writeHead(201).end()
        },
      }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.lines).toEqual(['POST /v2/app/blobs/uploads/', `PUT /upload/1?state=a&${query}`])
    expect(body).toBe('twelve bytes')
    expect(front.seen[1]?.headers).toMatchObject({
      'content-length': '12',
      'content-type': 'application/octet-stream',
    })
  })

  it('of a blob without bytes is a POST and a PUT of length 0', async () => {
    await using front = await startFront(takesUploads())
    expect(await front.repository.putBlob(sampleBlob('').descriptor, async () => chunksOf())).toBe('copied')
    expect(front.seen.map(({ method, headers }) => `${method} ${headers['content-length']}`)).toEqual([
      'POST 0',
      'PUT 0',
    ])
  })

  it.each([
    ['a path', '/v2/app/blobs/uploads/1', `/v2/app/blobs/uploads/1?${query}`],
    [
      'a path with a query',
      '/v2/app/blobs/uploads/1?_state=x%3D',
      `/v2/app/blobs/uploads/1?_state=x%3D&${query}`,
    ],
    ['a path outside of /v2/', '/artifacts-uploads/a/b', `/artifacts-uploads/a/b?${query}`],
    ['relative to the request', '1', `/v2/app/blobs/uploads/1?${query}`],
    ['absolute', 'http://HOST/upload/1', `/upload/1?${query}`],
  ])('goes to a location that is %s', async (_, text, expected) => {
    await using front = await startFront(
      takesUploads({
        POST: (_, response) => response.writeHead(202, { location: text.replace('HOST', front.host) }).end(),
      }),
    )
    await front.repository.putBlob(blob.descriptor, open)
    expect(front.lines[1]).toBe(`PUT ${expected}`)
  })

  it('without a location is refused', async () => {
    await using front = await startFront(takesUploads({ POST: answer(202) }))
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringMatching(/^cannot upload 127\.0\.0\.1:\d+\/app@sha256:.*names no place for it$/),
    })
  })

  it.each([
    [404, 'NAME_UNKNOWN', 'NOT_FOUND'],
    [403, 'DENIED', 'UNAUTHORIZED'],
    [405, 'UNSUPPORTED', 'UNSUPPORTED'],
  ])('that is not begun, with %i, is an error and needs no end', async (status, said, code) => {
    await using front = await startFront(takesUploads({ POST: refuse(status, said) }))
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({
      code,
      registryCode: said,
      message: expect.stringMatching(/^cannot start the upload of /),
    })
    expect(front.seen).toHaveLength(1)
  })

  it.each([
    [400, 'DIGEST_INVALID', 'INTEGRITY'],
    [403, 'DENIED', 'UNAUTHORIZED'],
    [409, 'CONFLICT', 'REGISTRY'],
  ])('whose PUT is answered with %i %s is cancelled and not tried again', async (status, said, code) => {
    await using front = await startFront(takesUploads({ PUT: refuse(status, said) }))
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({ code, status })
    expect(front.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'DELETE'])
    expect(front.lines[2]).toBe('DELETE /upload/1?state=a')
  })

  it.each([202, 204, 401, 404, 405, 500])(
    'is ended by DELETE, whatever that is answered with: %i',
    async status => {
      await using front = await startFront(
        takesUploads({ PUT: refuse(409, 'CONFLICT'), DELETE: answer(status) }),
      )
      await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({ status: 409 })
    },
  )
})

describe('an upload that breaks is begun anew', () => {
  it.each<[how: string, put: Handler, delayMs: number]>([
    ['when the connection is cut', ({ message }) => message.once('data', () => message.destroy()), 375],
    ['when it is answered with 500', answer(500), 375],
    ['when Retry-After of a 503 has passed', answer(503, undefined, { 'retry-after': '9' }), 9_000],
  ])('%s', async (_, put, delayMs) => {
    let opened = 0
    await using front = await startFront(takesUploads({ PUT: first(put, answer(201)) }))
    const counting = () => {
      opened += 1
      return open()
    }
    expect(await front.repository.putBlob(blob.descriptor, counting)).toBe('copied')
    expect(front.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'DELETE', 'POST', 'PUT'])
    expect(opened).toBe(2)
    expect(front.clock.sleeps).toEqual([delayMs])
    expect(front.events).toMatchObject([{ type: 'retry', delayMs }])
  })

  it('no more often than the policy says', async () => {
    await using front = await startFront(takesUploads({ PUT: answer(502) }), { retryPolicy: { retries: 2 } })
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({
      code: 'NETWORK',
      status: 502,
    })
    expect(front.lines.filter(line => line.startsWith('PUT'))).toHaveLength(3)
  })
})

describe('an upload in pieces', () => {
  it.each([400, 404, 405, 411, 413, 415, 416, 501])('follows a PUT that is refused with %i', async status => {
    const bodies: string[] = []
    const keep =
      (handler: Handler): Handler =>
      async (seen, response) => {
        bodies.push(`${seen.method} ${seen.headers['content-range']} ${await seen.body()}`)
        return handler(seen, response)
      }
    await using front = await startFront(
      takesUploads({
        PUT: first(answer(status), keep(answer(201))),
        PATCH: keep(answer(202, '/upload/2?x=y')),
      }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.lines).toEqual([
      'POST /v2/app/blobs/uploads/',
      `PUT /upload/1?state=a&${query}`,
      'DELETE /upload/1?state=a',
      'POST /v2/app/blobs/uploads/',
      'PATCH /upload/1?state=a',
      `PUT /upload/2?x=y&${query}`,
    ])
    expect(bodies).toEqual(['PATCH 0-11 twelve bytes', 'PUT undefined '])
    expect(front.clock.sleeps).toEqual([])
  })

  it('takes as many as it needs, each to the location that the last one named', async () => {
    let at = 1
    const parts: Buffer[] = []
    await using front = await startFront(
      takesUploads({
        PUT: first(answer(413), answer(201)),
        PATCH: async (seen, response) => {
          parts.push(await seen.body())
          at += 1
          const range = `0-${Buffer.concat(parts).length - 1}`
          response.writeHead(202, { location: `/upload/${at}`, range }).end()
        },
      }),
    )
    expect(await front.repository.putBlob(big.descriptor, openBig)).toBe('copied')
    const sent = front.seen
      .slice(4)
      .map(({ method, path, headers }) => [method, path.split('?')[0], headers['content-range']])
    const piece = 32 * 1024 * 1024
    expect(sent).toEqual([
      ['PATCH', '/upload/1', `0-${piece - 1}`],
      ['PATCH', '/upload/2', `${piece}-${big.bytes.length - 1}`],
      ['PUT', '/upload/3', undefined],
    ])
    expect(Buffer.concat(parts).equals(big.bytes)).toBe(true)
  })

  it('takes pieces as long as the registry wishes', async () => {
    await using front = await startFront(
      takesUploads({
        POST: answer(202, '/upload/1', { 'oci-chunk-min-length': String(64 * 1024 * 1024) }),
        PUT: first(answer(413), answer(201)),
      }),
    )
    await front.repository.putBlob(big.descriptor, openBig)
    expect(front.lines.filter(line => line.startsWith('PATCH'))).toHaveLength(1)
  })

  it.each([201, 202, 204])('takes %i as an answer', async status => {
    await using front = await startFront(
      takesUploads({ PUT: first(answer(413), answer(201)), PATCH: answer(status, '/upload/2') }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
  })

  it.each([
    ['0-5', 6],
    ['bytes=0-5', 6],
    ['0--1', 0],
  ])('ends in an error when the registry holds less than it was sent: %s', async (range, held) => {
    await using front = await startFront(
      takesUploads({ PUT: answer(413), PATCH: answer(201, '/upload/2', { range }) }),
    )
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringMatching(`holds ${held} of 12 bytes sent`),
    })
    expect(front.lines.filter(line => line.startsWith('PATCH'))).toHaveLength(1)
    expect(front.lines.at(-1)).toMatch(/^DELETE/)
  })

  it.each([400, 404, 413, 416])('ends in an error when a piece is refused with %i', async status => {
    await using front = await startFront(takesUploads({ PUT: answer(413), PATCH: answer(status) }))
    await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({ status })
    expect(front.lines.filter(line => line.startsWith('PATCH'))).toHaveLength(1)
  })

  it('is begun anew when a piece breaks', async () => {
    await using front = await startFront(
      takesUploads({
        PUT: first(answer(413), answer(201)),
        PATCH: first(answer(500), answer(202, '/upload/2')),
      }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.seen.slice(3).map(({ method }) => method)).toEqual([
      'POST',
      'PATCH',
      'DELETE',
      'POST',
      'PATCH',
      'PUT',
    ])
  })

  it('is begun anew when a piece would need a new login', async () => {
    const ask = answer(401, undefined, { 'www-authenticate': 'Basic' })
    await using front = await startFront(
      takesUploads({ PUT: first(answer(413), answer(201)), PATCH: first(ask, answer(202, '/upload/2')) }),
      { findCredential: async () => ({ kind: 'basic', username: 'anna', password: 'x' }) },
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    const patches = front.seen.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ headers }) => headers.authorization !== undefined)).toEqual([false, true])
  })
})

describe('a mount', () => {
  const path = `/v2/app/blobs/uploads/?mount=sha256%3A${blob.descriptor.digest.slice(7)}&from=other`
  const notOpened = async (): Promise<Chunks> => {
    throw new Error('the source was opened')
  }

  it('takes the blob from a sister repository without its bytes', async () => {
    await using front = await startFront(takesUploads({ POST: answer(201) }))
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, notOpened, { mountFrom })).toBe('mounted')
    expect(front.lines).toEqual([`POST ${path}`])
  })

  it('asks for a token that is good for both repositories', async () => {
    await using front = await startFront(({ path: asked, headers }, response) => {
      if (asked.startsWith('/token')) return response.end('{"token":"t"}')
      if (headers.authorization === 'Bearer t') return response.writeHead(201).end()
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"' }).end()
    })
    await front.repository.putBlob(blob.descriptor, notOpened, {
      mountFrom: front.registry.repository('other'),
    })
    expect(new URL(front.seen[1]?.path ?? '', front.url).searchParams.getAll('scope')).toEqual([
      'repository:app:pull,push',
      'repository:other:pull',
    ])
  })

  it('that opens a session (202) uses that session', async () => {
    await using front = await startFront(takesUploads())
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, open, { mountFrom })).toBe('copied')
    expect(front.lines.filter(line => !line.startsWith('HEAD'))).toEqual([
      `POST ${path}`,
      `PUT /upload/1?state=a&${query}`,
    ])
  })

  it('of a blob that is there already is no upload, and ends the session', async () => {
    await using front = await startFront(takesUploads({ HEAD: answer(200) }))
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, notOpened, { mountFrom })).toBe('present')
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })

  it.each([400, 401, 403, 404, 405])('that is refused with %i is an upload', async status => {
    await using front = await startFront(
      takesUploads({ POST: first(answer(status), answer(202, '/upload/1')) }),
    )
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, open, { mountFrom })).toBe('copied')
    expect(front.lines.slice(0, 2)).toContain(`POST ${path}`)
    expect(front.lines).toContain('POST /v2/app/blobs/uploads/')
    expect(front.lines.at(-1)).toBe(`PUT /upload/1?${query}`)
  })

  it('is an upload where no token is given out for the other repository', async () => {
    const inner = takesUploads()
    await using front = await startFront((seen, response) => {
      if (seen.path.startsWith('/token')) {
        return seen.path.includes('other') ? response.writeHead(403).end() : response.end('{"token":"t"}')
      }
      if (seen.headers.authorization !== undefined) return inner(seen, response)
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"' }).end()
    })
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, open, { mountFrom })).toBe('copied')
  })

  it('from the repository itself is nothing to do', async () => {
    await using front = await startFront(takesUploads())
    const mountFrom = front.registry.repository('app')
    expect(await front.repository.putBlob(blob.descriptor, notOpened, { mountFrom })).toBe('present')
    expect(front.lines).toEqual([])
  })

  it('is not tried from another registry', async () => {
    await using front = await startFront(takesUploads())
    await using other = await startFront(takesUploads())
    expect(front.repository.canMountFrom(other.repository)).toBe(false)
    await front.repository.putBlob(blob.descriptor, open, { mountFrom: other.repository })
    expect(front.lines[0]).toBe('POST /v2/app/blobs/uploads/')
  })
})

describe('a login in the middle of an upload', () => {
  it('has the source opened again, and the upload goes on', async () => {
    let tokens = 0
    let opened = 0
    let wanted = 'Bearer t1'
    const inner = takesUploads()
    const takesToken: Handler = (seen, response) => {
      if (seen.path.startsWith('/token')) {
        tokens += 1
        return response.end(JSON.stringify({ token: `t${tokens}`, expires_in: 3600 }))
      }
      if (seen.method === 'PUT') wanted = 'Bearer t2'
      if (seen.headers.authorization === wanted) return inner(seen, response)
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"', connection: 'close' }).end()
    }
    await using front = await startFront(takesToken)
    const counting = () => {
      opened += 1
      return openBig()
    }
    expect(await front.repository.putBlob(big.descriptor, counting)).toBe('copied')
    expect({ tokens, opened }).toEqual({ tokens: 2, opened: 2 })
  })
})

describe('a registry that answers early and hangs up', () => {
  it.each([
    [403, 'UNAUTHORIZED'],
    [409, 'REGISTRY'],
  ])('with %i is heard, or its broken connection is told, and nothing hangs', async (status, code) => {
    await using front = await startFront(
      takesUploads({
        PUT: async ({ message }, response) => {
          await once(message, 'data')
          response.writeHead(status, { connection: 'close' }).end('stop')
        },
      }),
      { retryPolicy: { retries: 2 } },
    )
    const put = front.repository.putBlob(big.descriptor, openBig)
    // Which of the two it is, the system's buffers decide.
    await expect(put).rejects.toSatisfy((error: { code: string }) => [code, 'NETWORK'].includes(error.code))
  })
})

describe('content that breaks off', () => {
  const fault = new Error('the source broke off')
  const breaking = async function* (): Chunks {
    yield Buffer.from('twelve')
    throw fault
  }

  it.each<[when: string, own: Record<string, Handler>]>([
    ['in one piece', {}],
    ['in pieces', { PUT: answer(413) }],
  ])('is the error that is thrown, and the session is cancelled: %s', async (_, own) => {
    let isFirst = own.PUT !== undefined
    await using front = await startFront(takesUploads(own))
    const openOnce = async () => {
      const content = isFirst ? chunksOf(blob.bytes) : breaking()
      isFirst = false
      return content
    }
    await expect(front.repository.putBlob(blob.descriptor, openOnce)).rejects.toBe(fault)
    expect(front.lines).toContain('DELETE /upload/1?state=a')
    expect(front.clock.sleeps).toEqual([])
  })

  it('before it begins is the error that is thrown', async () => {
    await using front = await startFront(takesUploads())
    const broken = async () => {
      throw fault
    }
    await expect(front.repository.putBlob(blob.descriptor, broken)).rejects.toBe(fault)
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })

  it.each([
    ['less', ['twelve'], /ended after 6 of 12 bytes$/],
    ['more', ['twelve bytes', '!'], /more than the 12 bytes/],
    ['none', [], /ended after 0 of 12 bytes$/],
  ])('or holds %s than its descriptor says, is not tried again', async (_, pieces, message) => {
    await using front = await startFront(takesUploads())
    const put = front.repository.putBlob(blob.descriptor, async () => chunksOf(...pieces))
    await expect(put).rejects.toMatchObject({ code: 'INTEGRITY', message: expect.stringMatching(message) })
    expect(front.clock.sleeps).toEqual([])
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })
})

describe('an abort in the middle of an upload', () => {
  it.each<[when: string, own: Record<string, Handler>, opening: number]>([
    ['in one piece', {}, 1],
    ['in pieces', { PUT: answer(413) }, 2],
  ])('ends it, though the source stalls, and cancels the session: %s', async (_, own, opening) => {
    const controller = new AbortController()
    let opened = 0
    const stalling = async function* (): Chunks {
      yield Buffer.from('twelve')
      controller.abort()
      await new Promise(() => {})
    }
    const openThen = async () => {
      opened += 1
      return opened === opening ? stalling() : chunksOf(blob.bytes)
    }
    await using front = await startFront(takesUploads(own))
    const put = front.repository.putBlob(blob.descriptor, openThen, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect(front.lines).toContain('DELETE /upload/1?state=a')
  })

  it('ends the wait before the next session', async () => {
    const controller = new AbortController()
    await using front = await startFront(
      takesUploads({
        DELETE: (seen, response) => {
          controller.abort()
          return answer(204)(seen, response)
        },
        PUT: answer(500),
      }),
    )
    const put = front.repository.putBlob(blob.descriptor, open, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ name: 'DrayError' })
    expect(front.lines.filter(line => line.startsWith('PUT'))).toHaveLength(1)
  })
})

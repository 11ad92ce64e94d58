import { describe, expect, it } from 'vitest'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { type Handler, startFront } from './front.ts'
import { answer, blob, first, open, query, refuse, start, takesUploads } from './upload-script.ts'

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
    expect(front.lines).toEqual([start, `PUT /upload/1?state=a&${query}`])
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
    expect(front.lines).toEqual([start, 'POST /v2/app/blobs/uploads/'])
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

describe('an upload that breaks is begun anew where the registry does not say how far it came', () => {
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
    expect(front.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'GET', 'DELETE', 'POST', 'PUT'])
    expect(opened).toBe(2)
    expect(front.clock.sleeps[0]).toBe(delayMs)
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

import { describe, expect, it } from 'vitest'
import { type Handler, startFront } from './front.ts'
import { answer, big, blob, first, open, openBig, query, start, takesUploads } from './upload-script.ts'

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
      start,
      `PUT /upload/1?state=a&${query}`,
      'DELETE /upload/1?state=a',
      start,
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
      .filter(({ method }) => method === 'PATCH' || method === 'PUT')
      .slice(1)
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

  it('is begun anew when a piece breaks and the registry does not say how far it came', async () => {
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
      'GET',
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

import { describe, expect, it } from 'vitest'
import type { Chunks } from '../../../src/flow.ts'
import { challenge, json } from '../../support/fake-send.ts'
import { startFront } from '../front.ts'
import { playTurns } from '../turns.ts'
import {
  answer,
  big,
  blob,
  first,
  mountPath,
  open,
  openBig,
  query,
  refuse,
  start,
  takesUploads,
} from '../upload-script.ts'
import { anna, bearer } from './speech.ts'

const digest = blob.descriptor.digest
const notOpened = async (): Promise<Chunks> => {
  throw new Error('the source was opened')
}

describe('an upload', () => {
  it.each([
    ['absolute (Quay)', 'http://HOST/v2/app/blobs/uploads/1', `/v2/app/blobs/uploads/1?${query}`],
    ['relative', '/v2/app/blobs/uploads/1', `/v2/app/blobs/uploads/1?${query}`],
    [
      'with a query (distribution)',
      '/v2/app/blobs/uploads/1?_state=a%3D',
      `/v2/app/blobs/uploads/1?_state=a%3D&${query}`,
    ],
    [
      'outside of /v2/ (Google)',
      '/artifacts-uploads/namespaces/p/1?upload_id=x',
      `/artifacts-uploads/namespaces/p/1?upload_id=x&${query}`,
    ],
  ])('5. goes on at a Location that is %s, with the login', async (_, location, expected) => {
    const inner = takesUploads({
      POST: (_, response) =>
        response
          .writeHead(202, { location: location.replace('HOST', front.host), range: 'bytes=0--1' })
          .end(),
    })
    await using front = await startFront(
      (seen, response) =>
        seen.headers.authorization === undefined
          ? response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
          : inner(seen, response),
      { findCredential: async () => anna },
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.lines).toEqual([start, start, `PUT ${expected}`])
  })

  it('6. is a POST and one PUT with the whole blob', async () => {
    const bodies: string[] = []
    await using front = await startFront(
      takesUploads({
        PUT: async (seen, response) => {
          bodies.push((await seen.body()).toString())
          response.writeHead(201).end()
        },
      }),
    )
    await front.repository.putBlob(blob.descriptor, open)
    expect(front.lines).toEqual([start, `PUT /upload/1?state=a&${query}`])
    expect(bodies).toEqual(['twelve bytes'])
  })

  it('6. that is refused in one piece starts again as PATCH and PUT (older Artifactory)', async () => {
    await using front = await startFront(
      takesUploads({ PUT: first(refuse(400, 'BLOB_UPLOAD_INVALID'), answer(201)) }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.seen.map(({ method, headers }) => `${method} ${headers['content-length']}`)).toEqual([
      'POST 0',
      'PUT 12',
      'DELETE undefined',
      'POST 0',
      'PATCH 12',
      'PUT 0',
    ])
  })

  it.each([201, 202])('7. takes %i for a PATCH', async status => {
    await using front = await startFront(
      takesUploads({
        PUT: first(answer(413), answer(201)),
        PATCH: answer(status, '/upload/2', { range: '0-11' }),
      }),
    )
    expect(await front.repository.putBlob(blob.descriptor, open)).toBe('copied')
    expect(front.lines.at(-1)).toBe(`PUT /upload/2?${query}`)
  })

  it("7. whose Range stalls is an error and no loop (ECR keeps the first piece's)", async () => {
    const piece = 32 * 1024 * 1024
    await using front = await startFront(
      takesUploads({ PUT: answer(413), PATCH: answer(201, '/upload/2', { range: `0-${piece - 1}` }) }),
    )
    await expect(front.repository.putBlob(big.descriptor, openBig)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringMatching(`the registry holds ${piece} of ${big.bytes.length} bytes sent$`),
    })
    expect(front.lines.filter(line => line.startsWith('PATCH'))).toHaveLength(2)
    expect(front.lines.at(-1)).toBe('DELETE /upload/2')
  })

  it('7. whose PATCH is answered with 416 is an error and no loop (GHCR, over 4 MiB)', async () => {
    await using front = await startFront(
      takesUploads({ PUT: answer(413), PATCH: refuse(416, 'BLOB_UPLOAD_INVALID') }),
    )
    await expect(front.repository.putBlob(big.descriptor, openBig)).rejects.toMatchObject({
      code: 'REGISTRY',
      status: 416,
    })
    expect(front.lines.filter(line => line.startsWith('PATCH'))).toHaveLength(1)
  })

  it.each([202, 204, 401, 405, 'broken'] as const)(
    'also: a cancel that is answered with %s is passed over, and what went wrong is told',
    async cancel => {
      await using front = await startFront(
        takesUploads({
          PUT: refuse(409, 'CONFLICT'),
          DELETE: cancel === 'broken' ? (_, response) => response.destroy() : answer(cancel),
        }),
      )
      await expect(front.repository.putBlob(blob.descriptor, open)).rejects.toMatchObject({ status: 409 })
      expect(front.lines.some(line => line.startsWith('DELETE /upload/1'))).toBe(true)
    },
  )
})

describe('a mount', () => {
  it('25. names the other repository, and asks for scopes of both', async () => {
    const post = `POST https://reg.example${mountPath(blob.descriptor, 'other')}`
    const scopes = 'scope=repository%3Aapp%3Apull%2Cpush&scope=repository%3Aother%3Apull'
    const { registry, expectTold } = playTurns('reg.example', [
      [post, undefined, challenge(`${bearer},scope="repository:app:pull,push"`)],
      [`GET https://auth.example/t?service=s&${scopes}`, undefined, json({ token: 't' })],
      [post, 'Bearer t', { status: 201 }],
    ])
    const mountFrom = registry.repository('other')
    const app = registry.repository('app', 'pull,push')
    expect(await app.putBlob(blob.descriptor, notOpened, { mountFrom })).toBe('mounted')
    expectTold()
  })

  it('25. is not tried from another registry', async () => {
    await using other = await startFront(takesUploads())
    await using front = await startFront(takesUploads())
    await front.repository.putBlob(blob.descriptor, open, { mountFrom: other.registry.repository('other') })
    expect(front.lines).toEqual([start, `PUT /upload/1?state=a&${query}`])
    expect(other.lines).toEqual([])
  })

  it("25. that is answered with 202 goes on at that answer's Location", async () => {
    await using front = await startFront(takesUploads())
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, open, { mountFrom })).toBe('copied')
    expect(front.lines).toEqual([
      `POST ${mountPath(blob.descriptor, 'other')}`,
      `HEAD /v2/app/blobs/${digest}`,
      `PUT /upload/1?state=a&${query}`,
    ])
  })

  it.each([400, 401, 403, 404, 405, 500])('25. that fails with %i is an upload', async status => {
    await using front = await startFront(
      (seen, response) => (seen.path.includes('mount=') ? answer(status) : takesUploads())(seen, response),
      { retryPolicy: { retries: 0 } },
    )
    const mountFrom = front.registry.repository('other')
    expect(await front.repository.putBlob(blob.descriptor, open, { mountFrom })).toBe('copied')
    expect(front.lines).toContain('POST /v2/app/blobs/uploads/')
    expect(front.lines.at(-1)).toBe(`PUT /upload/1?state=a&${query}`)
  })
})

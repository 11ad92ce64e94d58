import { describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import { startFront } from './front.ts'
import { answer, blob, first, mountPath, open, query, start, takesUploads } from './upload-script.ts'

describe('a mount', () => {
  const path = mountPath(blob.descriptor, 'other')
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

  it('that opens a session leaves it to the upload where nobody says whether the blob is there', async () => {
    await using front = await startFront(takesUploads({ HEAD: answer(400), PUT: answer(403) }))
    const mountFrom = front.registry.repository('other')
    await expect(front.repository.putBlob(blob.descriptor, open, { mountFrom })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect(front.lines.slice(-2)).toEqual([`PUT /upload/1?state=a&${query}`, 'DELETE /upload/1?state=a'])
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
    expect(front.lines[0]).toBe(start)
  })
})

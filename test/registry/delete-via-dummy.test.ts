import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { deleteImage } from '../../src/registry/delete-image.ts'
import { type Handler, startFront } from './front.ts'

const image = digestOf('image')

/** A registry of one tag that deletes by digest only, as distribution 2.x does. `deletes` answers each such DELETE. */
function byDigestOnly(deletes: readonly number[]): Handler {
  const statuses = [...deletes]
  const held = new Map<string, Buffer>()
  return async ({ method, path, body }, response) => {
    if (path.includes('/blobs/uploads/')) {
      const status = path.includes('mount=') || method === 'PUT' ? 201 : 202
      return response.writeHead(status, { location: '/v2/app/blobs/uploads/1' }).end()
    }
    if (method === 'PUT') {
      const bytes = await body()
      held.set(digestOf(bytes), bytes)
      return response.writeHead(201).end()
    }
    if (method === 'DELETE') {
      const status = path.includes('sha256:') ? (statuses.shift() ?? 202) : 400
      const code = status === 405 ? 'UNSUPPORTED' : status === 400 ? 'DIGEST_INVALID' : 'UNKNOWN'
      return response.writeHead(status).end(status < 300 ? '' : `{"errors":[{"code":"${code}"}]}`)
    }
    if (method === 'GET') return response.end(held.get(path.split('/').at(-1) ?? ''))
    response.writeHead(200, { 'docker-content-digest': image, 'content-length': 7 }).end()
  }
}

const writes = (lines: readonly string[]) =>
  lines.filter(line => /^(?:PUT|DELETE) \/v2\/app\/manifests\//.test(line))

describe('a tag that is deleted by way of a dummy', () => {
  it('11. is moved to an image of its own, which is deleted after another one proved that it can be', async () => {
    await using front = await startFront(byDigestOnly([202, 202]))
    expect(await deleteImage(front.repository, 'v1', { viaDummy: true })).toMatchObject({
      digest: image,
      tags: ['v1'],
      manifest: false,
    })
    const [refused, pushTrial, deleteTrial, move, deleteDummy, ...others] = writes(front.lines)
    expect(others).toEqual([])
    expect([refused, move]).toEqual(['DELETE /v2/app/manifests/v1', 'PUT /v2/app/manifests/v1'])
    expect(deleteTrial).toBe(pushTrial?.replace('PUT', 'DELETE'))
    expect(deleteDummy).toMatch(/^DELETE \/v2\/app\/manifests\/sha256:/)
    expect(deleteDummy).not.toBe(deleteTrial)
    expect(writes(front.lines).join()).not.toContain(image)
  })

  it('is not moved where the registry deletes nothing', async () => {
    await using front = await startFront(byDigestOnly([405]))
    await expect(deleteImage(front.repository, 'v1', { viaDummy: true })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `${front.host}/app:v1 is not deleted: this registry deletes nothing`,
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED'),
      status: 405,
    })
    expect(front.lines).not.toContain('PUT /v2/app/manifests/v1')
  })

  it('is not moved where the login may not delete', async () => {
    await using front = await startFront(byDigestOnly([403]))
    await expect(deleteImage(front.repository, 'v1', { viaDummy: true })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect(front.lines).not.toContain('PUT /v2/app/manifests/v1')
  })

  it('that is moved and then not deleted is said to stand for an empty image, and how that is ended', async () => {
    await using front = await startFront(byDigestOnly([202, 403]))
    await expect(deleteImage(front.repository, 'v1', { viaDummy: true })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/app:v1 now stands for an empty image$/),
      hint: expect.stringMatching(/^delete .*\/app@sha256:[0-9a-f]{64}$/),
      status: 403,
    })
  })

  it('is not moved when the registry deletes tags by themselves', async () => {
    await using front = await startFront((seen, response) =>
      seen.method === 'DELETE' ? response.writeHead(202).end() : byDigestOnly([])(seen, response),
    )
    await deleteImage(front.repository, 'v1', { viaDummy: true })
    expect(writes(front.lines)).toEqual(['DELETE /v2/app/manifests/v1'])
  })
})

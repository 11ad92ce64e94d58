import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { deleteImage } from '../../src/registry/delete-image.ts'
import { wouldTakeAlong } from '../../src/registry/would-take-along.ts'
import { type Handler, startFront } from './front.ts'

const one = digestOf('one')
const two = digestOf('two')

interface Held {
  /** What the tags stand for. */
  readonly tags: Readonly<Record<string, Descriptor['digest']>>
  /** How a DELETE by tag, and one by digest, is answered; 202 if not given. */
  readonly byTag?: number
  readonly byDigest?: number
}

/** A registry that holds these tags and answers deletes as it is told. */
function holds({ tags, byTag = 202, byDigest = 202 }: Held): Handler {
  return ({ method, path }, response) => {
    if (path.startsWith('/v2/app/tags/list')) return response.end(JSON.stringify({ tags: Object.keys(tags) }))
    const reference = decodeURIComponent(path.split('/').at(-1) ?? '')
    const digest = tags[reference] ?? Object.values(tags).find(held => held === reference)
    if (digest === undefined) return response.writeHead(404).end()
    if (method === 'DELETE') {
      const status = reference === digest ? byDigest : byTag
      return response
        .writeHead(status)
        .end(status < 300 ? '' : '{"errors":[{"code":"UNSUPPORTED","message":"no"}]}')
    }
    response.writeHead(200, { 'docker-content-digest': digest, 'content-length': 7 }).end('{"a":1}')
  }
}

const deletes = (lines: readonly string[]) => lines.filter(line => line.startsWith('DELETE'))

describe('a tag', () => {
  it('is deleted alone where the registry can, without a look at the others', async () => {
    await using front = await startFront(holds({ tags: { v1: one, latest: one } }))
    expect(await deleteImage(front.repository, 'v1')).toEqual({
      repository: `${front.host}/app`,
      digest: one,
      tags: ['v1'],
      siblings: [],
      manifest: false,
      dryRun: false,
    })
    expect(front.lines).toEqual(['HEAD /v2/app/manifests/v1', 'DELETE /v2/app/manifests/v1'])
  })

  it.each([400, 405, 406, 415, 501])(
    'is deleted by its digest where the registry refuses tags with %i and no other tag stands for it',
    async byTag => {
      await using front = await startFront(holds({ tags: { v1: one, v2: two }, byTag }))
      expect(await deleteImage(front.repository, 'v1')).toMatchObject({
        digest: one,
        tags: ['v1'],
        siblings: [],
        manifest: true,
      })
      expect(deletes(front.lines)).toEqual(['DELETE /v2/app/manifests/v1', `DELETE /v2/app/manifests/${one}`])
    },
  )

  it('stays where the registry refuses tags and other tags would go too', async () => {
    await using front = await startFront(
      holds({ tags: { v1: one, latest: one, v2: two, stable: one }, byTag: 405 }),
    )
    await expect(deleteImage(front.repository, 'v1')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `${front.host}/app:v1 is not deleted: this registry cannot delete a tag alone, and the same image has the tags: latest, stable`,
      hint: expect.stringContaining('--force'),
    })
    expect(deletes(front.lines)).toEqual(['DELETE /v2/app/manifests/v1'])
  })

  it('takes the others along by force', async () => {
    await using front = await startFront(holds({ tags: { v1: one, latest: one, v2: two }, byTag: 405 }))
    const deleted = await deleteImage(front.repository, 'v1', { force: true })
    expect(deleted).toMatchObject({ tags: ['v1', 'latest'], manifest: true })
    expect(deletes(front.lines).at(-1)).toBe(`DELETE /v2/app/manifests/${one}`)
  })

  it('is not deleted in a dry run, which names the other tags of the image', async () => {
    await using front = await startFront(holds({ tags: { v1: one, v2: two, latest: one } }))
    expect(await deleteImage(front.repository, 'v1', { dryRun: true })).toMatchObject({
      tags: ['v1'],
      siblings: ['latest'],
      dryRun: true,
    })
    expect(deletes(front.lines)).toEqual([])
  })

  it('that is not there is not found', async () => {
    await using front = await startFront(holds({ tags: { v1: one } }))
    await expect(deleteImage(front.repository, 'v2')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(deletes(front.lines)).toEqual([])
  })

  it.each([401, 403, 409])('that the registry refuses to delete with %i is left alone', async byTag => {
    await using front = await startFront(holds({ tags: { v1: one }, byTag }))
    await expect(deleteImage(front.repository, 'v1')).rejects.toMatchObject({ status: byTag })
    expect(deletes(front.lines)).toEqual(['DELETE /v2/app/manifests/v1'])
  })

  it('is deleted nowhere where the registry deletes nothing, and how it could be is told', async () => {
    await using front = await startFront(holds({ tags: { v1: one }, byTag: 405, byDigest: 405 }))
    await expect(deleteImage(front.repository, 'v1')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      status: 405,
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED'),
    })
  })
})

describe('a digest', () => {
  it('without tags is deleted', async () => {
    await using front = await startFront(({ method, path }, response) => {
      if (path.startsWith('/v2/app/tags/list')) return response.end('{"tags":null}')
      if (method === 'DELETE') return response.writeHead(202).end()
      response.writeHead(200, { 'docker-content-digest': one, 'content-length': 7 }).end('{"a":1}')
    })
    expect(await deleteImage(front.repository, one)).toEqual({
      repository: `${front.host}/app`,
      digest: one,
      tags: [],
      siblings: [],
      manifest: true,
      dryRun: false,
    })
    expect(deletes(front.lines)).toEqual([`DELETE /v2/app/manifests/${one}`])
  })

  it('with tags stays, and they are named', async () => {
    await using front = await startFront(holds({ tags: { v1: one, v2: two, latest: one } }))
    await expect(deleteImage(front.repository, one)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: `${front.host}/app@${one} is not deleted: these tags stand for it: v1, latest`,
    })
    expect(deletes(front.lines)).toEqual([])
  })

  it('with tags is deleted with them by force', async () => {
    await using front = await startFront(holds({ tags: { v1: one, latest: one } }))
    expect(await deleteImage(front.repository, one, { force: true })).toMatchObject({
      tags: ['v1', 'latest'],
    })
    expect(deletes(front.lines)).toEqual([`DELETE /v2/app/manifests/${one}`])
  })

  it('and its tags are found out in a dry run, and nothing is deleted', async () => {
    await using front = await startFront(holds({ tags: { v1: one, latest: one } }))
    const options = { force: true, dryRun: true }
    expect(await deleteImage(front.repository, one, options)).toMatchObject({
      tags: ['v1', 'latest'],
      dryRun: true,
    })
    expect(deletes(front.lines)).toEqual([])
  })
})

it('tags are looked up so many at a time as is said', async () => {
  const names = Array.from({ length: 7 }, (_, at) => `v${at}`)
  const tags = Object.fromEntries(names.map(name => [name, two]))
  const inner = holds({ tags: { ...tags, last: one } })
  let running = 0
  let most = 0
  await using front = await startFront((seen, response) => {
    running += 1
    most = Math.max(most, running)
    setImmediate(() => {
      running -= 1
      inner(seen, response)
    })
  })
  await deleteImage(front.repository, one, { jobs: 3, force: true })
  expect(front.lines.filter(line => line.startsWith('HEAD'))).toHaveLength(1 + names.length + 1)
  expect(most).toBeLessThanOrEqual(3)
})

it('an abort ends the search for tags', async () => {
  await using front = await startFront(holds({ tags: { v1: one } }))
  const options = { signal: AbortSignal.abort() }
  await expect(deleteImage(front.repository, one, options)).rejects.toMatchObject({ code: 'ABORTED' })
  expect(deletes(front.lines)).toEqual([])
})

it('of many tags that would go along ten are named', () => {
  const tags = Array.from({ length: 13 }, (_, at) => `v${at}`)
  expect(wouldTakeAlong({ name: 'h/app' }, 'x', tags).message).toMatch(/: v0, .*, v9 and 3 more$/)
})

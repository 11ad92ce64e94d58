import { describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { type Front, type Handler, startFront } from './front.ts'
import { answer, first, mountPath, takesUploads } from './upload-script.ts'

const small = sampleBlob('a small one')
const other = sampleBlob('another')
/** One that is worth a question. */
const large = sampleBlob(Buffer.alloc(1024 * 1024, 'large '))
const plain = 'POST /v2/app/blobs/uploads/'
const mount = ({ descriptor }: typeof small) => `POST ${mountPath(descriptor)}`
const head = ({ descriptor }: typeof small) => `HEAD /v2/app/blobs/${descriptor.digest}`

const put = ({ repository }: Front, { descriptor, bytes }: typeof small) =>
  repository.putBlob(descriptor, async () => chunksOf(bytes))
const notOpened = async (): Promise<Chunks> => {
  throw new Error('the source was opened')
}
const questions = ({ lines }: Front) => lines.filter(line => !line.startsWith('PUT'))

/** Answers a mount in one way and all other POSTs with a session. */
const mounts =
  (handler: Handler): Handler =>
  (seen, response) =>
    (seen.path.includes('mount=') ? handler : answer(202, '/upload/1'))(seen, response)

describe('whether a blob is there', () => {
  it('is answered by the request that starts its upload: 201', async () => {
    await using front = await startFront(takesUploads({ POST: answer(201) }))
    expect(await front.repository.putBlob(large.descriptor, notOpened)).toBe('present')
    expect(front.lines).toEqual([mount(large)])
  })

  it('is answered with a session for one that is not: 202', async () => {
    await using front = await startFront(takesUploads())
    expect(await put(front, small)).toBe('copied')
    expect(await put(front, other)).toBe('copied')
    expect(questions(front)).toEqual([mount(small), mount(other)])
  })

  it('is asked by HEAD for a large one while no registry was seen to answer it: absent', async () => {
    await using front = await startFront(takesUploads())
    for (const blob of [large, large]) expect(await put(front, blob)).toBe('copied')
    expect(questions(front)).toEqual([mount(large), head(large), mount(large), head(large)])
  })

  it('is not asked by HEAD any more once the registry has told it by 201', async () => {
    await using front = await startFront(takesUploads({ POST: first(answer(201), answer(202, '/upload/1')) }))
    expect(await put(front, small)).toBe('present')
    expect(await put(front, large)).toBe('copied')
    expect(questions(front)).toEqual([mount(small), mount(large)])
  })

  it('is asked by HEAD before a plain POST once a mount was seen not to tell it', async () => {
    await using front = await startFront(takesUploads({ HEAD: first(answer(200), answer(404)) }))
    expect(await front.repository.putBlob(large.descriptor, notOpened)).toBe('present')
    expect(front.lines).toEqual([mount(large), head(large), 'DELETE /upload/1?state=a'])
    expect(await put(front, small)).toBe('copied')
    expect(questions(front).slice(3)).toEqual([head(small), plain])
  })

  it('is learnt for all repositories of a registry', async () => {
    await using front = await startFront(takesUploads({ HEAD: answer(200) }))
    await front.repository.putBlob(large.descriptor, notOpened)
    const sister = front.registry.repository('sister', 'pull,push')
    expect(await sister.putBlob(small.descriptor, notOpened)).toBe('present')
    expect(front.lines.slice(3)).toEqual([`HEAD /v2/sister/blobs/${small.descriptor.digest}`])
  })

  it.each([400, 401, 403, 404, 405, 500])(
    'is asked by HEAD from then on where such a mount is refused with %i and a plain upload is not',
    async status => {
      await using front = await startFront(takesUploads({ POST: mounts(answer(status)) }))
      expect(await put(front, small)).toBe('copied')
      const asked = questions(front)
      // After a 401 the way in is looked for; after a 500 the same is asked again.
      expect([...new Set(asked)].filter(line => line !== 'GET /v2/')).toEqual([mount(small), plain])
      expect(asked.at(-1)).toBe(plain)
      expect(await put(front, other)).toBe('copied')
      expect(questions(front).slice(asked.length)).toEqual([head(other), plain])
    },
  )

  it('remains open where the registry refuses uploads of any kind', async () => {
    await using front = await startFront(takesUploads({ POST: answer(404) }))
    for (const blob of [small, other]) await expect(put(front, blob)).rejects.toThrow()
    expect(front.lines).toEqual([mount(small), plain, mount(other), plain])
  })

  it.each([400, 403])('that is not said to a HEAD (%i) is decided by the upload', async status => {
    await using front = await startFront(takesUploads({ POST: mounts(answer(405)), HEAD: answer(status) }))
    for (const blob of [small, large, other]) expect(await put(front, blob)).toBe('copied')
    expect(front.lines.filter(line => line.startsWith('PUT'))).toHaveLength(3)
  })

  it('is asked for with one token, the same as for the upload', async () => {
    const inner = takesUploads()
    await using front = await startFront((seen, response) => {
      if (seen.path.startsWith('/token')) return response.end('{"token":"t"}')
      if (seen.headers.authorization === 'Bearer t') return inner(seen, response)
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="/token"' }).end()
    })
    await put(front, large)
    const tokens = front.lines.filter(line => line.startsWith('GET /token'))
    expect(tokens).toEqual(['GET /token?scope=repository%3Aapp%3Apull%2Cpush'])
    expect(front.seen.filter(({ headers }) => headers.authorization === undefined)).toHaveLength(2)
  })

  it('is not waited for when the caller aborts: HEAD', async () => {
    const controller = new AbortController()
    const stalls: Handler = () => controller.abort()
    await using front = await startFront(takesUploads({ HEAD: stalls }))
    const putting = front.repository.putBlob(large.descriptor, notOpened, { signal: controller.signal })
    await expect(putting).rejects.toMatchObject({ name: 'DrayError' })
    expect(front.lines.at(-1)).toBe('DELETE /upload/1?state=a')
  })
})

import { randomUUID } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/oci/digest.ts'
import { type Answer, type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob } from '../../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const blob = sampleBlob('0123456789')
const { digest } = blob.descriptor

/** Starts an upload and returns its path. */
async function startUpload(repository: string): Promise<string> {
  const answer = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`)
  expect(answer).toMatchObject({ status: 202, headers: { range: '0-0' } })
  const { location = '' } = answer.headers
  expect(location).toMatch(new RegExp(`^/v2/${repository}/blobs/uploads/[0-9a-f-]{36}$`))
  return location
}

const patch = (path: string, body: string, range?: string): Promise<Answer> =>
  registry.ask('PATCH', path, { body, headers: range === undefined ? {} : { 'Content-Range': range } })

async function expectBlob(repository: string, text = '0123456789'): Promise<void> {
  const got = await registry.ask('GET', `/v2/${repository}/blobs/${digestOf(text)}`)
  expect(got.body.toString()).toBe(text)
}

async function expectNoBlob(repository: string): Promise<void> {
  const got = await registry.ask('HEAD', `/v2/${repository}/blobs/${digest}`)
  expect(got.status).toBe(404)
}

describe('a whole blob', () => {
  const created = { status: 201, headers: { 'docker-content-digest': digest } }

  it('comes with one POST', async () => {
    const path = `/v2/one/post/blobs/uploads/?digest=${digest}`
    const answer = await registry.ask('POST', path, { body: blob.bytes })
    expect(answer).toMatchObject(created)
    expect(answer.headers.location).toBe(`/v2/one/post/blobs/${digest}`)
    await expectBlob('one/post')
  })

  it('comes with a POST and a PUT', async () => {
    const path = await startUpload('post/put')
    expect(await registry.ask('PUT', `${path}?digest=${digest}`, { body: blob.bytes })).toMatchObject(created)
    await expectBlob('post/put')
    expect((await registry.ask('GET', path)).codes).toEqual(['BLOB_UPLOAD_UNKNOWN'])
  })

  it('comes with a POST, a PATCH without a Content-Range and an empty PUT', async () => {
    const path = await startUpload('post/patch/put')
    expect((await patch(path, '0123456789')).status).toBe(202)
    expect(await registry.ask('PUT', `${path}?digest=${digest}`)).toMatchObject(created)
    await expectBlob('post/patch/put')
  })

  it('may say at the start by which algorithm it will be named', async () => {
    const sha512 = digestOf('0123456789', 'sha512')
    for (const [algorithm, named] of [
      ['sha512', sha512],
      ['sha256', sha512], // which was a wrong promise, and no harm is done
      ['sha512', digest],
    ]) {
      const started = await registry.ask('POST', `/v2/long/blobs/uploads/?digest-algorithm=${algorithm}`)
      expect(started.status).toBe(202)
      const path = String(started.headers.location)
      await patch(path, '01234')
      await patch(path, '56789')
      expect((await registry.ask('PUT', `${path}?digest=${named}`)).status).toBe(201)
      expect((await registry.ask('GET', `/v2/long/blobs/${named}`)).body).toEqual(blob.bytes)
    }
    const unknown = await registry.ask('POST', '/v2/long/blobs/uploads/?digest-algorithm=md5')
    expect(unknown).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  })

  it('may be named by sha512', async () => {
    const sha512 = digestOf('0123456789', 'sha512')
    const path = await startUpload('long')
    await patch(path, '01234')
    expect((await registry.ask('PUT', `${path}?digest=${sha512}`, { body: '56789' })).status).toBe(201)
    expect((await registry.ask('GET', `/v2/long/blobs/${sha512}`)).body).toEqual(blob.bytes)
  })

  it('is refused under another digest, and nothing of it is left', async () => {
    const wrong = digestOf('wrong')
    const path = await startUpload('wrong')
    const answers = [
      await registry.ask('POST', `/v2/wrong/blobs/uploads/?digest=${wrong}`, { body: blob.bytes }),
      await registry.ask('PUT', `${path}?digest=${wrong}`, { body: blob.bytes }),
    ]
    for (const answer of answers) expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
    expect((await registry.ask('GET', path)).status).toBe(404)
    expect((await registry.ask('GET', '/v2/wrong/tags/list')).codes).toEqual(['NAME_UNKNOWN'])
  })

  it.each(['', '?digest=', '?digest=sha256:0', '?digest=md5:0123'])(
    'is refused with the query "%s"',
    async query => {
      const path = await startUpload('query')
      const answer = await registry.ask('PUT', path + query, { body: blob.bytes })
      expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
      expect((await registry.ask('GET', path)).status).toBe(204)
    },
  )
})

describe('a blob in chunks', () => {
  it('tells after each how far it is', async () => {
    const path = await startUpload('chunks')
    for (const [text, range, progress] of [
      ['012', '0-2', '0-2'],
      ['3456', '3-6', '0-6'],
      ['78', 'bytes 7-8/*', '0-8'],
    ] as const) {
      const answer = await patch(path, text, range)
      expect(answer).toMatchObject({ status: 202, headers: { location: path, range: progress } })
      const status = await registry.ask('GET', path)
      expect(status).toMatchObject({ status: 204, headers: { location: path, range: progress } })
    }
    const last = { body: '9', headers: { 'Content-Range': '9-9' } }
    expect((await registry.ask('PUT', `${path}?digest=${digest}`, last)).status).toBe(201)
    await expectBlob('chunks')
  })

  it.each(['0-2', '4-6', '2-4'])('refuses chunk %s where byte 3 comes next, and goes on', async range => {
    const path = await startUpload('order')
    await patch(path, '012', '0-2')
    const refused = await patch(path, 'xxx', range)
    expect(refused).toMatchObject({ status: 416, headers: { range: '0-2', location: path } })
    const put = { body: 'xxx', headers: { 'Content-Range': range } }
    expect((await registry.ask('PUT', `${path}?digest=${digest}`, put)).status).toBe(416)
    expect((await patch(path, '3456789', '3-9')).status).toBe(202)
    expect((await registry.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
  })

  it.each(['3-4', '3-99'])('takes a chunk back that is not as long as its range %s', async range => {
    const path = await startUpload('length')
    await patch(path, '012')
    expect(await patch(path, '3456', range)).toMatchObject({ status: 400, codes: ['SIZE_INVALID'] })
    expect((await registry.ask('GET', path)).headers.range).toBe('0-2')
  })

  it.each(['a-b', '5', '9-3', '-5'])('refuses the Content-Range %s', async range => {
    expect((await patch(await startUpload('malformed'), '012', range)).status).toBe(416)
  })

  it('is the same however it is cut', async () => {
    const cuts = fc.array(fc.string({ maxLength: 40 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, fc.string({ maxLength: 20 }), async (chunks, last) => {
        const whole = [...chunks, last].join('')
        const path = await startUpload('any')
        for (const chunk of chunks) await patch(path, chunk)
        const put = await registry.ask('PUT', `${path}?digest=${digestOf(whole)}`, { body: last })
        expect(put.status).toBe(201)
        await expectBlob('any', whole)
      }),
      { numRuns: 15 },
    )
  })

  it('goes on where a broken chunk ended', async () => {
    const path = await startUpload('resume')
    await breakOff('PATCH', path, '0123456')
    const { headers } = await registry.ask('GET', path)
    expect(headers.range).toBe('0-6')
    await patch(path, '789', '7-9')
    expect((await registry.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
    await expectBlob('resume')
  })

  it('goes on after the registry was started again', async () => {
    const path = await startUpload('restart')
    await patch(path, '01234')
    const { dir } = registry
    await using again = await startEmbeddedRegistry({ dir })
    expect((await again.ask('PATCH', path, { body: '56789' })).headers.range).toBe('0-9')
    expect((await again.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
  })

  it('adds chunks that come at the same time one after the other', async () => {
    const path = await startUpload('together')
    const texts = Array.from({ length: 8 }, (_, number) => String(number).repeat(1000))
    await Promise.all(texts.map(text => patch(path, text)))
    const { headers } = await registry.ask('GET', path)
    expect(headers.range).toBe('0-7999')
  })
})

describe('an upload that breaks off', () => {
  it('in its PUT leaves no blob and can be gone on with', async () => {
    const path = await startUpload('broken/put')
    await breakOff('PUT', `${path}?digest=${digest}`, '012345')
    await expectNoBlob('broken/put')
    expect((await registry.ask('PUT', `${path}?digest=${digest}`, { body: '6789' })).status).toBe(201)
    await expectBlob('broken/put')
  })

  it('in its only POST leaves nothing', async () => {
    await using alone = await startEmbeddedRegistry()
    await breakOff('POST', `/v2/broken/post/blobs/uploads/?digest=${digest}`, '01234', alone)
    expect(await readdir(join(alone.dir, '_uploads'))).toEqual([])
    expect(await readdir(alone.dir)).toEqual(['_uploads'])
  })
})

describe('an upload', () => {
  it('is given up by DELETE', async () => {
    const path = await startUpload('cancel')
    expect((await registry.ask('DELETE', path)).status).toBe(204)
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect(await registry.ask(method, path)).toMatchObject({ status: 404, codes: ['BLOB_UPLOAD_UNKNOWN'] })
    }
    const put = await registry.ask('PUT', `${path}?digest=${digest}`, { body: blob.bytes })
    expect(put.codes).toEqual(['BLOB_UPLOAD_UNKNOWN'])
  })

  it('belongs to its repository', async () => {
    const path = (await startUpload('mine')).replace('/v2/mine/', '/v2/yours/')
    expect((await patch(path, '012')).codes).toEqual(['BLOB_UPLOAD_UNKNOWN'])
  })

  it.each([randomUUID(), 'x', '..', '%2e%2e%2f%2e%2e%2fetc%2fpasswd'])('is not known as %s', async id => {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await registry.ask(method, `/v2/some/blobs/uploads/${id}`)
      expect(answer).toMatchObject({ status: 404, codes: ['BLOB_UPLOAD_UNKNOWN'] })
    }
  })
})

describe('a mount', () => {
  const mount = (to: string, query: string) =>
    registry.ask('POST', `/v2/${to}/blobs/uploads/?mount=${digest}${query}`)

  it('links the blob of another repository', async () => {
    await registry.putBlob('mount/from', blob)
    const answer = await mount('mount/to', '&from=mount/from')
    expect(answer).toMatchObject({ status: 201, headers: { location: `/v2/mount/to/blobs/${digest}` } })
    await expectBlob('mount/to')
    const file = (repository: string) => stat(join(registry.dir, repository, 'blobs/sha256', hexOf(digest)))
    expect((await file('mount/to')).ino).toBe((await file('mount/from')).ino)
    expect((await mount('mount/to', '&from=mount/from')).status).toBe(201)
  })

  it('from the repository itself tells whether the blob is there', async () => {
    await registry.putBlob('mount/self', blob)
    const there = await mount('mount/self', '&from=mount/self')
    expect(there).toMatchObject({ status: 201, headers: { location: `/v2/mount/self/blobs/${digest}` } })
    await expectBlob('mount/self')
    await registry.ask('DELETE', `/v2/mount/self/blobs/${digest}`)
    expect((await mount('mount/self', '&from=mount/self')).status).toBe(202)
  })

  it('without from takes the blob of any repository that has it', async () => {
    const rare = sampleBlob('rare')
    const path = `/v2/mount/any/blobs/uploads/?mount=${rare.descriptor.digest}`
    const nowhere = await registry.ask('POST', path)
    expect(nowhere.status).toBe(202)
    expect((await registry.ask('DELETE', String(nowhere.headers.location))).status).toBe(204)
    await registry.putBlob('mount/deep/er/owner', rare)
    expect((await registry.ask('POST', path)).status).toBe(201)
    await expectBlob('mount/any', 'rare')
  })

  it('without from takes nothing from a repository that one may not pull from', async () => {
    await registry.putBlob('secret/app', sampleBlob('secret'))
    await registry.putBlob('open/from', sampleBlob('open'))
    await using guarded = await startEmbeddedRegistry({
      dir: registry.dir,
      access: { rules: [{ repositories: ['open/**'], allow: ['push'], anonymous: true }] },
    })
    for (const [text, status] of [
      ['secret', 202],
      ['open', 201],
    ] as const) {
      const path = `/v2/open/to/blobs/uploads/?mount=${digestOf(text)}`
      expect((await guarded.ask('POST', path)).status).toBe(status)
    }
  })

  it('outlives the blob that it came from', async () => {
    await registry.putBlob('mount/gone', blob)
    await mount('mount/heir', '&from=mount/gone')
    await registry.ask('DELETE', `/v2/mount/gone/blobs/${digest}`)
    await expectBlob('mount/heir')
  })

  it.each([
    ['from an unknown repository', '&from=mount/none'],
    ['from a repository that does not have it', '&from=mount/other'],
  ])('%s starts an upload', async (_, query) => {
    await registry.putBlob('mount/other', sampleBlob('other'))
    const answer = await mount('mount/new', query)
    expect(answer.status).toBe(202)
    const put = await registry.ask('PUT', `${answer.headers.location}?digest=${digest}`, { body: blob.bytes })
    expect(put.status).toBe(201)
    await registry.ask('DELETE', `/v2/mount/new/blobs/${digest}`)
  })

  it('is refused with a malformed name or digest', async () => {
    expect((await mount('mount/new', '&from=../etc')).codes).toEqual(['NAME_INVALID'])
    const answer = await registry.ask('POST', '/v2/mount/new/blobs/uploads/?mount=x&from=mount/other')
    expect(answer.codes).toEqual(['DIGEST_INVALID'])
  })
})

/** Sends a part of a longer body, waits until all of it is on disk, and cuts the connection. */
async function breakOff(method: string, path: string, part: string, at = registry): Promise<void> {
  const { port } = at.server
  const outgoing = request({ port, host: '127.0.0.1', method, path, headers: { 'Content-Length': 1000 } })
  outgoing.on('error', () => {}) // the cut is ours
  outgoing.write(part)
  while (!(await uploadSizes(at)).includes(part.length)) await setImmediate()
  outgoing.destroy()
  await at.ended(event => event.method === method && path.startsWith(event.path))
}

async function uploadSizes({ dir }: EmbeddedRegistry): Promise<number[]> {
  const folder = join(dir, '_uploads')
  const names = await readdir(folder).catch(() => [])
  return Promise.all(names.map(async name => (await stat(join(folder, name))).size))
}

import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/oci/digest.ts'
import { parseRange } from '../../../src/server/endpoints/range.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const blob = sampleBlob('0123456789')
const { digest } = blob.descriptor

describe('a blob', () => {
  it('is given whole, with its digest and length', async () => {
    await registry.putBlob('blob/whole', blob)
    const path = `/v2/blob/whole/blobs/${digest}`
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': '10',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
    }
    expect(await registry.ask('GET', path)).toMatchObject({ status: 200, headers, body: blob.bytes })
    expect(await registry.ask('HEAD', path)).toMatchObject({ status: 200, headers, body: Buffer.alloc(0) })
  })

  it('may be empty, and large', async () => {
    for (const some of [sampleBlob(''), sampleBlob(Buffer.alloc(3_000_000, 'large'))]) {
      await registry.putBlob('blob/sizes', some)
      const got = await registry.ask('GET', `/v2/blob/sizes/blobs/${some.descriptor.digest}`)
      expect(got.status).toBe(200)
      expect(got.body.equals(some.bytes)).toBe(true)
    }
  })

  it.each([
    ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=0-1,4-5', 200, '0123456789', undefined],
  ])('is given for the range %s', async (range, status, text, contentRange) => {
    await registry.putBlob('blob/range', blob)
    const got = await registry.ask('GET', `/v2/blob/range/blobs/${digest}`, { headers: { Range: range } })
    expect(got.status).toBe(status)
    expect(got.body.toString()).toBe(text)
    expect(got.headers['content-range']).toBe(contentRange)
    expect(got.headers['content-length']).toBe(String(text.length))
  })

  it.each([
    ['the bytes it has', `"${digest}"`, 206, '345'],
    ['other bytes', `"${digestOf('other')}"`, 200, '0123456789'],
    ['a time', 'Wed, 21 Oct 2015 07:28:00 GMT', 200, '0123456789'],
  ])('is given from a byte on only to a client that goes on with %s', async (_, condition, status, text) => {
    await registry.putBlob('blob/range', blob)
    const headers = { Range: 'bytes=3-5', 'If-Range': condition }
    const got = await registry.ask('GET', `/v2/blob/range/blobs/${digest}`, { headers })
    expect(got).toMatchObject({ status, body: Buffer.from(text), headers: { etag: `"${digest}"` } })
  })

  it('is told of whole to a HEAD, whatever range it asks for', async () => {
    await registry.putBlob('blob/range', blob)
    const headers = { Range: 'bytes=3-5' }
    const got = await registry.ask('HEAD', `/v2/blob/range/blobs/${digest}`, { headers })
    expect(got).toMatchObject({ status: 200, headers: { 'content-length': '10' } })
  })

  it.each([`"${digest}"`, `"x", W/"${digest}"`, '*'])('is not sent to who has %s already', async tags => {
    await registry.putBlob('blob/known', blob)
    const path = `/v2/blob/known/blobs/${digest}`
    const headers = { 'If-None-Match': tags }
    for (const method of ['GET', 'HEAD']) {
      const got = await registry.ask(method, path, { headers })
      expect(got).toMatchObject({ status: 304, body: Buffer.alloc(0) })
      expect(got.headers).toMatchObject({ etag: `"${digest}"`, 'docker-content-digest': digest })
      expect(got.headers['content-length']).toBeUndefined()
    }
    const other = await registry.ask('GET', path, { headers: { 'If-None-Match': '"x"' } })
    expect(other).toMatchObject({ status: 200, body: blob.bytes })
  })

  it('goes to a client that hangs up as far as it goes, which is no error', async () => {
    const large = sampleBlob(Buffer.alloc(30_000_000, 'large'))
    await registry.putBlob('blob/cut', large)
    const path = `/v2/blob/cut/blobs/${large.descriptor.digest}`
    const outgoing = request({ host: '127.0.0.1', port: registry.server.port, path }).end()
    const [incoming] = await once(outgoing, 'response')
    await once(incoming, 'data')
    incoming.destroy()
    const { error, status } = await registry.ended(event => event.path === path)
    expect({ error, status }).toEqual({ error: undefined, status: 200 })
  })

  it('has nothing behind its end', async () => {
    await registry.putBlob('blob/range', blob)
    const headers = { Range: 'bytes=10-' }
    const got = await registry.ask('GET', `/v2/blob/range/blobs/${digest}`, { headers })
    expect(got).toMatchObject({ status: 416, codes: ['SIZE_INVALID'] })
    expect(got.headers['content-range']).toBe('bytes */10')
  })

  it.each([
    [`blob/none/blobs/${digest}`, 404, 'NAME_UNKNOWN'],
    [`blob/whole/blobs/${digestOf('none')}`, 404, 'BLOB_UNKNOWN'],
    ['blob/whole/blobs/sha256:0', 400, 'DIGEST_INVALID'],
    ['blob/whole/blobs/index.json', 400, 'DIGEST_INVALID'],
    ['blob/whole/blobs/sha256%3A..%2f..%2findex.json', 400, 'DIGEST_INVALID'],
  ])('is refused at %s', async (path, status, code) => {
    await registry.putBlob('blob/whole', blob)
    for (const method of ['GET', 'DELETE']) {
      expect(await registry.ask(method, `/v2/${path}`)).toMatchObject({ status, codes: [code] })
    }
  })

  it('is not followed out of the layout by a symbolic link', async () => {
    await registry.putBlob('blob/link', blob)
    const secret = join(registry.dir, '..', 'secret')
    await writeFile(secret, 'secret')
    const other = digestOf('other')
    await mkdir(join(registry.dir, 'blob/link/blobs/sha256'), { recursive: true })
    await symlink(secret, join(registry.dir, 'blob/link/blobs/sha256', hexOf(other)))
    expect((await registry.ask('GET', `/v2/blob/link/blobs/${other}`)).status).toBe(404)
  })

  it('is gone after it was deleted', async () => {
    await registry.putBlob('blob/gone', blob)
    const path = `/v2/blob/gone/blobs/${digest}`
    expect((await registry.ask('DELETE', path)).status).toBe(202)
    expect((await registry.ask('GET', path)).codes).toEqual(['BLOB_UNKNOWN'])
    expect((await registry.ask('DELETE', path)).codes).toEqual(['BLOB_UNKNOWN'])
  })

  it('is not deleted when it is a manifest', async () => {
    const image = sampleImage('one')
    await registry.putImage('blob/manifest', image, 'v1')
    const path = `/v2/blob/manifest/blobs/${image.manifest.digest}`
    expect(await registry.ask('DELETE', path)).toMatchObject({ status: 405, codes: ['UNSUPPORTED'] })
    expect((await registry.ask('HEAD', '/v2/blob/manifest/manifests/v1')).status).toBe(200)
  })
})

describe('a Range header', () => {
  it.each([
    [undefined, 10, undefined],
    ['bytes=0-', 10, { start: 0, end: 9 }],
    ['bytes=9-9', 10, { start: 9, end: 9 }],
    ['bytes=-99', 10, { start: 0, end: 9 }],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=-1', 0, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=5-4', 10, 'unsatisfiable'],
    ['bytes=-', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['lines=1-2', 10, undefined],
    ['bytes=9007199254740993000-', 10, undefined],
  ])('of %s over %i bytes is read as %o', (header, size, range) => {
    expect(parseRange(header, size)).toEqual(range)
  })
})

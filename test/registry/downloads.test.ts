import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { readBlob } from '../../src/transfer/read-blob.ts'
import { sampleBlob, sampleImage } from '../support/sample-image.ts'
import { type Handler, startFront } from './front.ts'

const blob = sampleBlob(Buffer.alloc(100_000, 'blob '))
const { manifest } = sampleImage('one')
const noSleep = async () => {}

const read = async (chunks: AsyncIterable<Uint8Array>) => collect(chunks, 10_000_000, 'a blob')

describe('a blob', () => {
  it('is read over a connection that is cut in the middle, from where it broke, and no byte twice', async () => {
    let sent = 0
    await using front = await startFront(async ({ headers }, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': blob.bytes.length - start,
        'content-range': `bytes ${start}-${blob.bytes.length - 1}/${blob.bytes.length}`,
      })
      const piece = blob.bytes.subarray(start, start + 40_000)
      sent += piece.length
      await write(response, piece)
      if (start + piece.length < blob.bytes.length) response.destroy()
      else response.end()
    })
    const bytes = await read(readBlob(front.repository, blob.descriptor, { sleep: noSleep }))
    expect(bytes.equals(blob.bytes)).toBe(true)
    expect(sent).toBe(blob.bytes.length)
    expect(front.seen.map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=40000-',
      'bytes=80000-',
    ])
  })

  it('is read from the start again where the registry knows no ranges', async () => {
    await using front = await startFront(async (_, response) => {
      response.writeHead(200, { 'content-length': blob.bytes.length })
      if (front.seen.length > 1) return response.end(blob.bytes)
      await write(response, blob.bytes.subarray(0, 40_000))
      response.destroy()
    })
    const bytes = await read(readBlob(front.repository, blob.descriptor, { sleep: noSleep }))
    expect(bytes.equals(blob.bytes)).toBe(true)
    expect(front.seen).toHaveLength(2)
  })

  it('is not taken from other bytes than were asked for', async () => {
    await using front = await startFront((_, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-9/20' }).end('0123456789')
    })
    await expect(front.repository.getBlob(blob.descriptor, { start: 10 })).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`app@${blob.descriptor.digest}: asked for the bytes from 10`),
    })
  })

  it('that stalls ends in a time-out', async () => {
    await using front = await startFront(
      (_, response) => response.writeHead(200).write(blob.bytes.subarray(0, 10)),
      {
        transport: { timeoutMs: 100 },
      },
    )
    await expect(front.repository.getBlob(blob.descriptor).then(read)).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
  })

  it('is asked for without compression, so that its bytes are those of its digest', async () => {
    await using front = await startFront((_, response) => response.end(blob.bytes))
    await front.repository.getBlob(blob.descriptor).then(read)
    expect(front.seen[0]?.headers['accept-encoding']).toBe('identity')
    expect(front.seen[0]?.headers.range).toBeUndefined()
  })

  it.each<[what: string, content: Buffer]>([
    ['other bytes', Buffer.alloc(blob.bytes.length, 'x')],
    ['less', blob.bytes.subarray(1)],
    ['more', Buffer.concat([blob.bytes, Buffer.from('!')])],
    ['nothing', Buffer.alloc(0)],
  ])('is refused when the registry sends %s', async (_, content) => {
    await using front = await startFront((_, response) => response.end(content))
    await expect(front.repository.getBlob(blob.descriptor).then(read)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`app@${blob.descriptor.digest}`),
    })
  })

  it('without bytes is read, and checked too', async () => {
    await using front = await startFront((_, response) => response.end())
    expect(await front.repository.getBlob(sampleBlob('').descriptor).then(read)).toHaveLength(0)
    const wrong: Descriptor = { ...blob.descriptor, size: 0 }
    await expect(front.repository.getBlob(wrong).then(read)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('from its end on is nothing, and costs no request', async () => {
    await using front = await startFront((_, response) => response.end())
    const start = blob.bytes.length
    expect(await front.repository.getBlob(blob.descriptor, { start }).then(read)).toHaveLength(0)
    expect(front.seen).toEqual([])
  })

  it.each([
    [404, 'NOT_FOUND'],
    [403, 'UNAUTHORIZED'],
    [416, 'REGISTRY'],
  ])('that is answered with %i is %s', async (status, code) => {
    await using front = await startFront((_, response) => response.writeHead(status).end())
    await expect(front.repository.getBlob(blob.descriptor)).rejects.toMatchObject({ code, status })
  })

  it.each([
    [200, { size: 7 }],
    [404, undefined],
  ])('that is looked for with the answer %i is %j', async (status, expected) => {
    await using front = await startFront((_, response) =>
      response.writeHead(status, { 'content-length': 7 }).end(),
    )
    const found = await front.repository.findBlob(blob.descriptor.digest)
    if (expected === undefined) expect(found).toBeUndefined()
    else expect(found).toMatchObject(expected)
    expect(await front.repository.hasBlob(blob.descriptor)).toBe(expected !== undefined)
  })

  it('that nobody may ask for is no blob that is absent, but may be sent', async () => {
    await using front = await startFront((_, response) => response.writeHead(403).end())
    await expect(front.repository.findBlob(blob.descriptor.digest)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 403,
    })
    expect(await front.repository.hasBlob(blob.descriptor)).toBe(false)
  })

  it('is deleted', async () => {
    await using front = await startFront((_, response) => response.writeHead(202).end())
    await front.repository.deleteBlob(blob.descriptor.digest)
    expect(front.lines).toEqual([`DELETE /v2/app/blobs/${blob.descriptor.digest}`])
  })
})

describe('a manifest', () => {
  const serve =
    (bytes: Uint8Array, headers: Record<string, string> = {}): Handler =>
    ({ method }, response) => {
      response.writeHead(200, {
        'content-type': manifest.mediaType,
        'content-length': bytes.length,
        ...headers,
      })
      response.end(method === 'HEAD' ? undefined : bytes)
    }
  const told = (digest: string) => ({ 'docker-content-digest': digest })

  it('is found by HEAD alone where the answer holds all', async () => {
    await using front = await startFront(serve(manifest.bytes, told(manifest.digest)))
    expect(await front.repository.resolve('v1')).toEqual(descriptorOf(manifest))
    expect(front.lines).toEqual(['HEAD /v2/app/manifests/v1'])
    const accept = front.seen[0]?.headers.accept ?? ''
    for (const type of [
      mediaTypes.ociIndex,
      mediaTypes.ociManifest,
      mediaTypes.dockerList,
      mediaTypes.dockerManifest,
    ]) {
      expect(accept.split(', ')).toContain(type)
    }
  })

  it.each<[what: string, head: Handler]>([
    ['names no digest', (_, response) => response.writeHead(200, { 'content-length': 5 }).end()],
    [
      'names what is no digest',
      (_, response) => response.writeHead(200, { 'content-length': 5, ...told('sha256:x') }).end(),
    ],
    [
      'names no length',
      (_, response) =>
        void response.writeHead(200, { ...told(manifest.digest), 'transfer-encoding': 'chunked' }).end(),
    ],
    [
      'speaks of schema 1',
      (_, response) =>
        void response
          .writeHead(200, {
            'content-length': 5,
            'content-type': mediaTypes.dockerSchema1Signed,
            ...told(manifest.digest),
          })
          .end(),
    ],
    ['is 405', (_, response) => response.writeHead(405).end()],
  ])('is fetched and verified where the answer to HEAD %s', async (_, head) => {
    await using front = await startFront((seen, response) =>
      seen.method === 'HEAD' ? head(seen, response) : serve(manifest.bytes)(seen, response),
    )
    expect(await front.repository.resolve('v1')).toEqual(descriptorOf(manifest))
    expect(front.lines).toEqual(['HEAD /v2/app/manifests/v1', 'GET /v2/app/manifests/v1'])
  })

  it('that was asked for by digest has that digest, whatever the registry names', async () => {
    const other = sampleImage('other').manifest
    await using front = await startFront(serve(other.bytes, told(other.digest)))
    const found = await front.repository.resolve(manifest.digest)
    expect(found.digest).toBe(manifest.digest)
    await expect(front.repository.getManifest(found)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it.each<[what: string, header: Record<string, string>, bytes: Uint8Array]>([
    ['the digest that the registry names is another', told(digestOf('other')), manifest.bytes],
    ['it is cut short', told(manifest.digest), manifest.bytes.subarray(0, -20)],
    ['it is empty', told(manifest.digest), new Uint8Array(0)],
    ['it is no JSON', {}, Buffer.from('<html>')],
  ])('is refused when %s', async (_, header, bytes) => {
    await using front = await startFront(serve(bytes, header))
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`${front.host}/app:v1`),
    })
  })

  it('is refused when it has another digest than it was asked for', async () => {
    await using front = await startFront(serve(manifest.bytes))
    const other = sampleImage('other').manifest
    await expect(front.repository.getManifest(descriptorOf(other))).rejects.toMatchObject({
      code: 'INTEGRITY',
    })
    await expect(front.repository.readManifest(other.digest)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('of 200 MB is refused before much of it is read', async () => {
    const piece = Buffer.alloc(64 * 1024, '{')
    let accepted = 0
    let closed: Promise<unknown> = Promise.resolve()
    await using front = await startFront(async (_, response) => {
      closed = once(response, 'close')
      response.writeHead(200, { 'content-length': 200_000_000 })
      while (accepted < 200_000_000 && !response.destroyed) {
        await write(response, piece)
        accepted += piece.length
      }
    })
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('more than 4194304 bytes'),
    })
    await closed
    // The limit, and what the buffers of two sockets on one machine take in.
    expect(accepted).toBeLessThan(16 * 1024 * 1024)
  })

  it('that breaks off is an error of the network', async () => {
    await using front = await startFront(async (_, response) => {
      response.writeHead(200, { 'content-length': manifest.bytes.length })
      await write(response, manifest.bytes.subarray(0, 20))
      response.destroy()
    })
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({ code: 'NETWORK' })
  })

  it('of a type that is not usual is asked for by that type first', async () => {
    await using front = await startFront(serve(manifest.bytes))
    await front.repository.getManifest({ ...descriptorOf(manifest), mediaType: 'application/vnd.new+json' })
    expect(front.seen[0]?.headers.accept).toMatch(/^application\/vnd\.new\+json, /)
  })

  it('is waited for as long as a 503 says', async () => {
    await using front = await startFront((seen, response) => {
      if (front.seen.length > 1) return serve(manifest.bytes, told(manifest.digest))(seen, response)
      response.writeHead(503, { 'retry-after': '17' }).end('busy')
    })
    await front.repository.resolve('v1')
    expect(front.clock.sleeps).toEqual([17_000])
    expect(front.events).toEqual([
      { type: 'retry', name: front.host, reason: 'it answered 503', delayMs: 17_000 },
    ])
  })

  it('that stays unavailable is an error with the words of the last answer', async () => {
    await using front = await startFront((_, response) => response.writeHead(503).end('busy'), {
      retryPolicy: { retries: 2 },
    })
    await expect(front.repository.readManifest('v1')).rejects.toMatchObject({
      code: 'NETWORK',
      status: 503,
      message: `cannot read ${front.host}/app:v1: busy (503)`,
    })
    expect(front.seen).toHaveLength(3)
  })

  it.each([404, 403])(
    'that is answered with %i is found nowhere, and is an error when it is read',
    async status => {
      await using front = await startFront((_, response) => response.writeHead(status).end())
      expect(await front.repository.find('v1')).toBeUndefined()
      const code = status === 404 ? 'NOT_FOUND' : 'UNAUTHORIZED'
      await expect(front.repository.resolve('v1')).rejects.toMatchObject({ code, status })
    },
  )

  it('is put byte for byte, with its media type, under each tag', async () => {
    const bodies: string[] = []
    await using front = await startFront(async (seen, response) => {
      bodies.push((await seen.body()).toString())
      response.writeHead(201).end()
    })
    await front.repository.putManifest(manifest, ['v1', 'latest'])
    await front.repository.putManifest(manifest)
    expect(front.lines).toEqual([
      'PUT /v2/app/manifests/v1',
      'PUT /v2/app/manifests/latest',
      `PUT /v2/app/manifests/${manifest.digest}`,
    ])
    expect(bodies).toEqual(Array(3).fill(Buffer.from(manifest.bytes).toString()))
    expect(front.seen[0]?.headers['content-type']).toBe(manifest.mediaType)
  })

  it('is deleted without naming manifest types (Artifactory answers 406 to them)', async () => {
    await using front = await startFront((_, response) => response.writeHead(202).end())
    await front.repository.delete('v1')
    expect(front.lines).toEqual(['DELETE /v2/app/manifests/v1'])
    expect(front.seen[0]?.headers.accept ?? '*/*').toBe('*/*')
  })
})

it('a registry that never takes a credential is asked twice at the most', async () => {
  await using front = await startFront(
    (_, response) => response.writeHead(401, { 'www-authenticate': 'Basic' }).end(),
    {
      findCredential: async () => ({ kind: 'basic', username: 'anna', password: 'x' }),
    },
  )
  await expect(front.repository.resolve('v1')).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
    message: expect.stringContaining('refused the login of "anna"'),
  })
  expect(front.seen).toHaveLength(2)
})

/** Resolves when the bytes went to the system, so that a connection cut afterwards has carried them. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, error => (error ? reject(error) : resolve()))
  })
}

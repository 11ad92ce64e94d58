import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { type ClientRequest, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startServer } from '../../src/server/server.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const image = sampleImage('one')
const blob = sampleBlob('some')

describe('the registry', () => {
  it('says that it is one', async () => {
    await using registry = await startEmbeddedRegistry()
    for (const path of ['/v2/', '/v2']) {
      const answer = await registry.ask('GET', path)
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } })
      expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0')
    }
    expect((await registry.ask('HEAD', '/v2/')).body).toEqual(Buffer.alloc(0))
  })

  it('is healthy, without a login', async () => {
    const auth = { kind: 'basic', users: { check: async () => false } } as const
    await using registry = await startEmbeddedRegistry({ auth })
    const answer = await registry.ask('GET', '/healthz')
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain' } })
    expect(answer.body.toString()).toBe('ok\n')
    expect((await registry.ask('HEAD', '/healthz')).status).toBe(200)
    expect((await registry.ask('POST', '/healthz')).status).toBe(405)
  })

  it.each([
    '/',
    '/v1/',
    '/v2/a',
    '/v2/a/manifests/',
    '/v2/a/tags',
    '/token',
    '//v2/',
    'http://x',
    'http://x//v2/',
    'ftp://x/v2/',
  ])('knows no endpoint %s', async path => {
    await using registry = await startEmbeddedRegistry()
    expect(await registry.ask('GET', path)).toMatchObject({ status: 404, codes: ['UNSUPPORTED'] })
  })

  it.each(['http://x/v2/', 'HTTPS://x:5000/v2/', 'http://u@[::1]:5000/v2/?a=/b'])(
    'answers a client that sends the whole URL %s as it would a proxy',
    async url => {
      await using registry = await startEmbeddedRegistry()
      expect((await registry.ask('GET', url)).status).toBe(200)
    },
  )

  it('finds path and query in a whole URL', async () => {
    await using registry = await startEmbeddedRegistry()
    for (const tag of ['a', 'b']) await registry.putImage('whole', sampleImage(tag), tag)
    const answer = await registry.ask('GET', `http://${registry.host}/v2/whole/tags/list?n=1`)
    expect(answer.json()).toEqual({ name: 'whole', tags: ['a'] })
  })

  it.each([
    ['POST', '/v2/', 'GET, HEAD'],
    ['POST', '/v2/a/manifests/v1', 'GET, HEAD, PUT, DELETE'],
    ['PUT', '/v2/a/blobs/sha256:0', 'GET, HEAD, DELETE'],
    ['GET', '/v2/a/blobs/uploads/', 'POST'],
    ['POST', '/v2/a/blobs/uploads/x', 'GET, HEAD, PATCH, PUT, DELETE'],
    ['DELETE', '/v2/a/tags/list', 'GET, HEAD'],
    ['PUT', '/v2/_catalog', 'GET, HEAD'],
    ['DELETE', '/v2/a/referrers/sha256:0', 'GET, HEAD'],
  ])('does not %s %s, and says what is possible', async (method, path, allow) => {
    await using registry = await startEmbeddedRegistry()
    const answer = await registry.ask(method, path)
    expect(answer).toMatchObject({ status: 405, codes: ['UNSUPPORTED'], headers: { allow } })
  })

  it.each([
    '..',
    '../..',
    'a/../b',
    './a',
    '%2e%2e',
    '..%2f..%2fetc',
    'a%2fb',
    'a//b',
    '',
    'A',
    'a_',
    '_uploads',
    'a\\b',
    'blobs',
    'a/blobs/b',
    'a/index.json',
    'oci-layout',
    'x'.repeat(256),
  ])('refuses the repository name "%s" before it looks at the disk', async name => {
    await using registry = await startEmbeddedRegistry()
    await writeFile(join(registry.dir, '..', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    await writeFile(join(registry.dir, '..', 'index.json'), '{"manifests":[]}')
    for (const [method, path] of [
      ['GET', 'tags/list'],
      ['PUT', 'manifests/v1'],
      ['POST', 'blobs/uploads/'],
      ['GET', `blobs/${blob.descriptor.digest}`],
    ] as const) {
      const answer = await registry.ask(method, `/v2/${name}/${path}`)
      expect(answer).toMatchObject({ status: 400, codes: ['NAME_INVALID'] })
    }
    expect(await readdir(registry.dir)).toEqual([])
  })

  it('tells of each request that has ended', async () => {
    await using registry = await startEmbeddedRegistry()
    const headers = { 'User-Agent': 'test/1' }
    const path = `/v2/a/blobs/uploads/?digest=${blob.descriptor.digest}`
    await registry.ask('POST', path, { body: 'some', headers })
    await registry.ask('GET', `/v2/a/blobs/${blob.descriptor.digest}`)
    const [post, get] = [
      await registry.ended(event => event.method === 'POST'),
      await registry.ended(event => event.method === 'GET'),
    ]
    expect(post).toEqual({
      id: expect.any(String),
      method: 'POST',
      path: '/v2/a/blobs/uploads/',
      status: 201,
      ms: expect.any(Number),
      received: 4,
      sent: 0,
      user: undefined,
      remoteAddress: '127.0.0.1',
      userAgent: 'test/1',
    })
    expect(get).toMatchObject({ status: 200, received: 0, sent: 4, userAgent: undefined })
    expect(get.ms).toBeGreaterThanOrEqual(0)
  })

  it('tells the log, and not the client, what went wrong on the disk', async () => {
    await using registry = await startEmbeddedRegistry()
    await registry.putImage('a', image, 'v1')
    await writeFile(join(registry.dir, 'a/index.json'), 'no JSON')
    const answer = await registry.ask('GET', '/v2/a/manifests/v1')
    expect(answer).toMatchObject({ status: 500, codes: ['UNKNOWN'] })
    expect(answer.body.toString()).not.toContain('index.json')
    const { error, id } = await registry.ended(event => event.status === 500)
    expect(answer.headers['x-request-id']).toBe(id)
    expect(answer.body.toString()).toContain(id)
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining('a/index.json') })
  })
})

describe('a read-only registry', () => {
  it('gives what it has and refuses every change', async () => {
    await using writable = await startEmbeddedRegistry()
    await writable.putImage('a', image, 'v1')
    const { dir } = writable
    await using registry = await startEmbeddedRegistry({ dir, readOnly: true })
    expect((await registry.ask('GET', '/v2/a/manifests/v1')).body).toEqual(image.manifest.bytes)
    for (const [method, path] of [
      ['PUT', '/v2/a/manifests/v2'],
      ['DELETE', '/v2/a/manifests/v1'],
      ['POST', '/v2/a/blobs/uploads/'],
      ['DELETE', `/v2/a/blobs/${image.layer.descriptor.digest}`],
    ] as const) {
      const answer = await registry.ask(method, path, { body: image.manifest.bytes })
      expect(answer).toMatchObject({ status: 405, codes: ['UNSUPPORTED'] })
    }
    expect((await registry.ask('GET', '/v2/a/tags/list')).json()).toEqual({ name: 'a', tags: ['v1'] })
  })
})

describe('starting', () => {
  it('says that the address is in use', async () => {
    await using registry = await startEmbeddedRegistry()
    const { dir, server } = registry
    await expect(startServer({ dir, host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
      code: 'IO',
      message: `cannot listen on 127.0.0.1:${server.port}: the address is in use`,
    })
  })

  it('names the folder that is a file', async () => {
    await using folder = await makeTempDir()
    const dir = join(folder.path, 'file')
    await writeFile(dir, '')
    await expect(startServer({ dir, host: '127.0.0.1', port: 0 })).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(dir),
    })
  })

  it('has an address with brackets for IPv6', async () => {
    await using folder = await makeTempDir()
    const server = await startServer({ dir: folder.path, host: '::1', port: 0 })
    expect(server.url).toBe(`http://[::1]:${server.port}`)
    await server.close()
  })
})

describe('closing', () => {
  it('lets a running request end and takes no new one', async () => {
    await using registry = await startEmbeddedRegistry({ graceMs: 10_000 })
    const { location = '' } = (await registry.ask('POST', '/v2/a/blobs/uploads/')).headers
    const { port } = registry.server
    const headers = { 'Content-Length': 4, Expect: '100-continue' }
    const path = `${location}?digest=${blob.descriptor.digest}`
    const outgoing = request({ host: '127.0.0.1', port, method: 'PUT', path, headers })
    await begun(outgoing)
    outgoing.write('so')
    const closed = registry.server.close()
    await expect(fetch(`${registry.server.url}/v2/`)).rejects.toThrow()
    outgoing.end('me')
    const [answer] = await once(outgoing, 'response')
    expect(answer.statusCode).toBe(201)
    answer.resume()
    await closed
  })

  it('does not wait for connections on which nothing is asked', async () => {
    await using registry = await startEmbeddedRegistry({ graceMs: 60_000 })
    const silent = connect({ host: '127.0.0.1', port: registry.server.port })
    await once(silent, 'connect')
    await registry.ask('GET', '/v2/')
    const ended = new Promise(resolve => silent.resume().once('close', resolve))
    silent.on('error', () => {})
    await Promise.all([ended, registry.server.close()])
  })

  it('cuts a request that does not end in time', async () => {
    await using registry = await startEmbeddedRegistry({ graceMs: 20 })
    const { location = '' } = (await registry.ask('POST', '/v2/a/blobs/uploads/')).headers
    const { port } = registry.server
    const headers = { 'Content-Length': 4, Expect: '100-continue' }
    const outgoing = request({ host: '127.0.0.1', port, method: 'PATCH', path: location, headers })
    await begun(outgoing)
    outgoing.write('so')
    const cut = once(outgoing, 'response')
    await Promise.all([expect(cut).rejects.toThrow(), registry.server.close()])
    await registry.server.close()
  })
})

/** Resolves when the server wants the body of a request. */
async function begun(outgoing: ClientRequest): Promise<void> {
  outgoing.flushHeaders()
  await once(outgoing, 'continue')
}

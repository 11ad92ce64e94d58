import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { startServer } from '../../../src/server/server.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { startLoopback } from '../../support/loopback.ts'
import { sampleImage } from '../../support/sample-image.ts'
import { mirrorOf, startUpstream } from './site.ts'

const image = sampleImage('guarded')
const users = { check: async (name: string, word: string) => word === `${name}s word` }
const basic = (name: string) => ({
  Authorization: `Basic ${Buffer.from(`${name}:${name}s word`).toString('base64')}`,
})
const findCredential = async () => ({ kind: 'basic', username: 'mira', password: 'miras word' }) as const

describe('who may read a mirrored repository', () => {
  const access = {
    rules: [
      { repositories: ['docker.io/library/*'], allow: ['pull' as const], users: ['anna'] },
      { repositories: ['library/*'], allow: ['pull' as const, 'push' as const], anonymous: true },
    ],
  }

  it.each([
    ['its name in full', '/v2/docker.io/library/guarded', ''],
    ['a namespace', '/v2/library/guarded', '?ns=docker.io'],
    ["docker's short name", '/v2/guarded', ''],
  ])(
    'is said by the rules for the name that it has here, when it is asked for by %s',
    async (_, path, query) => {
      await using upstream = await startUpstream()
      await upstream.registry.putImage('library/guarded', image, 'v1')
      const mirrors = [mirrorOf(upstream)]
      await using site = await startEmbeddedRegistry({ mirrors, access, auth: { kind: 'basic', users } })
      const ask = (headers = {}) => site.ask('GET', `${path}/manifests/v1${query}`, { headers })
      expect((await ask()).status).toBe(401)
      expect((await ask(basic('bob'))).status).toBe(403)
      expect(upstream.lines).toEqual([])
      expect((await ask(basic('anna'))).status).toBe(200)
    },
  )

  it('stands in the challenge for a token, by that name', async () => {
    await using upstream = await startUpstream()
    const mirrors = [mirrorOf(upstream)]
    const auth = { kind: 'token', service: 'site', users } as const
    await using site = await startEmbeddedRegistry({ mirrors, auth })
    const refused = await site.ask('GET', '/v2/alpine/manifests/v1')
    expect(refused.headers['www-authenticate']).toContain('scope="repository:docker.io/library/alpine:pull"')
  })
})

describe('an upstream that wants a login', () => {
  it.each([
    ['with a password', { kind: 'basic', users }],
    ['by a token', { kind: 'token', service: 'upstream', users }],
  ] as const)('gets ours %s, and a client of ours needs none', async (_, auth) => {
    await using upstream = await startUpstream({ auth })
    const { config, layer, manifest } = image
    const url = `http://${upstream.registry.host}/v2/library/guarded`
    // Pushed by another server on the same folder, which wants no login.
    const open = await startServer({ dir: upstream.registry.dir, host: '127.0.0.1', port: 0 })
    for (const { bytes, descriptor } of [config, layer]) {
      const path = `${open.url}/v2/library/guarded/blobs/uploads/?digest=${descriptor.digest}`
      expect((await fetch(path, { method: 'POST', body: new Uint8Array(bytes) })).status).toBe(201)
    }
    const put = { method: 'PUT', headers: { 'Content-Type': manifest.mediaType } }
    await fetch(`${open.url}/v2/library/guarded/manifests/v1`, {
      ...put,
      body: new Uint8Array(manifest.bytes),
    })
    await open.close()
    expect((await fetch(`${url}/manifests/v1`)).status).toBe(401)
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { findCredential })] })
    const got = await site.ask('GET', '/v2/docker.io/library/guarded/manifests/v1')
    expect(got).toMatchObject({ status: 200, body: Buffer.from(manifest.bytes) })
    const blob = await site.ask('GET', `/v2/docker.io/library/guarded/blobs/${layer.descriptor.digest}`)
    expect(blob.body).toEqual(layer.bytes)
  })

  it('and sends on to a store of blobs does not show it there', async () => {
    const seen: IncomingHttpHeaders[] = []
    await using store = await startLoopback((request, response) => {
      seen.push(request.headers)
      response.writeHead(200, { 'Content-Length': image.layer.bytes.length }).end(image.layer.bytes)
    })
    await using upstream = await startUpstream()
    upstream.answer = ({ headers }, response) => {
      if (headers.authorization === undefined) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="there"' }).end()
      } else response.writeHead(307, { Location: `${store.url}/blob` }).end()
      return true
    }
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream, { findCredential })] })
    const path = `/v2/docker.io/library/guarded/blobs/${image.layer.descriptor.digest}`
    expect((await site.ask('GET', path)).body).toEqual(image.layer.bytes)
    expect(seen.length).toBeGreaterThan(0)
    for (const headers of seen) expect(headers.authorization).toBeUndefined()
  })
})

describe('a mirror', () => {
  it.each([
    ['localhost:5000', 'leave the port out, which belongs in the URL'],
    ['a/b', undefined],
    ['Docker.io', undefined],
    ['blobs', undefined],
    ['', undefined],
  ])('cannot be called "%s"', async (name, hint) => {
    const mirrors = [mirrorOf({ host: '127.0.0.1:1' }, { name })]
    await expect(startEmbeddedRegistry({ mirrors })).rejects.toMatchObject({ code: 'USAGE', hint })
  })

  it('is one of its name', async () => {
    const mirror = mirrorOf({ host: '127.0.0.1:1' })
    const starting = startEmbeddedRegistry({ mirrors: [mirror, mirror] })
    await expect(starting).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('answers in a folder that is otherwise only to be read', async () => {
    await using upstream = await startUpstream()
    await upstream.registry.putImage('library/guarded', image, 'v1')
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)], readOnly: true })
    for (const _ of [1, 2]) {
      expect((await site.ask('GET', '/v2/guarded/manifests/v1')).status).toBe(200)
      const blob = await site.ask('GET', `/v2/guarded/blobs/${image.layer.descriptor.digest}`)
      expect(blob.body).toEqual(image.layer.bytes)
    }
    expect(upstream.lines).toHaveLength(3)
    expect((await site.ask('POST', '/v2/own/blobs/uploads/')).status).toBe(405)
  })
})

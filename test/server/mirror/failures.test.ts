import { mkdir, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { MirroredRegistry } from '../../../src/server/server.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleImage } from '../../support/sample-image.ts'
import { mirrorOf, startUpstream, type UpstreamSite } from './site.ts'

const image = sampleImage('mirrored')
const { digest } = image.manifest
const tagPath = '/v2/docker.io/library/alpine/manifests/3.20'
const layerPath = `/v2/docker.io/library/alpine/blobs/${image.layer.descriptor.digest}`
const stale = '110 - "Response is Stale"'

/** A mirror that always asks, its upstream, and what it warned of. */
interface Site extends AsyncDisposable {
  readonly upstream: UpstreamSite
  readonly site: EmbeddedRegistry
  readonly clock: { time: number }
  readonly warnings: string[]
}

async function startSite(options: Partial<MirroredRegistry> = {}): Promise<Site> {
  const opened = new AsyncDisposableStack()
  const upstream = opened.use(await startUpstream())
  await upstream.registry.putImage('library/alpine', image, '3.20')
  const clock = Object.assign(() => clock.time, { time: Date.now() })
  const warnings: string[] = []
  const mirrors = [mirrorOf(upstream, { freshMs: 0, ...options })]
  const onWarning = (message: string) => warnings.push(message)
  const site = opened.use(await startEmbeddedRegistry({ mirrors, clock, onWarning }))
  return { upstream, site, clock, warnings, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

const refuse =
  (status: number, headers: Record<string, string> = {}) =>
  (_: unknown, response: ServerResponse) => {
    response.writeHead(status, headers).end()
    return true
  }

describe('while an upstream is away', () => {
  it('what is here is given out as stale, of which one warning tells, and what is not is refused', async () => {
    await using test = await startSite()
    const { upstream, site, warnings } = test
    await site.ask('GET', tagPath)
    await site.ask('GET', layerPath)
    await upstream.stop()
    for (const method of ['GET', 'HEAD', 'GET']) {
      const got = await site.ask(method, tagPath)
      expect(got.status).toBe(200)
      expect(got.headers).toMatchObject({ 'docker-content-digest': digest, warning: stale })
    }
    expect((await site.ask('GET', layerPath)).body).toEqual(image.layer.bytes)
    const refused = await site.ask('GET', '/v2/docker.io/library/other/manifests/1')
    expect(refused).toMatchObject({ status: 502, codes: ['UNKNOWN'] })
    expect(`${refused.body}`).toContain('docker.io failed: cannot reach')
    expect(refused.headers['retry-after']).toBe('10')
    const blob = await site.ask('GET', `/v2/docker.io/library/other/blobs/${digest}`)
    expect(blob).toMatchObject({ status: 502, codes: ['UNKNOWN'] })
    expect(warnings).toEqual([expect.stringMatching(/^the mirror of docker.io: cannot reach 127/)])
  })

  it('it is not asked for some seconds, then by one request, and is back with its first answer', async () => {
    await using test = await startSite()
    const { upstream, site, clock, warnings } = test
    await site.ask('GET', tagPath)
    upstream.answer = refuse(503)
    upstream.lines.splice(0)
    const other = '/v2/docker.io/library/other/manifests/1'
    await site.ask('GET', other)
    const asked = upstream.lines.length
    for (const path of [other, tagPath, other]) await site.ask('GET', path)
    expect(upstream.lines).toHaveLength(asked)
    clock.time += 11_000
    await Promise.all([other, `${other}2`, `${other}3`].map(path => site.ask('GET', path)))
    expect(new Set(upstream.lines)).toHaveLength(1)
    upstream.answer = () => false
    clock.time += 11_000
    expect((await site.ask('GET', tagPath)).headers.warning).toBeUndefined()
    expect(warnings.at(-1)).toBe('docker.io answers again')
  })

  it('a client is not kept waiting for it where there is an older answer', async () => {
    await using test = await startSite({ patienceMs: 20 })
    const { upstream, site } = test
    await site.ask('GET', tagPath)
    const held: ServerResponse[] = []
    upstream.answer = (_, response) => held.push(response) > 0
    expect((await site.ask('GET', tagPath)).headers.warning).toBe(stale)
    expect(await site.ask('GET', '/v2/docker.io/library/other/manifests/1')).toMatchObject({ status: 504 })
    for (const response of held) response.destroy()
  })

  it.each([
    ['limits requests', 429, { 'Retry-After': '77' }, 429, 'TOOMANYREQUESTS', '77'],
    ['wants a login', 401, { 'WWW-Authenticate': 'Basic realm="there"' }, 403, 'DENIED', undefined],
    ['refuses our login', 403, {}, 403, 'DENIED', undefined],
    ['breaks down', 500, {}, 502, 'UNKNOWN', undefined],
  ])(
    'because it %s, what is here is given out, and what is not refused',
    async (_, status, headers, ...told) => {
      await using test = await startSite()
      const { upstream, site } = test
      await site.ask('GET', tagPath)
      upstream.answer = refuse(status, headers)
      expect((await site.ask('GET', tagPath)).headers.warning).toBe(stale)
      const refused = await site.ask('GET', '/v2/docker.io/library/other/manifests/1')
      expect([refused.status, ...refused.codes, refused.headers['retry-after']]).toEqual(told)
      expect(refused.headers['www-authenticate']).toBeUndefined()
    },
  )

  it('the older image is given out where a tag has moved and the new one is not to be had', async () => {
    await using test = await startSite()
    const { upstream, site } = test
    await site.ask('GET', tagPath)
    const next = sampleImage('next')
    await upstream.registry.putImage('library/alpine', next, '3.20')
    upstream.answer = ({ method }, response) => method === 'GET' && refuse(429)(undefined, response)
    const got = await site.ask('GET', tagPath)
    expect(got).toMatchObject({ status: 200, body: Buffer.from(image.manifest.bytes) })
    expect(got.headers.warning).toBe(stale)
  })

  it('a manifest that is another than was asked for is not stored', async () => {
    await using test = await startSite()
    const { upstream, site } = test
    upstream.answer = ({ method }, response) => {
      if (method === 'GET') response.writeHead(200, { 'Content-Type': image.manifest.mediaType }).end('{}')
      return method === 'GET'
    }
    expect(await site.ask('GET', tagPath)).toMatchObject({ status: 502, codes: ['UNKNOWN'] })
    upstream.answer = () => false
    expect((await site.ask('GET', tagPath)).body).toEqual(Buffer.from(image.manifest.bytes))
  })
})

describe('in a folder that takes nothing', () => {
  it('content is given out all the same', async () => {
    await using test = await startSite()
    const { site, warnings } = test
    await mkdir(site.dir, { recursive: true })
    for (const name of ['docker.io', '_mirror']) await writeFile(join(site.dir, name), 'in the way')
    for (const _ of [1, 2]) {
      expect((await site.ask('GET', tagPath)).body).toEqual(Buffer.from(image.manifest.bytes))
      expect((await site.ask('GET', layerPath)).body).toEqual(image.layer.bytes)
      const headers = { Range: 'bytes=2-5' }
      expect((await site.ask('GET', layerPath, { headers })).body).toEqual(image.layer.bytes.subarray(2, 6))
    }
    expect(warnings).toEqual([expect.stringContaining('not stored')])
  })
})

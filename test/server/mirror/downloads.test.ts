import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { type RegistryServer, startServer } from '../../../src/server/server.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../../support/sample-image.ts'
import { mirrorOf, openBlob, startUpstream, type UpstreamSite } from './site.ts'

/** Every piece is different from every other. */
const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31 + (at >> 8) * 17) & 255))
const blob = sampleBlob(bytes)
const { digest } = blob.descriptor
const blobPath = `/v2/library/big/blobs/${digest}`
const mirroredPath = `/v2/docker.io/library/big/blobs/${digest}`
const half = bytes.length / 2

async function startSite(): Promise<UpstreamSite> {
  const upstream = await startUpstream()
  await upstream.registry.putBlob('library/big', blob)
  return upstream
}

/** Answers the first GET of the blob with its first half; `goOn` is given the answer when that is on its way. */
function holdHalf(upstream: UpstreamSite): Promise<ServerResponse> {
  return new Promise(resolve => {
    upstream.answer = ({ method, url }, response) => {
      if (method !== 'GET' || url !== blobPath) return false
      upstream.answer = () => false
      response.writeHead(200, { 'Content-Length': bytes.length })
      response.write(bytes.subarray(0, half), () => resolve(response))
      return true
    }
  })
}

const gets = ({ lines }: UpstreamSite) => lines.filter(line => line === `GET ${blobPath}`).length

async function read(incoming: AsyncIterator<Buffer>, length: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let bytes = 0; bytes < length; ) {
    const { value, done } = await incoming.next()
    if (done) break
    pieces.push(value)
    bytes += value.length
  }
  return Buffer.concat(pieces)
}

describe('a blob that is fetched for many', () => {
  it('travels once, and comes to each of them byte for byte', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => buffer(await openBlob(site, mirroredPath))),
    )
    for (const answer of answers) expect(answer.equals(bytes)).toBe(true)
    expect(upstream.lines).toEqual([`HEAD ${blobPath}`, `GET ${blobPath}`])
  })

  it('is on its way to them before the upstream has sent its second half', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const held = holdHalf(upstream)
    const early = await openBlob(site, mirroredPath)
    const pieces = early.iterator({ destroyOnReturn: false })
    const first = await read(pieces, half)
    expect(first.equals(bytes.subarray(0, half))).toBe(true)
    const late = await openBlob(site, mirroredPath)
    const ranged = await openBlob(site, mirroredPath, { Range: `bytes=100-${half + 99}` })
    expect(ranged.headers['content-range']).toBe(`bytes 100-${half + 99}/${bytes.length}`)
    ;(await held).end(bytes.subarray(half))
    expect(Buffer.concat([first, await read(pieces, half)]).equals(bytes)).toBe(true)
    expect((await buffer(late)).equals(bytes)).toBe(true)
    expect((await buffer(ranged)).equals(bytes.subarray(100, half + 100))).toBe(true)
    expect(gets(upstream)).toBe(1)
  })

  it('comes to its end when its first client leaves', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const held = holdHalf(upstream)
    const leaving = await openBlob(site, mirroredPath)
    await once(leaving, 'data')
    leaving.destroy()
    await site.ended(({ path }) => path === mirroredPath)
    ;(await held).end(bytes.subarray(half))
    expect((await site.ask('GET', mirroredPath)).body.equals(bytes)).toBe(true)
    expect(gets(upstream)).toBe(1)
  })

  it('is given in part where a part of it is asked for', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const headers = { Range: 'bytes=-10' }
    const got = await site.ask('GET', mirroredPath, { headers })
    expect(got).toMatchObject({ status: 206, body: bytes.subarray(-10) })
    expect((await site.ask('GET', mirroredPath)).body.equals(bytes)).toBe(true)
    expect(gets(upstream)).toBe(1)
  })

  it('goes on where it broke', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const ranges: unknown[] = []
    const cut = holdHalf(upstream).then(response => {
      upstream.answer = ({ headers }) => {
        ranges.push(headers.range)
        return false
      }
      response.destroy()
    })
    expect((await site.ask('GET', mirroredPath)).body.equals(bytes)).toBe(true)
    await cut
    expect(ranges).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)])
  })

  it('that turns out to be another is cut, not stored, and asked for anew', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const wrong = Buffer.from(bytes)
    wrong[half] = (wrong[half] ?? 0) ^ 1
    upstream.answer = ({ method, url }, response) => {
      if (method !== 'GET' || url !== blobPath) return false
      response.end(wrong)
      return true
    }
    const cuts = Array.from({ length: 3 }, async () => buffer(await openBlob(site, mirroredPath)))
    for (const cut of await Promise.allSettled(cuts)) expect(cut.status).toBe('rejected')
    expect(await readdir(site.dir)).toEqual([])
    upstream.answer = () => false
    expect((await site.ask('GET', mirroredPath)).body.equals(bytes)).toBe(true)
  })

  it('that is small and wrong is refused before anything of it is given', async () => {
    const small = sampleBlob('small')
    await using upstream = await startUpstream()
    await upstream.registry.putBlob('library/big', small)
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    upstream.answer = ({ method }, response) => {
      if (method !== 'GET') return false
      response.end('SMALL')
      return true
    }
    const path = `/v2/docker.io/library/big/blobs/${small.descriptor.digest}`
    expect(await site.ask('GET', path)).toMatchObject({ status: 502, codes: ['UNKNOWN'] })
  })

  it('of which the upstream tells no size is known by what the manifest says of it', async () => {
    const image = sampleImage('without length')
    await using upstream = await startUpstream()
    await upstream.registry.putImage('library/big', image, 'v1')
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    upstream.answer = ({ method, url }, response) => {
      if (!url?.includes('/blobs/') || method !== 'HEAD') return false
      response.writeHead(200).end()
      return true
    }
    const path = `/v2/docker.io/library/big/blobs/${image.layer.descriptor.digest}`
    expect(await site.ask('GET', path)).toMatchObject({ status: 502, codes: ['UNKNOWN'] })
    await site.ask('GET', '/v2/docker.io/library/big/manifests/v1')
    expect((await site.ask('GET', path)).body).toEqual(image.layer.bytes)
  })

  it('that is empty is given out', async () => {
    const empty = sampleBlob('')
    await using upstream = await startUpstream()
    await upstream.registry.putBlob('library/big', empty)
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const path = `/v2/docker.io/library/big/blobs/${empty.descriptor.digest}`
    for (const _ of [1, 2])
      expect(await site.ask('GET', path)).toMatchObject({ status: 200, body: Buffer.alloc(0) })
    expect(upstream.lines).toHaveLength(2)
  })

  it('is given up at once when the server closes, and gone on with by the next one', async () => {
    await using upstream = await startSite()
    await using folder = await startEmbeddedRegistry()
    const options = { dir: folder.dir, host: '127.0.0.1', port: 0, graceMs: 0, mirrors: [mirrorOf(upstream)] }
    const held = holdHalf(upstream)
    const serving = await startServer(options)
    const leaving = await openBlob({ ...folder, server: serving }, mirroredPath)
    leaving.on('error', () => undefined)
    await read(leaving.iterator({ destroyOnReturn: false }), half)
    await held
    await serving.close()
    const [part] = await readdir(join(folder.dir, '_mirror'))
    expect(part).toMatch(/^sha256-[0-9a-f]{64}\.[0-9a-f-]{36}$/)
    let range: unknown
    upstream.answer = ({ headers, method }) => {
      if (method === 'GET') range = headers.range
      return false
    }
    const next: RegistryServer = await startServer(options)
    try {
      const got = await buffer(await openBlob({ ...folder, server: next }, mirroredPath))
      expect(got.equals(bytes)).toBe(true)
      expect(range).toBe(`bytes=${half}-`)
    } finally {
      await next.close()
    }
    expect(await readdir(folder.dir)).not.toContain('_mirror')
  })

  it('is stored once by two servers on one folder that fetch it at the same time', async () => {
    await using upstream = await startSite()
    await using site = await startEmbeddedRegistry({ mirrors: [mirrorOf(upstream)] })
    const { dir } = site
    const other = await startServer({ dir, host: '127.0.0.1', port: 0, mirrors: [mirrorOf(upstream)] })
    try {
      const held = holdHalf(upstream)
      const early = await openBlob(site, mirroredPath)
      const pieces = early.iterator({ destroyOnReturn: false })
      const first = await read(pieces, half)
      const got = await buffer(await openBlob({ ...site, server: other }, mirroredPath))
      expect(got.equals(bytes)).toBe(true)
      ;(await held).end(bytes.subarray(half))
      expect(Buffer.concat([first, await read(pieces, half)]).equals(bytes)).toBe(true)
    } finally {
      await other.close()
    }
    const layout = await openLayout(join(dir, 'docker.io/library/big'))
    expect(await layout.blobs.list()).toEqual([digest])
  })
})

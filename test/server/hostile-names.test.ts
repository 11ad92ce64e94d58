import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { putSample, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const image = sampleImage('one')
const blob = sampleBlob('some')
const { digest } = blob.descriptor

describe('a path', () => {
  const secret = sampleImage('treasure')

  /** What lies in a folder, with its content and the time of its last change; without what is in `registry`. */
  async function snapshot(folder: string): Promise<unknown> {
    const entries = await readdir(folder, { recursive: true })
    const outside = entries.filter(entry => !/^registry(\/|$)/.test(entry)).sort()
    return Promise.all(
      outside.map(async entry => {
        const path = join(folder, entry)
        const status = await stat(path)
        const content = status.isFile() ? await readFile(path, 'latin1') : ''
        return [entry, status.mtimeMs, status.ino, content]
      }),
    )
  }

  const fragments = [
    ...['..', '.', '/', '//', 'a', 'one', 'secret', 'v1', ':', '@', '~', ';', '*'],
    ...[
      '%2e',
      '%2E%2E',
      '%2f',
      '%2F',
      '%5c',
      '\\',
      '%252e%252e%252f',
      '%c0%ae',
      '%c0%af',
      '%e0%80%ae',
      '%u002e',
    ],
    ...['%00', '%0a', '%20', '%ff', '%', '%2', 'etc/passwd', 'registry', 'file:', 'http://x/'],
    ...[
      'blobs',
      'manifests',
      'uploads',
      'tags/list',
      'referrers',
      'index.json',
      'index.json.lock',
      'oci-layout',
    ],
    ...['_uploads', '_blobs', '.partial', 'sha256', 'sha256:', `sha256/${digest.slice(7)}`],
    ...[digest, secret.layer.descriptor.digest, secret.manifest.digest],
  ]
  const part = fc
    .array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 6 })
    .map(parts => parts.join(''))
  const endpoint = fc.constantFrom(
    ...[
      'GET /v2/#/tags/list?last=#',
      'GET /v2/#/manifests/#',
      'PUT /v2/#/manifests/#?tag=#',
      'DELETE /v2/#/manifests/#',
    ],
    ...[
      'GET /v2/#/blobs/#',
      'DELETE /v2/#/blobs/#',
      'POST /v2/#/blobs/uploads/',
      `POST /v2/#/blobs/uploads/?digest=${digest}`,
    ],
    ...[
      'POST /v2/one/blobs/uploads/?digest=#',
      `POST /v2/one/blobs/uploads/?mount=${secret.layer.descriptor.digest}&from=#`,
    ],
    ...[
      'POST /v2/one/blobs/uploads/?mount=#&from=#',
      'PATCH /v2/#/blobs/uploads/#',
      'GET /v2/one/blobs/uploads/#',
    ],
    ...[
      `PUT /v2/one/blobs/uploads/#?digest=${digest}`,
      'DELETE /v2/one/blobs/uploads/#',
      'GET /v2/one/referrers/#',
    ],
    ...[
      'GET /v2/one/manifests/#',
      'GET /v2/one/blobs/#',
      'DELETE /v2/one/blobs/#',
      'GET /#',
      'GET #',
      'PUT #',
      'GET /v2/_catalog?last=#',
    ],
  )

  it('never leads out of the served folder, nor to a failure of the registry', {
    timeout: 30_000,
  }, async () => {
    await using folder = await makeTempDir()
    // Where one level too high would be, there is a repository as well.
    await putSample(await openLayout(folder.path, { create: true }), secret, ['v1'])
    await putSample(await openLayout(join(folder.path, 'secret'), { create: true }), secret, ['v1'])
    await writeFile(join(folder.path, 'passwd'), 'treasure')
    const dir = join(folder.path, 'registry')
    await using registry = await startEmbeddedRegistry({ dir })
    await registry.putImage('one', image, 'v1')
    const before = await snapshot(folder.path)
    const headers = { 'Content-Type': mediaTypes.ociManifest }
    const property = fc.asyncProperty(
      endpoint,
      fc.array(part, { minLength: 3, maxLength: 3 }),
      async (line, parts) => {
        const left = [...parts]
        const [method = '', path = ''] = line.replace(/#/g, () => left.shift() ?? '').split(/ (.*)/s)
        const body = path.includes('/blobs/') ? blob.bytes : image.manifest.bytes
        const answer = await registry.ask(method, path, { headers, ...(/^P/.test(method) && { body }) })
        expect(answer.status).toBeLessThan(500)
        expect(answer.body.toString()).not.toContain('treasure')
      },
    )
    await fc.assert(property, { numRuns: 800 })
    expect(await snapshot(folder.path)).toEqual(before)
    const names = await readdir(dir)
    expect(names.filter(name => !/^([a-z0-9]+([._-][a-z0-9]+)*|_uploads|_blobs)$/.test(name))).toEqual([])
  })

  it.each(['index.json.lock', 'index.json.lock.break', 'index.json', 'oci-layout', 'blobs'])(
    'does not make a repository of %s, which another needs itself',
    async name => {
      await using registry = await startEmbeddedRegistry()
      await registry.putImage('a', image, 'v1')
      const answer = await registry.ask('POST', `/v2/a/${name}/blobs/uploads/?digest=${digest}`, {
        body: 'some',
      })
      expect(answer).toMatchObject({ status: 400, codes: ['NAME_INVALID'] })
      expect((await registry.putImage('a', image, 'v2')).status).toBe(201)
    },
  )
})

describe('a digest', () => {
  it.each([
    `md5:${'0'.repeat(32)}`,
    `sha384:${'0'.repeat(96)}`,
    `blake3:${'0'.repeat(64)}`,
    `sha256:${'0'.repeat(63)}`,
    `sha256:${'0'.repeat(65)}`,
    `sha256:${'A'.repeat(64)}`,
    `SHA256:${'0'.repeat(64)}`,
    `sha512:${'0'.repeat(64)}`,
    `sha256+b64:${'0'.repeat(64)}`,
    `sha256:../../${'0'.repeat(58)}`,
    `__proto__:${'0'.repeat(64)}`,
    `constructor:${'0'.repeat(64)}`,
  ])('%s is refused wherever it stands', async odd => {
    await using registry = await startEmbeddedRegistry()
    await registry.putImage('a', image, 'v1')
    const encoded = encodeURIComponent(odd)
    const started = await registry.ask('POST', '/v2/a/blobs/uploads/')
    for (const [method, path] of [
      ['GET', `/v2/a/blobs/${encoded}`],
      ['HEAD', `/v2/a/blobs/${encoded}`],
      ['DELETE', `/v2/a/blobs/${encoded}`],
      ['GET', `/v2/a/manifests/${encoded}`],
      ['PUT', `/v2/a/manifests/${encoded}`],
      ['DELETE', `/v2/a/manifests/${encoded}`],
      ['GET', `/v2/a/referrers/${encoded}`],
      ['POST', `/v2/a/blobs/uploads/?digest=${encoded}`],
      ['POST', `/v2/a/blobs/uploads/?mount=${encoded}&from=a`],
      ['PUT', `${started.headers.location}?digest=${encoded}`],
    ] as const) {
      const answer = await registry.ask(method, path, { ...(/^P/.test(method) && { body: '{}' }) })
      expect([method, path, answer.status]).toEqual([method, path, 400])
      if (method !== 'HEAD') expect(answer.codes).toEqual(['DIGEST_INVALID'])
    }
  })

  it('of sha512 names a blob from its upload to its end', async () => {
    await using registry = await startEmbeddedRegistry()
    const long = sampleBlob('long', 'text/plain', 'sha512')
    await registry.putBlob('a', long)
    const path = `/v2/a/blobs/${long.descriptor.digest}`
    expect((await registry.ask('GET', path)).body.toString()).toBe('long')
    const mount = `/v2/b/blobs/uploads/?mount=${long.descriptor.digest}&from=a`
    expect((await registry.ask('POST', mount)).status).toBe(201)
    expect((await registry.ask('DELETE', path)).status).toBe(202)
    expect((await registry.ask('GET', path)).status).toBe(404)
    expect((await registry.ask('HEAD', path.replace('/a/', '/b/'))).status).toBe(200)
  })
})

import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob } from '../../support/sample-image.ts'

// Two servers on one folder, which share nothing but the folder.
let one: EmbeddedRegistry
let other: EmbeddedRegistry
beforeEach(async () => {
  one = await startEmbeddedRegistry()
  other = await startEmbeddedRegistry({ dir: one.dir })
})
afterEach(async () => {
  await other[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
})

const blob = sampleBlob('good content')
const { digest } = blob.descriptor

async function startUpload(at: EmbeddedRegistry): Promise<string> {
  const { location } = (await at.ask('POST', '/v2/app/blobs/uploads/')).headers
  return String(location)
}

/** Sends what a chunk begins with, and waits until it is on disk. */
async function beginChunk(
  at: EmbeddedRegistry,
  path: string,
  headers: Record<string, string> = {},
): Promise<ClientRequest> {
  const { port } = at.server
  const patch = request({ host: '127.0.0.1', port, method: 'PATCH', path, headers })
  patch.write(blob.bytes)
  while ((await uploadSizes()).every(size => size !== blob.bytes.length)) await setImmediate()
  return patch
}

async function uploadSizes(): Promise<(number | undefined)[]> {
  const folder = join(one.dir, '_uploads')
  const names = await readdir(folder)
  const sizes = names.map(name => stat(join(folder, name)).then(({ size }) => size))
  // A copy may get its name just now.
  return (await Promise.allSettled(sizes)).map(size => (size.status === 'fulfilled' ? size.value : undefined))
}

async function expectBlob(repository: string): Promise<void> {
  expect(String((await one.ask('GET', `/v2/${repository}/blobs/${digest}`)).body)).toBe('good content')
}

describe.each([
  ['that server has begun', () => other],
  ['the other has begun', () => one],
])('a blob whose upload one server ends while another still takes a chunk of it, which %s', (_, beginner) => {
  it('is not added to', async () => {
    const path = await startUpload(beginner())
    const patch = await beginChunk(other, path)
    expect((await one.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
    await one.putBlob('victim', blob)
    patch.end('evil bytes')
    const [answer] = (await once(patch, 'response')) as [IncomingMessage]
    answer.resume()
    for (const repository of ['app', 'victim']) await expectBlob(repository)
  })

  it('is not cut off', async () => {
    const path = await startUpload(beginner())
    const patch = await beginChunk(other, path, { 'Content-Range': '0-99' })
    expect((await one.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
    patch.end()
    const [answer] = (await once(patch, 'response')) as [IncomingMessage]
    answer.resume()
    expect(answer.statusCode).toBe(400)
    await expectBlob('app')
  })
})

describe('an upload that two servers go on with', () => {
  it('is a blob of all that they were sent in turn, and nothing else is left', async () => {
    const path = await startUpload(one)
    for (const [number, text] of ['go', 'od', ' con', 'te', 'nt'].entries()) {
      await [other, one][number % 2]?.ask('PATCH', path, { body: text })
    }
    expect((await one.ask('PUT', `${path}?digest=${digest}`)).status).toBe(201)
    await expectBlob('app')
    expect(await readdir(join(one.dir, '_uploads'))).toEqual([])
  })

  it('is not ended by the one whose file the other has replaced', async () => {
    const path = await startUpload(one)
    const whole = digestOf('good contentgood content')
    const patch = request({
      host: '127.0.0.1',
      port: one.server.port,
      method: 'PUT',
      path: `${path}?digest=${whole}`,
    })
    patch.write(blob.bytes)
    while (!(await uploadSizes()).includes(blob.bytes.length)) await setImmediate()
    expect((await other.ask('PATCH', path, { body: 'evil content' })).status).toBe(202)
    patch.end(blob.bytes)
    const [answer] = (await once(patch, 'response')) as [IncomingMessage]
    answer.resume()
    expect(answer.statusCode).toBe(404)
    expect((await one.ask('HEAD', `/v2/app/blobs/${whole}`)).status).toBe(404)
    expect((await other.ask('GET', path)).headers.range).toBe('0-23')
  })
})

import { describe, expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { Connection } from './connection.ts'
import { type Load, type LoadName, loads } from './loads.ts'

/** Two chunks, a few tags. */
const sizes = { bigBytes: 17 * 1024 ** 2, tags: 3 }

/** What one job asks for. */
const jobs: Readonly<Record<LoadName, readonly string[]>> = {
  'HEAD manifest': ['HEAD manifests/tag-0 200'],
  'GET manifest': ['GET manifests/DIGEST 200'],
  'HEAD blob': ['HEAD blobs/DIGEST 200'],
  'GET blob': ['GET blobs/DIGEST 200'],
  'list 1,000 tags': ['GET tags/list 200'],
  'PUT manifest': ['PUT manifests/tag-1 201'],
  'push 1 KB': ['POST blobs/uploads/ 202', 'PUT blobs/uploads/ID 201'],
  'pull 256 MB': ['GET blobs/DIGEST 200'],
  'push 256 MB': ['POST blobs/uploads/ 202', 'PUT blobs/uploads/ID 201'],
  'push 256 MB in chunks': [
    'POST blobs/uploads/ 202',
    ...['PATCH blobs/uploads/ID 202', 'PATCH blobs/uploads/ID 202'],
    'PUT blobs/uploads/ID 201',
  ],
}

describe('a job does what it is called, and nothing else', () => {
  it.each(Object.keys(jobs) as LoadName[])('%s', async name => {
    const seen: string[] = []
    await using registry = await startEmbeddedRegistry({
      onRequest: ({ method, path, status }) => {
        const short = path.replace('/v2/bench/image/', '').replace(/sha256:\w+/, 'DIGEST')
        seen.push(`${method} ${short.replace(/uploads\/.+/, 'uploads/ID')} ${status}`)
      },
    })
    using connection = await Connection.open(registry.server.port)
    const load: Load = loads[name](sizes)
    await load.prepare?.(connection)
    await registry.ask('GET', '/v2/')
    seen.length = 0
    await load.work(connection, 1)
    // Told of when the last byte has gone, which its reader may have before.
    await expect.poll(() => seen.filter(line => !/ \/v2\/ /.test(line))).toEqual(jobs[name])
  })
})

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Collection } from '../../src/server/garbage/collect.ts'
import { makeOld } from '../support/aged-files.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeEach(async () => {
  registry = await startEmbeddedRegistry()
})
afterEach(() => registry[Symbol.asyncDispose]())

const hour = 3_600_000
const stray = sampleBlob('stray')

/** Puts what an image needs and what none does, and makes it all old. */
async function fill(): Promise<void> {
  await registry.putImage('app', sampleImage('image'), '1')
  await registry.putBlob('app', stray)
  await makeOld(registry.dir)
}

const blobs = async () => (await readdir(join(registry.dir, 'app/blobs/sha256'))).length

describe('a folder that is served', () => {
  it('loses uploads that nobody went on with, and no others', async () => {
    const start = async () => String((await registry.ask('POST', '/v2/app/blobs/uploads/')).headers.location)
    const old = await start()
    await writeFile(
      join(registry.dir, '_uploads/.01234567-89ab-cdef-0123-456789abcdef.tmp'),
      'left by one that was killed',
    )
    await makeOld(join(registry.dir, '_uploads'))
    const young = await start()
    await using again = await startEmbeddedRegistry({ dir: registry.dir })
    while ((await readdir(join(registry.dir, '_uploads'))).length > 1) await setImmediate()
    expect((await again.ask('GET', old)).status).toBe(404)
    expect((await again.ask('GET', young)).status).toBe(204)
  })

  it('is collected in now and then where that is asked for', async () => {
    await fill()
    const collections: Collection[] = []
    await using server = await startEmbeddedRegistry({
      dir: registry.dir,
      gc: { everyMs: 1, graceMs: hour, onCollected: collection => collections.push(collection) },
    })
    while (collections.length < 2) await setImmediate()
    const [first, second] = collections
    expect(first?.removed).toMatchObject([
      { kind: 'blob', repository: 'app', digest: stray.descriptor.digest },
      { kind: 'shared-blob', digest: stray.descriptor.digest },
    ])
    expect(second?.removed).toEqual([])
    expect((await server.ask('GET', '/v2/app/manifests/1')).status).toBe(200)
  })

  it('is not collected in without', async () => {
    await fill()
    await using server = await startEmbeddedRegistry({ dir: registry.dir })
    expect((await server.ask('GET', `/v2/app/blobs/${stray.descriptor.digest}`)).status).toBe(200)
    expect(await blobs()).toBe(4)
  })

  it('is not collected in where it is only read', async () => {
    await fill()
    const onCollected = () => expect.unreachable()
    const warnings: string[] = []
    await using server = await startEmbeddedRegistry({
      dir: registry.dir,
      readOnly: true,
      gc: { everyMs: 1, onCollected },
      onWarning: message => warnings.push(message),
    })
    expect(warnings).toContain('no garbage is collected: the folder is only read')
    for (let turn = 0; turn < 20; turn += 1) await server.ask('GET', '/v2/app/manifests/1')
    expect(await blobs()).toBe(4)
  })

  it('tells of what could not be collected in, and goes on', async () => {
    await fill()
    await writeFile(join(registry.dir, 'app/index.json'), '{')
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    await using server = await startEmbeddedRegistry({ dir: registry.dir, gc: { everyMs: 1 }, onWarning })
    const isTold = () => warnings.some(warning => warning.startsWith('no garbage was collected in app: '))
    while (!isTold()) await setImmediate()
    expect((await server.ask('GET', '/v2/')).status).toBe(200)
  })

  it('is left in the middle of a collection when the server ends', async () => {
    await fill()
    for (let number = 0; number < 100; number += 1)
      await registry.putBlob('app', sampleBlob(`stray ${number}`))
    await makeOld(registry.dir)
    const server = await startEmbeddedRegistry({ dir: registry.dir, gc: { everyMs: 1, graceMs: hour } })
    while ((await blobs()) > 90) await setImmediate()
    await server[Symbol.asyncDispose]()
    const left = await blobs()
    for (let turn = 0; turn < 50; turn += 1) await setImmediate()
    expect(await blobs()).toBe(left)
    expect((await registry.ask('GET', '/v2/app/manifests/1')).status).toBe(200)
  })
})

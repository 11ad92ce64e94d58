import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { hexOf } from '../../../src/oci/digest.ts'
import { type Collection, collectGarbage } from '../../../src/server/garbage/collect.ts'
import { makeOld } from '../../support/aged-files.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { start } from '../../support/run.ts'
import {
  putSample,
  type SampleBlob,
  type SampleImage,
  sampleBlob,
  sampleImage,
  sampleIndex,
} from '../../support/sample-image.ts'

const program = join(import.meta.dirname, 'collect-process.ts')
const hour = 3_600_000

let registry: EmbeddedRegistry
beforeEach(async () => {
  registry = await startEmbeddedRegistry({ requireBlobs: true })
})
afterEach(() => registry[Symbol.asyncDispose]())

const collect = () => collectGarbage(registry.dir, { graceMs: hour })
const ask = (method: string, path: string) => registry.ask(method, `/v2/${path}`)
const head = async (repository: string, { descriptor }: SampleBlob) =>
  (await ask('HEAD', `${repository}/blobs/${descriptor.digest}`)).status

async function putManifest(repository: string, { manifest }: Pick<SampleImage, 'manifest'>, tag: string) {
  const headers = { 'Content-Type': manifest.mediaType }
  const path = `/v2/${repository}/manifests/${tag}`
  const { status, codes } = await registry.ask('PUT', path, { headers, body: manifest.bytes })
  return codes[0] ?? status
}

/** Every byte of an image is there. */
async function expectWhole(repository: string, { manifest, config, layer }: SampleImage): Promise<void> {
  const got = await ask('GET', `${repository}/manifests/${manifest.digest}`)
  expect(got.body).toEqual(Buffer.from(manifest.bytes))
  for (const { descriptor, bytes } of [config, layer]) {
    expect((await ask('GET', `${repository}/blobs/${descriptor.digest}`)).body).toEqual(bytes)
  }
}

const goneFrom = ({ removed }: Collection) =>
  removed.flatMap(({ kind, digest }) => (kind === 'blob' && digest !== undefined ? [digest] : []))

describe('a push in flight loses nothing that it was told of', () => {
  const blob = sampleBlob('there for long')
  const { digest } = blob.descriptor

  beforeEach(async () => {
    await registry.putBlob('app', blob)
    await registry.putBlob('app', sampleBlob('stray'))
    await makeOld(registry.dir)
  })

  it.each(['HEAD', 'GET'])('by %s', async method => {
    expect((await ask(method, `app/blobs/${digest}`)).status).toBe(200)
    expect(goneFrom(await collect())).toEqual([sampleBlob('stray').descriptor.digest])
    expect(await head('app', blob)).toBe(200)
  })

  it.each(['&from=app', ''])('by a mount with the query "%s"', async from => {
    const path = `other/blobs/uploads/?mount=${digest}${from}`
    expect((await ask('POST', path)).status).toBe(201)
    await collect()
    expect(await head('other', blob)).toBe(200)
  })

  it('by a mount of what is in the repository already', async () => {
    expect((await ask('POST', `app/blobs/uploads/?mount=${digest}&from=app`)).status).toBe(201)
    await collect()
    expect(await head('app', blob)).toBe(200)
  })

  it('by an upload of what is on disk already', async () => {
    await registry.putBlob('other', blob)
    await collect()
    expect(await head('other', blob)).toBe(200)
  })

  it('by an upload that stood still for long before it came to its end', async () => {
    const late = sampleBlob('late')
    const { headers } = await ask('POST', 'app/blobs/uploads/')
    const path = String(headers.location)
    await registry.ask('PATCH', path, { body: late.bytes })
    await makeOld(join(registry.dir, '_uploads'))
    expect((await registry.ask('PUT', `${path}?digest=${late.descriptor.digest}`)).status).toBe(201)
    await collect()
    expect(await head('app', late)).toBe(200)
  })

  it('by HEAD of a manifest that is in no index any more, of which it leaves out all the rest', async () => {
    const child = sampleImage('child')
    const index = sampleIndex([child.manifest])
    await registry.putImage('app', child, child.manifest.digest)
    expect(await putManifest('app', { manifest: index }, '1')).toBe(201)
    await ask('DELETE', `app/manifests/${index.digest}`)
    await makeOld(registry.dir)
    expect((await ask('HEAD', `app/manifests/${child.manifest.digest}`)).status).toBe(200)
    expect(goneFrom(await collect())).toHaveLength(2) // what the others push
    expect(
      await putManifest('app', { manifest: sampleIndex([child.manifest], { annotations: {} }) }, '2'),
    ).toBe(201)
    await expectWhole('app', child)
  })

  it('by a copy into the folder, of what it found there', async () => {
    const image = sampleImage('image')
    const layout = await openLayout(join(registry.dir, 'app'))
    for (const part of [image.config, image.layer]) await registry.putBlob('app', part)
    await makeOld(registry.dir)
    for (const { descriptor } of [image.config, image.layer]) {
      expect(await layout.putBlob(descriptor, () => Promise.reject(new Error('not asked for')))).toBe(
        'present',
      )
    }
    await collect()
    await layout.putManifest(image.manifest, ['1'])
    await expectWhole('app', image)
  })

  it('while its manifest is checked and listed', async () => {
    const image = sampleImage('image')
    const layout = await openLayout(join(registry.dir, 'app'))
    await putSample(layout, image)
    let collecting: Promise<Collection> | undefined
    await layout.putManifest(image.manifest, ['1'], {
      check: async () => {
        expect(await layout.hasBlob(image.layer.descriptor)).toBe(true)
        await makeOld(registry.dir)
        collecting ??= collectGarbage(registry.dir, { graceMs: hour })
        for (let turn = 0; turn < 200; turn += 1) await setImmediate()
      },
    })
    expect(goneFrom((await collecting) ?? (await collect()))).not.toContain(image.layer.descriptor.digest)
    await expectWhole('app', image)
  })

  it('and a registry that is only read changes no times', async () => {
    await using reader = await startEmbeddedRegistry({ dir: registry.dir, readOnly: true })
    expect((await reader.ask('HEAD', `/v2/app/blobs/${digest}`)).status).toBe(200)
    const { mtimeMs } = await stat(join(registry.dir, 'app/blobs/sha256', hexOf(digest)))
    expect(Date.now() - mtimeMs).toBeGreaterThan(hour)
  })
})

describe('what is freed', () => {
  it('counts a blob once that several repositories share, and not before the last has lost it', async () => {
    const shared = sampleBlob('shared by three')
    for (const name of ['one', 'two', 'three']) await registry.putBlob(name, shared)
    expect((await ask('PUT', 'three/manifests/1')).status).toBe(400)
    await makeOld(registry.dir)
    expect(await head('three', shared)).toBe(200) // one file, so it is young for all
    expect(await collect()).toMatchObject({ removed: [], freedBytes: 0 })
    await makeOld(registry.dir)
    const foreseen = await collectGarbage(registry.dir, { graceMs: hour, dryRun: true })
    const done = await collect()
    expect(done.removed.map(({ kind }) => kind)).toEqual(['blob', 'blob', 'blob', 'shared-blob'])
    expect(done.freedBytes).toBe(shared.bytes.length)
    expect(foreseen).toEqual({ ...done, dryRun: true })
  })

  it('is nothing while an image in one repository still needs it', async () => {
    const image = sampleImage('image')
    await registry.putImage('kept', image, '1')
    for (const part of [image.config, image.layer]) await registry.putBlob('other', part)
    await makeOld(registry.dir)
    const done = await collect()
    expect(done).toMatchObject({ freedBytes: 0, removed: [{ repository: 'other' }, { repository: 'other' }] })
    await expectWhole('kept', image)
  })
})

describe('pushes beside a process that collects all the time', { timeout: 60_000 }, () => {
  const rounds = 25

  it('come to their end, though all that they find there is old', async () => {
    await using collecting = await start(process.execPath, [program, registry.dir, String(hour)])
    await collecting.printed(/removed/)
    const seen = { there: 0, gone: 0 }
    for (let round = 0; round < rounds; round += 1) {
      const image = sampleImage(`image ${round}`)
      for (const part of [image.config, image.layer]) {
        await registry.putBlob('app', part)
        await makeOld(join(registry.dir, 'app/blobs/sha256', hexOf(part.descriptor.digest)))
      }
      // Old, and needed by nothing: from now on they may go at any time, until somebody is told that they are there.
      for (let turn = 0; turn < round % 5; turn += 1) await head('app', sampleBlob('nothing'))
      for (const part of [image.config, image.layer]) {
        const isThere = (await head('app', part)) === 200
        seen[isThere ? 'there' : 'gone'] += 1
        if (!isThere) await registry.putBlob('app', part)
      }
      expect(await putManifest('app', image, `v${round}`)).toBe(201)
    }
    for (let round = 0; round < rounds; round += 1) await expectWhole('app', sampleImage(`image ${round}`))
    expect(collecting.stdout).not.toMatch(/failures [1-9]/)
    expect(seen.there + seen.gone).toBe(2 * rounds)
  })

  it('are whole when they are accepted, even where nothing is given any time', async () => {
    await using collecting = await start(process.execPath, [program, registry.dir, '0'])
    await collecting.printed(/removed/)
    for (let round = 0; round < rounds; round += 1) {
      const image = sampleImage(`image ${round}`)
      let answer: string | number = ''
      while (answer !== 201) {
        for (const part of [image.config, image.layer]) await registry.putBlob('app', part)
        answer = await putManifest('app', image, `v${round}`)
        expect([201, 'MANIFEST_BLOB_UNKNOWN']).toContain(answer)
      }
    }
    for (let round = 0; round < rounds; round += 1) await expectWhole('app', sampleImage(`image ${round}`))
  })
})

describe('a collector that is killed again and again', { timeout: 60_000 }, () => {
  it('loses nothing, and the last one leaves nothing', async () => {
    const images = [1, 2, 3].map(number => sampleImage(`image ${number}`))
    for (const image of images) await registry.putImage('app', image, 'v1')
    const folder = join(registry.dir, 'app/blobs/sha256')
    const count = async () => (await readdir(folder)).length
    for (let number = 0; number < 400; number += 1)
      await registry.putBlob('app', sampleBlob(`stray ${number}`))
    await makeOld(registry.dir)
    for (let kill = 0; kill < 5; kill += 1) {
      const before = await count()
      await using collecting = await start(process.execPath, [program, registry.dir, String(hour), 'once'])
      while ((await count()) > before - 20) await setImmediate()
      collecting.kill('SIGKILL')
      expect(await collecting.ended).toMatchObject({ signal: 'SIGKILL' })
      await expectWhole('app', images[kill % 3] ?? sampleImage('none'))
    }
    expect(await collect()).toMatchObject({ failures: [] })
    for (const image of images) await expectWhole('app', image)
    expect(await readdir(folder)).toHaveLength(9)
    expect(await readdir(join(registry.dir, '_blobs/sha256'))).toHaveLength(6)
    expect((await readdir(join(registry.dir, 'app'))).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })
})

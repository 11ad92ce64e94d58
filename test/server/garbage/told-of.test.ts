import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { KeyedLock } from '../../../src/layout/keyed-lock.ts'
import { openLayout } from '../../../src/layout/layout.ts'
import { hexOf } from '../../../src/oci/digest.ts'
import { collectGarbage, collectRegistry } from '../../../src/server/garbage/collect.ts'
import { makeOld } from '../../support/aged-files.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { putSample, sampleBlob, sampleImage, sampleIndex } from '../../support/sample-image.ts'

const hour = 3_600_000

/** A repository with an index of two images that index.json does not list, all of it old. */
async function openUnlisted() {
  const registry = await startEmbeddedRegistry()
  const images = [sampleImage('one'), sampleImage('two')]
  const index = sampleIndex(images.map(({ manifest }) => manifest))
  const layout = await openLayout(join(registry.dir, 'app'), { create: true })
  for (const image of images) await putSample(layout, image)
  await layout.putManifest(index)
  await makeOld(registry.dir)
  const ask = async () =>
    expect((await registry.ask('HEAD', `/v2/app/manifests/${index.digest}`)).status).toBe(200)
  return { registry, layout, ask, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() }
}

it('an index that somebody is told of while its removal waits stays with all that is below it', async () => {
  await using unlisted = await openUnlisted()
  const { registry, layout } = unlisted
  const all = (await layout.blobs.list()).sort()
  const locks = new KeyedLock()
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const held = locks.run(join(registry.dir, 'app', 'index.json'), () => gate)
  const collecting = collectRegistry(registry.dir, { graceMs: hour, locks })
  // It comes to the lock, which is held.
  for (let turn = 0; turn < 2000; turn += 1) await setImmediate()
  await unlisted.ask()
  open()
  await held
  expect((await collecting).removed).toEqual([])
  expect((await layout.blobs.list()).sort()).toEqual(all)
})

it('an index that somebody was told of is not foreseen to go, nor what is below it', async () => {
  await using unlisted = await openUnlisted()
  await unlisted.ask()
  const { removed } = await collectGarbage(unlisted.registry.dir, { graceMs: hour, dryRun: true })
  expect(removed).toEqual([])
})

it('a blob that somebody was told of stays for the whole grace time, though its mark was not renewed', async () => {
  await using registry = await startEmbeddedRegistry()
  const blob = sampleBlob('told of')
  await registry.putBlob('app', blob)
  const then = new Date(Date.now() - 40_000)
  await utimes(join(registry.dir, 'app/blobs/sha256', hexOf(blob.descriptor.digest)), then, then)
  const path = `/v2/app/blobs/${blob.descriptor.digest}`
  expect((await registry.ask('HEAD', path)).status).toBe(200)
  await collectGarbage(registry.dir, { graceMs: 30_000 })
  expect((await registry.ask('HEAD', path)).status).toBe(200)
})

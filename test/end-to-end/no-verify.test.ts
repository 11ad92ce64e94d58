import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { listing } from './bad-road.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

describe('a copy with --no-verify', patience, () => {
  const opened = new AsyncDisposableStack()
  let layout: GeneratedLayout
  let registry: EmbeddedRegistry
  beforeAll(async () => {
    layout = opened.use(await generateLayout(3_000_000))
    registry = opened.use(await startEmbeddedRegistry())
    await dray(['copy', '--quiet', `oci:${layout.path}:big`, `${registry.host}/source:big`])
  })
  afterAll(() => opened.disposeAsync())

  it.each(['a registry', 'a layout'])(
    'brings an image to %s, and tags nothing when a byte is wrong',
    async kind => {
      await using folder = await makeTempDir()
      await using proxy = await startFaultyProxy(`http://${registry.host}`)
      // The same registry by another name, so that blobs are not mounted.
      const host = registry.host.replace('127.0.0.1', 'localhost')
      const to = kind === 'a layout' ? `oci:${join(folder.path, 'layout')}:big` : `${host}/copied:big`
      const path = new RegExp(`/blobs/${layout.layers[0]?.digest}$`)
      proxy.spoil({ method: 'GET', path, fault: { kind: 'corrupt', atByte: 2_000_000 } })
      const copy = ['copy', '--quiet', '--no-verify', `${proxy.host}/source:big`, to]
      await drayFails(6, copy)
      await drayFails(3, ['digest', to])
      expect(await listing(join(registry.dir, '_uploads'))).toEqual([])
      expect(await drayJson(copy)).toMatchObject({ digest: layout.manifest.digest, changed: false })
      expect((await dray(['digest', to])).stdout).toBe(`${layout.manifest.digest}\n`)
    },
  )
})

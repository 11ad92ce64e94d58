import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { runDray } from '../support/run.ts'
import { putSample, sampleImage } from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it('dray copy writes into a folder while it is served, and no tag of either is lost', {
  timeout: 60_000,
}, async () => {
  await using folder = await makeTempDir()
  await using registry = await startEmbeddedRegistry()
  const copied = Array.from({ length: 4 }, (_, number) => sampleImage(`copied ${number}`))
  const source = await openLayout(join(folder.path, 'source'), { create: true })
  for (const [number, image] of copied.entries()) await putSample(source, image, [`c${number}`])
  // What both write at the same time, too.
  await putSample(source, sampleImage('pushed 0'), ['same'])

  let isCopying = true
  const copies = ['c0', 'c1', 'c2', 'c3', 'same'].map(async tag => {
    const to = `oci:${join(registry.dir, 'team/app')}:${tag}`
    const { code, stderr } = await runDray(['copy', '--quiet', `oci:${source.dir}:${tag}`, to])
    expect([code, stderr]).toEqual([0, ''])
  })
  const copying = Promise.all(copies).finally(() => {
    isCopying = false
  })
  const pushed: string[] = []
  while (isCopying) {
    const number = pushed.length
    const image = sampleImage(`pushed ${number}`)
    expect((await registry.putImage('team/app', image, `p${number}`)).status).toBe(201)
    pushed.push(image.manifest.digest)
  }
  await copying

  const { tags } = (await registry.ask('GET', '/v2/team/app/tags/list')).json() as { tags: string[] }
  const expected = ['c0', 'c1', 'c2', 'c3', 'same', ...pushed.map((_, number) => `p${number}`)]
  expect(tags).toEqual(expected.sort())
  const digests = [...copied.map(({ manifest }) => manifest.digest), ...pushed]
  for (const digest of digests) {
    const got = await registry.ask('GET', `/v2/team/app/manifests/${digest}`)
    expect(got.status).toBe(200)
    const { config, layers } = got.json() as { config: { digest: string }; layers: { digest: string }[] }
    for (const blob of [config, ...layers]) {
      expect((await registry.ask('HEAD', `/v2/team/app/blobs/${blob.digest}`)).status).toBe(200)
    }
  }
})

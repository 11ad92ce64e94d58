import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { requirePeers } from '../support/peers.ts'
import { run } from '../support/run.ts'
import { putSample, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

/** Runs skopeo with a policy that asks for no signatures. */
async function skopeo(folder: TempDir, ...args: string[]): Promise<string> {
  const policy = join(folder.path, 'policy.json')
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  const { code, stdout, stderr } = await run('skopeo', ['--policy', policy, ...args], { cwd: folder.path })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  return stdout
}

describe.skipIf(!requirePeers('skopeo'))('skopeo', () => {
  const images = [sampleImage('one'), sampleImage('two')]
  const index = sampleIndex(images.map(({ manifest }) => manifest))

  async function writeLayout(dir: string): Promise<void> {
    const layout = await openLayout(dir, { create: true })
    for (const image of images) await putSample(layout, image)
    await layout.putManifest(index, ['v1'])
  }

  it('reads a layout of ours, and we read one of its', async () => {
    await using folder = await makeTempDir()
    await writeLayout(join(folder.path, 'ours'))
    await skopeo(folder, 'copy', '--all', '--preserve-digests', 'oci:ours:v1', 'oci:theirs:v2')
    const theirs = await openLayout(join(folder.path, 'theirs'))
    expect(await theirs.resolve('v2')).toEqual(descriptorOf(index))
    for (const { layer } of images) expect(await theirs.hasBlob(layer.descriptor)).toBe(true)
  })

  it.each([
    ['anybody', undefined, []],
    [
      'a token',
      { kind: 'token', service: 's', users: { check: async (_: string, word: string) => word === 'secret' } },
      ['ann:secret'],
    ],
  ] as const)('pushes to the registry, pulls and deletes, with %s', async (_, auth, credentials) => {
    await using folder = await makeTempDir()
    await using registry = await startEmbeddedRegistry({ auth })
    await writeLayout(join(folder.path, 'ours'))
    const there = `docker://${registry.host}/org/app:v1`
    const login = (flag: string) => credentials.flatMap(word => [flag, word])
    const copy = ['copy', '--all', '--preserve-digests']
    await skopeo(folder, ...copy, '--dest-tls-verify=false', ...login('--dest-creds'), 'oci:ours:v1', there)
    await skopeo(folder, ...copy, '--src-tls-verify=false', ...login('--src-creds'), there, 'oci:back:v1')
    const back = await openLayout(join(folder.path, 'back'))
    expect(await back.resolve('v1')).toEqual(descriptorOf(index))
    const stored = await openLayout(join(registry.dir, 'org/app'))
    expect(await stored.listManifests()).toEqual([expect.objectContaining(descriptorOf(index))])
    await skopeo(folder, 'delete', '--tls-verify=false', ...login('--creds'), there)
    expect(await stored.listTags()).toEqual([])
  })
})

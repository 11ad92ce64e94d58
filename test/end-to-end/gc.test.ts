import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { makeOld } from '../support/aged-files.ts'
import { runDray } from '../support/run.ts'
import { chunksOf, putSample, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { serve } from './serving.ts'

const image = sampleImage('image')
const stray = sampleBlob('stray')
const { digest } = stray.descriptor

describe('dray gc', patience, () => {
  let folder: TempDir
  let dir: string
  beforeEach(async () => {
    folder = await makeTempDir()
    dir = join(folder.path, 'registry')
    for (const name of ['app', 'team/app']) {
      const layout = await openLayout(join(dir, name), { create: true })
      await putSample(layout, image, ['1'])
      await layout.putBlob(stray.descriptor, async () => chunksOf(stray.bytes))
    }
  })
  afterEach(() => folder.remove())

  const blobs = async (name: string) => (await readdir(join(dir, name, 'blobs/sha256'))).sort()

  it('says what it would do, and does it', async () => {
    expect((await dray(['gc', dir])).stdout).toBe('nothing to remove in 2 repositories\n')
    await makeOld(dir)
    expect((await dray(['gc', '--dry-run', dir])).stdout).toContain(
      `would remove blob ${digest} of team/app (5 B)\n`,
    )
    expect(await blobs('app')).toHaveLength(4)
    const removed = ['app', 'team/app'].map(repository => ({
      kind: 'blob',
      repository,
      digest,
      path: null,
      bytes: 5,
    }))
    const done = { dir, dryRun: false, repositories: 2, freedBytes: 10, removed, failures: [] }
    expect(await drayJson(['gc', dir])).toEqual(done)
    expect(await blobs('app')).not.toContain(hexOf(digest))
    expect(await blobs('team/app')).toHaveLength(3)
  })

  it('gives what was used lately the time that it is told', async () => {
    expect((await dray(['gc', '--grace', '1h', dir])).stdout).toContain('nothing')
    const { stdout } = await dray(['gc', '--grace', '0', '--format', '{{.FreedBytes}}', dir])
    expect(stdout).toBe('10\n')
  })

  it('removes images without a tag when it is told to', async () => {
    await putSample(await openLayout(join(dir, 'app')), sampleImage('other'), [])
    await makeOld(dir)
    await dray(['gc', dir])
    expect(await blobs('app')).toHaveLength(6)
    expect((await dray(['gc', '--untagged', dir])).stdout).toBe(
      `app: 1 untagged manifest, 3 blobs\nfreed ${await sizeOf('other')} in 2 repositories\n`,
    )
    expect(await blobs('app')).toHaveLength(3)
  })

  it('goes on where a repository fails, and says so with its exit code', async () => {
    await truncate(join(dir, 'app/blobs/sha256', hexOf(image.manifest.digest)), 10)
    await makeOld(dir)
    const { code, stdout, stderr } = await runDray(['gc', dir])
    expect(code).toBe(7)
    expect(stdout).toBe('team/app: 1 blob\nfreed 5 B in 2 repositories\n')
    expect(stderr).toContain(image.manifest.digest)
    expect(stderr).toMatch(/\ndray: 1 of 2 repositories failed: app\n$/)
    expect(await blobs('app')).toHaveLength(4)
  })

  it('refuses what is neither a layout nor a folder of repositories', async () => {
    await mkdir(join(folder.path, 'mine'))
    await writeFile(join(folder.path, 'mine/notes'), 'notes')
    expect(await drayFails(3, ['gc', join(folder.path, 'mine')])).toContain('neither an OCI image layout nor')
    expect(await drayFails(3, ['gc', join(folder.path, 'none')])).toContain('no such file or folder')
    expect(await drayFails(2, ['gc', '--grace', 'long', dir])).toContain('invalid duration')
  })

  it('is what a server does now and then, and logs', async () => {
    await makeOld(dir)
    await writeFile(join(folder.path, 'serve.yaml'), 'gc: { everySeconds: 3600, graceSeconds: 3600 }')
    const { running } = await serve(dir, '--config', join(folder.path, 'serve.yaml'), '--gc', '10ms')
    await using server = running
    await server.printed(/collected 1 blob, freed 5 B|collected 2 blobs, freed 10 B/)
    while ((await blobs('team/app')).length > 3) await setImmediate()
    expect(await drayFails(2, ['serve', '--gc', dir])).toContain('put it behind the folder')
  })

  async function sizeOf(name: string): Promise<string> {
    const { manifest, config, layer } = sampleImage(name)
    return `${manifest.bytes.length + config.bytes.length + layer.bytes.length} B`
  }
})

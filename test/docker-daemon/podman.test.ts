import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import {
  type DockerArchiveFormat,
  openDockerArchiveDestination,
} from '../../src/docker-archive/docker-archive-destination.ts'
import { openDaemonDestination } from '../../src/docker-daemon/daemon-destination.ts'
import { DaemonImage } from '../../src/docker-daemon/daemon-image.ts'
import { connectEngine } from '../../src/docker-daemon/engine.ts'
import type { ImageDestination } from '../../src/image-store.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { childBlobs } from '../../src/oci/manifest.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { fixturePath } from '../support/fixtures.ts'
import { hasPodman, type Podman, startPodman } from '../support/podman.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

/** fixtures/hello for linux/amd64. */
const imageId = 'sha256:c08bc81a0b26d0ebb546315ba87d31135d1eea439d73e4ed10fb1f1a5a563a00'

describe.skipIf(!hasPodman())('podman', { timeout: 60_000 }, () => {
  let podman: Podman
  let folder: TempDir
  beforeAll(async () => {
    podman = await startPodman()
    folder = await makeTempDir()
  }, 60_000)
  afterAll(async () => {
    await podman?.[Symbol.asyncDispose]()
    await folder?.remove()
  })

  const options = () => ({ tmpDir: folder.path })
  const put = async (destination: ImageDestination, ...tags: string[]) =>
    copyImage({
      source: await openLayout(fixturePath('hello')),
      from: '1.0',
      destination,
      tags,
      platforms: [parsePlatform('linux/amd64')],
      unpack: true,
    })

  it('takes an image through its service, and gives it back', async () => {
    const engine = await connectEngine([podman.host])
    await using destination = await openDaemonDestination(engine, options())
    await put(destination.repository('hello'), '1.0', 'service')
    await destination.finish()
    for (const name of ['hello:1.0', 'docker.io/library/hello:service']) {
      expect(await engine.findImage(name)).toMatchObject({ id: imageId })
      await using source = new DaemonImage(engine, name, options())
      const target = await openLayout(join(folder.path, name.replaceAll('/', '-')), { create: true })
      const { digest } = await copyImage({ source, from: name, destination: target, tags: ['1.0'] })
      const [config] = childBlobs(await target.readManifest(digest))
      expect(config?.digest).toBe(imageId)
    }
  })

  it('does not have what nobody gave it', async () => {
    const engine = await connectEngine([podman.host])
    expect(await engine.findImage('absent:1.0')).toBeUndefined()
    await expect(engine.save('absent:1.0')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('says why it cannot load an archive', async () => {
    const engine = await connectEngine([podman.host])
    const load = engine.load(noArchive())
    await expect(load).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('payload does not match'),
    })
  })

  it.each<DockerArchiveFormat>(['docker', 'legacy'])(
    'loads what we write in the format %s, and what it saves is read',
    async format => {
      const path = join(folder.path, `${format}.tar`)
      await using archive = await openDockerArchiveDestination(path, { ...options(), format })
      await put(archive.repository('example.com/hello'), format)
      await archive.finish()
      expect(await podman.run('load', '--input', path)).toMatchObject({ code: 0 })
      const name = `example.com/hello:${format}`
      const saved = join(folder.path, `${format}-saved.tar`)
      expect(await podman.run('save', '--output', saved, name)).toMatchObject({ code: 0 })
      await using read = await openDockerArchive(saved, options())
      const manifest = await read.getManifest(await read.resolve(name))
      expect(childBlobs(manifest)[0]?.digest).toBe(imageId)
    },
  )

  async function* noArchive(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('none')
  }
})

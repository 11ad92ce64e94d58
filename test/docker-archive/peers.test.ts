import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import {
  type DockerArchiveFormat,
  openDockerArchiveDestination,
} from '../../src/docker-archive/docker-archive-destination.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { childBlobs } from '../../src/oci/manifest.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { crane, skopeo } from '../end-to-end/peers.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

const patience = { timeout: 30_000 }
/** fixtures/hello 1.0 for linux/amd64. */
const imageId = 'sha256:c08bc81a0b26d0ebb546315ba87d31135d1eea439d73e4ed10fb1f1a5a563a00'

let folder: TempDir
let inFolder: (name: string) => string
beforeEach(async () => {
  folder = await makeTempDir()
  inFolder = name => join(folder.path, name)
})
afterEach(() => folder.remove())

/** An archive of the first tags of fixtures/hello, each for linux/amd64. */
async function writeArchive(
  format: DockerArchiveFormat,
  tags: readonly string[],
  file = 'a.tar',
): Promise<string> {
  const path = inFolder(file)
  await using archive = await openDockerArchiveDestination(path, { tmpDir: folder.path, format })
  const source = await openLayout(fixturePath('hello'))
  for (const tag of tags) {
    const destination = archive.repository('hello')
    const platforms = [parsePlatform('linux/amd64')]
    await copyImage({ source, from: tag, destination, tags: [tag], platforms, unpack: true })
  }
  await archive.finish()
  return path
}

const formats: readonly DockerArchiveFormat[] = ['docker', 'legacy']

/** The config of an image that skopeo has copied into a folder, as it is. */
async function configIn(name: string): Promise<string> {
  return JSON.parse(await readFile(join(inFolder(name), 'manifest.json'), 'utf8')).config.digest
}

describe.skipIf(!requirePeers('skopeo'))('skopeo', patience, () => {
  it.each(formats)('reads each image of what we write in the format %s', async format => {
    const path = await writeArchive(format, ['1.0', '1.1'])
    await skopeo(['copy', `docker-archive:${path}:hello:1.0`, `dir:${inFolder('first')}`])
    await skopeo(['copy', `docker-archive:${path}:@1`, `dir:${inFolder('second')}`])
    expect(await configIn('first')).toBe(imageId)
    await using own = await openDockerArchive(path, { tmpDir: folder.path })
    const manifest = await own.getManifest(await own.resolve('hello:1.1'))
    expect(await configIn('second')).toBe(childBlobs(manifest)[0]?.digest)
  })

  // With gzip skopeo 1.9 reads no archive of docker's, its own neither.
  it('reads what we write as a.tar.zst', async () => {
    const path = await writeArchive('docker', ['1.0'], 'a.tar.zst')
    await skopeo(['copy', `docker-archive:${path}`, `dir:${inFolder('out')}`])
    expect(await configIn('out')).toBe(imageId)
  })

  it('writes an archive that is read', async () => {
    const path = inFolder('theirs.tar')
    const from = `oci:${fixturePath('hello')}:1.0`
    await skopeo(['copy', '--override-arch', 'amd64', from, `docker-archive:${path}:hello:1.0`])
    await using source = await openDockerArchive(path, { tmpDir: folder.path })
    const destination = await openLayout(inFolder('out'), { create: true })
    const { digest } = await copyImage({ source, from: 'hello:1.0', destination, tags: ['1.0'] })
    expect(childBlobs(await destination.readManifest(digest))[0]?.digest).toBe(imageId)
  })
})

describe.skipIf(!requirePeers('crane'))('crane', patience, () => {
  it.each(formats)('finds nothing wrong with what we write in the format %s, and pushes it', async format => {
    const path = await writeArchive(format, ['1.0'])
    await crane(['validate', '--tarball', path])
    await using registry = await startEmbeddedRegistry()
    const name = `${registry.host}/test/hello:${format}`
    await crane(['push', path, name])
    const { stdout } = await crane(['manifest', name])
    expect(JSON.parse(stdout)).toMatchObject({ config: { digest: imageId } })
  })

  it('writes archives that are read', async () => {
    await using registry = await startEmbeddedRegistry()
    const name = `${registry.host}/test/hello:1.0`
    await crane(['push', await writeArchive('docker', ['1.0']), name])
    for (const format of ['tarball', 'legacy']) {
      const path = inFolder(`${format}.tar`)
      await crane(['pull', '--format', format, name, path])
      await using source = await openDockerArchive(path, { tmpDir: folder.path })
      const manifest = await source.getManifest(await source.resolve(name))
      expect(childBlobs(manifest)[0]?.digest).toBe(imageId)
    }
  })
})

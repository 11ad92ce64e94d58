import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDaemonDestination } from '../../src/docker-daemon/daemon-destination.ts'
import { DaemonImage } from '../../src/docker-daemon/daemon-image.ts'
import { connectEngine, type Engine } from '../../src/docker-daemon/engine.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { childBlobs, descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { archiveOf, imageFiles } from '../docker-archive/sample-archive.ts'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.ts'
import { fixturePath } from '../support/fixtures.ts'
import { putSample, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf } from '../tar/sample-tar.ts'

const image = sampleImage('one')

let folder: TempDir
let running: DockerEngine
let engine: Engine
beforeEach(async () => {
  folder = await makeTempDir()
  running = await startDockerEngine()
  engine = await connectEngine([running.host])
})
afterEach(async () => {
  await running[Symbol.asyncDispose]()
  expect(await readdir(folder.path)).toEqual([])
  await folder.remove()
})

const options = () => ({ tmpDir: folder.path })
const asked = () => running.questions.map(({ line }) => line.replace(/ \/v[0-9.]+/, ' '))
const describedBy = (descriptor: object) => running.told.set('hello:1.0', { Descriptor: descriptor })

async function load(...names: string[]): Promise<void> {
  await using destination = await openDaemonDestination(engine, options())
  await putSample(destination.repository('hello'), image, names)
  await destination.finish()
}

describe('an image of an engine', () => {
  it('comes back as it was loaded', async () => {
    await load('1.0', 'latest')
    await using source = new DaemonImage(engine, 'hello:latest', options())
    const descriptor = await source.resolve('hello:latest')
    expect(descriptor).toEqual(descriptorOf(image.manifest))
    const manifest = await source.getManifest(descriptor)
    for (const blob of childBlobs(manifest)) await bytesOf(await source.getBlob(blob))
    expect(await source.resolve(manifest.digest)).toEqual(descriptor)
    expect(asked()).toEqual([
      'GET /_ping',
      'POST /images/load',
      'GET /images/hello:latest/json',
      'GET /images/hello:latest/get',
    ])
  })

  it('is copied to a layout', async () => {
    await load('1.0')
    await using source = new DaemonImage(engine, 'hello:1.0', options())
    const layout = await makeTempDir()
    const destination = await openLayout(layout.path, { create: true })
    const result = await copyImage({ source, from: 'hello:1.0', destination, tags: ['1.0'] })
    expect(result).toMatchObject({ digest: image.manifest.digest, source: 'docker-daemon:hello:1.0' })
    await layout.remove()
  })

  it('is resolved without being saved where the engine keeps manifests', async () => {
    await load('1.0')
    const { mediaType, digest, size } = descriptorOf(image.manifest)
    describedBy({ mediaType, digest, size, annotations: { a: 'b' } })
    await using source = new DaemonImage(engine, 'hello:1.0', options())
    expect(await source.resolve('hello:1.0')).toEqual({ mediaType, digest, size })
    expect(asked().at(-1)).toBe('GET /images/hello:1.0/json')
  })

  it('is looked for in its archive where the engine tells of an index, of which it may have a part', async () => {
    await load('1.0')
    describedBy({ ...descriptorOf(sampleIndex([image.manifest])), mediaType: mediaTypes.ociIndex })
    await using source = new DaemonImage(engine, 'hello:1.0', options())
    expect(await source.resolve('hello:1.0')).toEqual(descriptorOf(image.manifest))
  })

  it('gets a manifest where the engine has kept none', async () => {
    running.archives.set('hello:1.0', await archiveOf(imageFiles(['layer'])))
    await using source = new DaemonImage(engine, 'hello:1.0', options())
    expect(await source.resolve('hello:1.0')).toMatchObject({ mediaType: mediaTypes.dockerManifest })
  })

  it('that is not there is not found', async () => {
    await using source = new DaemonImage(engine, 'absent', options())
    await expect(source.resolve('absent')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `docker-daemon:absent: the engine at ${running.host} has no such image`,
    })
    await expect(source.resolve('other')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(source.resolve(digestOf('x'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('whose archive is none is refused', async () => {
    running.archives.set('hello:1.0', Buffer.from('none'))
    await using source = new DaemonImage(engine, 'hello:1.0', options())
    await expect(source.getManifest(descriptorOf(image.manifest))).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('docker-daemon:hello:1.0'),
    })
  })
})

describe('an engine to load into', () => {
  it('has what it tells, and is not sent an image that it has', async () => {
    await load('1.0')
    const descriptor = descriptorOf(image.manifest)
    running.archives.set('docker.io/library/hello:1.0', Buffer.alloc(0))
    running.told.set('docker.io/library/hello:1.0', { Id: 'sha256:1', Descriptor: descriptor })
    await using destination = await openDaemonDestination(engine, options())
    const hello = destination.repository('hello')
    expect(await hello.find('1.0')).toMatchObject(descriptor)
    expect(await hello.find('2.0')).toBeUndefined()
    await destination.finish()
    expect(asked().filter(line => line.startsWith('POST'))).toHaveLength(1)
  })

  it('gets several images at once, from a copy', async () => {
    await using destination = await openDaemonDestination(engine, options())
    const source = await openLayout(fixturePath('hello'))
    for (const tag of ['1.0', '1.1']) {
      await copyImage({
        source,
        from: tag,
        destination: destination.repository('hello'),
        tags: [tag],
        platforms: [parsePlatform('linux/arm64')],
        unpack: true,
      })
    }
    await destination.finish()
    expect([...running.archives.keys()].filter(name => name.startsWith('hello'))).toEqual([
      'hello:1.0',
      'hello:1.1',
    ])
    expect(asked().filter(line => line.startsWith('POST'))).toHaveLength(1)
  })

  it('gets nothing when the copy ends early', async () => {
    await using destination = await openDaemonDestination(engine, options())
    await putSample(destination.repository('hello'), image, ['1.0'])
    expect(asked()).toEqual(['GET /_ping'])
  })
})

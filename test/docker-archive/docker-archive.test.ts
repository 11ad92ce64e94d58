import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import { LayerFiles } from '../../src/docker-archive/layer-files.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { childBlobs } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { openTarFile } from '../../src/tar/tar-file.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf } from '../tar/sample-tar.ts'
import { blobPath, configFor, type Files, imageFiles, layoutFiles, writeArchive } from './sample-archive.ts'

let folder: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'a.tar')
})
afterEach(() => folder.remove())

async function open(files: Files, signal?: AbortSignal) {
  return openDockerArchive(await writeArchive(path, files), { tmpDir: folder.path, signal })
}

const describeBlob = (content: string | Uint8Array, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(content),
  size: Buffer.byteLength(content as string),
})

describe('an image is found', () => {
  it.each([
    ['hello:1.0', 'hello:1.0'],
    ['hello:1.0', 'docker.io/library/hello:1.0'],
    ['docker.io/library/hello:1.0', 'hello:1.0'],
    ['hello:latest', 'hello'],
    ['localhost/hello:1', 'localhost/hello:1'],
    ['ghcr.io/org/app:1', 'ghcr.io/org/app:1'],
    ['<none>:<none>', '<none>:<none>'],
  ])('listed as %s, by %s', async (listed, asked) => {
    await using archive = await open(imageFiles(['layer'], [listed]))
    expect((await archive.resolve(asked)).digest).toBe((await archive.resolve('@0')).digest)
  })

  it('by the name that the last of two has, as when docker loads them', async () => {
    const [one, two] = [imageFiles(['one']), imageFiles(['two'])]
    const items = [
      { Config: 'one.json', RepoTags: ['hello:1.0'], Layers: ['one.tar'] },
      { Config: 'two.json', RepoTags: ['hello:1.0'], Layers: ['two.tar'] },
    ]
    await using archive = await open({
      'manifest.json': JSON.stringify(items),
      'one.json': one['config.json'] ?? '',
      'two.json': two['config.json'] ?? '',
      'one.tar': 'one',
      'two.tar': 'two',
    })
    expect(await archive.resolve('hello:1.0')).toEqual(await archive.resolve('@1'))
    expect(await archive.resolve('@0')).not.toEqual(await archive.resolve('@1'))
  })

  it('by the digest of the manifest that was made for it, also before it was made', async () => {
    await using first = await open(imageFiles(['layer']))
    const descriptor = await first.resolve('hello:1.0')
    await using second = await openDockerArchive(path, { tmpDir: folder.path })
    expect(await second.resolve(descriptor.digest)).toEqual(descriptor)
    await using third = await openDockerArchive(path, { tmpDir: folder.path })
    expect((await third.getManifest(descriptor)).digest).toBe(descriptor.digest)
  })

  it.each(['@1', 'hello:2', 'other', '@', digestOf('other')])('but not by %s', async reference => {
    await using archive = await open(imageFiles(['layer']))
    await expect(archive.resolve(reference)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('as the only one', async () => {
    await using archive = await open(imageFiles(['layer'], []))
    expect(archive.soleReference()).toBe('@0')
    expect(archive.list()).toEqual([{ reference: '@0', names: [] }])
  })

  it('in no archive that is empty', async () => {
    await using archive = await open({ 'manifest.json': '[]' })
    expect(() => archive.soleReference()).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })
})

describe('a manifest is made', () => {
  it('of schema 2, with the layers as they lie in the archive', async () => {
    const layers = ['plain', gzipSync('zipped')]
    const config = configFor(['plain', 'zipped'])
    await using archive = await open({ ...imageFiles(layers), 'config.json': config })
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    expect(JSON.parse(Buffer.from(manifest.bytes).toString())).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: describeBlob(config, mediaTypes.dockerConfig),
      layers: [
        describeBlob('plain', 'application/vnd.docker.image.rootfs.diff.tar'),
        describeBlob(layers[1] ?? '', 'application/vnd.docker.image.rootfs.diff.tar.gzip'),
      ],
    })
  })

  it('of image-spec, where a layer is compressed with zstd', async () => {
    const layers = ['plain', zstdCompressSync(Buffer.from('dense'))]
    await using archive = await open({ ...imageFiles(layers), 'config.json': configFor(['plain', 'dense']) })
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    expect(manifest.mediaType).toBe(mediaTypes.ociManifest)
    expect(childBlobs(manifest).map(({ mediaType }) => mediaType)).toEqual([
      mediaTypes.ociConfig,
      'application/vnd.oci.image.layer.v1.tar',
      'application/vnd.oci.image.layer.v1.tar+zstd',
    ])
  })

  it('for an image without layers', async () => {
    await using archive = await open(imageFiles([]))
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    expect(childBlobs(manifest)).toHaveLength(1)
  })

  it('with each layer read once, whatever links lead to it', async () => {
    await writeArchive(path, { 'a.tar': gzipSync('layer'), 'b.tar': { link: 'a.tar' } })
    await using tar = await openTarFile(path)
    const files = new LayerFiles(tar)
    expect(files.measure('b.tar')).toBe(files.measure('a.tar'))
    expect((await files.measure('a.tar')).diffId).toBe(digestOf('layer'))
  })

  it('until the signal fires', async () => {
    const controller = new AbortController()
    const files = { ...imageFiles([gzipSync('layer')]), 'config.json': configFor(['layer']) }
    await using archive = await open(files, controller.signal)
    controller.abort()
    await expect(archive.resolve('hello:1.0')).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('a blob', () => {
  it.each([0, 3])('is given from byte %i', async start => {
    await using archive = await open(imageFiles(['the layer']))
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    const config = configFor(['the layer'])
    const [of, layer] = childBlobs(manifest)
    if (of === undefined || layer === undefined) throw new Error('no blobs')
    expect(String(await bytesOf(await archive.getBlob(of, { start })))).toBe(config.slice(start))
    expect(String(await bytesOf(await archive.getBlob(layer, { start })))).toBe('the layer'.slice(start))
  })

  it('that is not what its diff id says is refused when it is read', async () => {
    await using archive = await open({ ...imageFiles(['one']), 'config.json': configFor(['two']) })
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    const [, layer] = childBlobs(manifest)
    if (layer === undefined) throw new Error('no layer')
    const reading = bytesOf(await archive.getBlob(layer))
    await expect(reading).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('blob sha256'),
    })
  })

  it('that is compressed and not what its diff id says is refused at once', async () => {
    await using archive = await open({ ...imageFiles([gzipSync('one')]), 'config.json': configFor(['two']) })
    await expect(archive.resolve('hello:1.0')).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(
        `has diff id ${digestOf('one')}, but the config says ${digestOf('two')}`,
      ),
    })
  })
})

describe('the manifest that an image had', () => {
  const config = configFor(['layer'])
  const layerType = 'application/vnd.oci.image.layer.v1.tar'
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: describeBlob(config, mediaTypes.ociConfig),
    layers: [describeBlob('layer', layerType)],
  })
  const item = { Config: blobPath(config), RepoTags: ['hello:1.0'], Layers: [blobPath('layer')] }
  const list = { 'manifest.json': JSON.stringify([item]) }
  const described = describeBlob(manifest, mediaTypes.ociManifest)
  const indexOver = (...entries: object[]) => JSON.stringify({ schemaVersion: 2, manifests: entries })
  const named = (descriptor: object) => ({
    ...descriptor,
    annotations: { 'io.containerd.image.name': 'docker.io/library/hello:1.0' },
  })
  const resolve = async (files: Files) => {
    await using archive = await open(files)
    return (await archive.resolve('hello:1.0')).digest
  }

  it('is taken where all its blobs are there', async () => {
    const blobs = [config, 'layer', manifest]
    expect(await resolve({ ...list, ...layoutFiles(blobs, [described]) })).toBe(digestOf(manifest))
  })

  it('is not taken where its layers are others than docker loads', async () => {
    const { manifest: made } = await madeManifest()
    const other = JSON.stringify({
      schemaVersion: 2,
      config: describeBlob(config, mediaTypes.ociConfig),
      layers: [],
    })
    const blobs = [config, 'layer', other]
    const files = layoutFiles(blobs, [describeBlob(other, mediaTypes.ociManifest)])
    expect(await resolve({ ...list, ...files })).toBe(made)
  })

  it('is not taken where a layer is missing that docker finds elsewhere', async () => {
    const elsewhere = { ...item, Layers: ['layer.tar'] }
    const files = { ...layoutFiles([config, manifest], [described]), 'layer.tar': 'layer' }
    const { manifest: made } = await madeManifest()
    expect(await resolve({ 'manifest.json': JSON.stringify([elsewhere]), ...files })).toBe(made)
  })

  it('is an index where all of that is there', async () => {
    const index = indexOver(described)
    const files = layoutFiles(
      [config, 'layer', manifest, index],
      [named(describeBlob(index, mediaTypes.ociIndex))],
    )
    expect(await resolve({ ...list, ...files })).toBe(digestOf(index))
  })

  it('is the image alone where the index has others that are not there', async () => {
    const platform = { architecture: 'unknown', os: 'unknown' }
    const attestation = JSON.stringify({ schemaVersion: 2, config: describeBlob('{}', 'a/b'), layers: [] })
    const index = indexOver(described, describeBlob('absent', mediaTypes.ociManifest), {
      ...describeBlob(attestation, mediaTypes.ociManifest),
      platform,
    })
    const blobs = [config, 'layer', manifest, index, attestation, '{}']
    const files = layoutFiles(blobs, [named(describeBlob(index, mediaTypes.ociIndex))])
    expect(await resolve({ ...list, ...files })).toBe(digestOf(manifest))
  })

  it('is the index where several of its platforms are there, of which one can be chosen', async () => {
    const other = configFor(['layer'], { architecture: 'arm64' })
    const second = JSON.stringify({
      schemaVersion: 2,
      config: describeBlob(other, mediaTypes.ociConfig),
      layers: [describeBlob('layer', layerType)],
    })
    const index = indexOver(
      described,
      describeBlob(second, mediaTypes.ociManifest),
      describeBlob('absent', mediaTypes.ociManifest),
    )
    const blobs = [config, 'layer', manifest, index, other, second]
    const files = layoutFiles(blobs, [named(describeBlob(index, mediaTypes.ociIndex))])
    expect(await resolve({ ...list, ...files })).toBe(digestOf(index))
  })

  it('is the one of the same name, where several are for one config', async () => {
    const spaced = `${manifest} `
    const blobs = [config, 'layer', manifest, spaced]
    const files = layoutFiles(blobs, [described, named(describeBlob(spaced, mediaTypes.ociManifest))])
    expect(await resolve({ ...list, ...files })).toBe(digestOf(spaced))
  })

  async function madeManifest(): Promise<{ manifest: string }> {
    return { manifest: await resolve(imageFiles(['layer'])) }
  }
})

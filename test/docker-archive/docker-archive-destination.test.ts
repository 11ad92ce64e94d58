import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import {
  type DockerArchiveDestinationOptions,
  openDockerArchiveDestination,
} from '../../src/docker-archive/docker-archive-destination.ts'
import type { ImageDestination } from '../../src/image-store.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { childBlobs, descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { fixturePath } from '../support/fixtures.ts'
import {
  chunksOf,
  putSample,
  type SampleBlob,
  type SampleImage,
  sampleBlob,
  sampleImage,
  sampleIndex,
  sampleManifest,
} from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf, itemsOf } from '../tar/sample-tar.ts'

const [one, two] = [sampleImage('one'), sampleImage('two')]

let folder: TempDir
let path: string
let tmpDir: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'out', 'a.tar')
  tmpDir = join(folder.path, 'tmp')
  for (const name of ['out', 'tmp']) await mkdir(join(folder.path, name))
})
afterEach(() => folder.remove())

type Options = Partial<DockerArchiveDestinationOptions>
const open = (options: Options = {}, target = path) =>
  openDockerArchiveDestination(target, { tmpDir, ...options })
const leftovers = async () => [...(await readdir(join(folder.path, 'out'))), ...(await readdir(tmpDir))]

/** Writes images by their names. */
async function write(images: Readonly<Record<string, SampleImage>>, options: Options = {}): Promise<Buffer> {
  await using archive = await open(options)
  for (const [name, image] of Object.entries(images)) {
    const [repository = '', tag = ''] = name.split(':')
    await putSample(archive.repository(repository), image, [tag])
  }
  await archive.finish()
  return readFile(path)
}

async function filesIn(bytes: Uint8Array): Promise<ReadonlyMap<string, string>> {
  return new Map(
    (await itemsOf(bytes)).map(({ name, stored, linkname }) => [name, linkname || String(stored)]),
  )
}

const jsonIn = (files: ReadonlyMap<string, string>, name: string) => JSON.parse(files.get(name) ?? '')

/** An image with these layers, each of a media type. */
async function putLayers(
  destination: ImageDestination,
  layers: readonly SampleBlob[],
  diffIds: readonly string[],
): Promise<Manifest> {
  const config = sampleBlob(
    JSON.stringify({
      os: 'linux',
      architecture: 'arm64',
      config: { Cmd: ['a'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
    mediaTypes.dockerConfig,
  )
  for (const blob of [config, ...layers]) {
    await destination.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
  }
  const mediaType = mediaTypes.dockerManifest
  const descriptors = layers.map(({ descriptor }) => descriptor)
  return sampleManifest({ schemaVersion: 2, mediaType, config: config.descriptor, layers: descriptors })
}

const gzipLayer = (text: string) =>
  sampleBlob(gzipSync(text), 'application/vnd.docker.image.rootfs.diff.tar.gzip')

describe('an archive in the format docker', () => {
  it('is a layout with manifest.json, in which names stand in full', async () => {
    const files = await filesIn(await write({ 'hello:1.0': one, 'ghcr.io/org/app:2': two }))
    const blobPath = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`
    expect(jsonIn(files, 'manifest.json')).toEqual([
      {
        Config: blobPath(one.config.descriptor.digest),
        RepoTags: ['docker.io/library/hello:1.0'],
        Layers: [blobPath(one.layer.descriptor.digest)],
      },
      {
        Config: blobPath(two.config.descriptor.digest),
        RepoTags: ['ghcr.io/org/app:2'],
        Layers: [blobPath(two.layer.descriptor.digest)],
      },
    ])
    expect(jsonIn(files, 'index.json')).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        {
          ...descriptorOf(one.manifest),
          annotations: {
            'io.containerd.image.name': 'docker.io/library/hello:1.0',
            'org.opencontainers.image.ref.name': '1.0',
          },
        },
        {
          ...descriptorOf(two.manifest),
          annotations: {
            'io.containerd.image.name': 'ghcr.io/org/app:2',
            'org.opencontainers.image.ref.name': '2',
          },
        },
      ],
    })
    expect(files.get(blobPath(one.manifest.digest))).toBe(Buffer.from(one.manifest.bytes).toString())
  })

  it('gives an image the digest that it had', async () => {
    await using archive = await open()
    await putSample(archive.repository('hello'), one, ['1.0', 'latest'])
    await archive.finish()
    const { digest } = one.manifest
    const names = ['docker.io/library/hello:1.0', 'docker.io/library/hello:latest']
    expect(archive.packed).toEqual([{ names, sourceDigest: digest, digest }])
    await using read = await openDockerArchive(path, { tmpDir })
    expect(await read.resolve('hello')).toEqual(descriptorOf(one.manifest))
  })
})

describe('an archive in the format legacy', () => {
  it('has a folder for each layer, uncompressed, and links where a layer stands on others too', async () => {
    await using archive = await open({ format: 'legacy' })
    const destination = archive.repository('hello')
    const [base, program] = [gzipLayer('base'), gzipLayer('program')]
    const diffIds = ['base', 'program', 'base'].map(text => digestOf(text))
    const manifest = await putLayers(destination, [base, program, base], diffIds)
    await destination.putManifest(manifest, ['1.0'])
    await archive.finish()

    const files = await filesIn(await readFile(path))
    const [item] = jsonIn(files, 'manifest.json')
    expect(item).toMatchObject({ Config: `${hexOf(childBlobs(manifest)[0]?.digest ?? digestOf(''))}.json` })
    const [first, second, third] = item.Layers
    expect([first, second, third].map(layer => files.get(layer))).toEqual(['base', 'program', `../${first}`])
    const ids = item.Layers.map((layer: string) => layer.split('/')[0])
    expect(jsonIn(files, 'repositories')).toEqual({ 'docker.io/library/hello': { '1.0': ids[2] } })
    expect(jsonIn(files, `${ids[0]}/json`)).toEqual({
      id: ids[0],
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
    })
    expect(jsonIn(files, `${ids[2]}/json`)).toMatchObject({
      id: ids[2],
      parent: ids[1],
      architecture: 'arm64',
      config: { Cmd: ['a'] },
    })
    expect(files.get(`${ids[0]}/VERSION`)).toBe('1.0')
  })

  it('tells the digest that an image has when it is read again', async () => {
    await using archive = await open({ format: 'legacy' })
    await putSample(archive.repository('hello'), one, ['1.0'])
    await archive.finish()
    await using read = await openDockerArchive(path, { tmpDir })
    const { digest } = await read.resolve('hello:1.0')
    expect(digest).not.toBe(one.manifest.digest)
    expect(archive.packed).toMatchObject([{ sourceDigest: one.manifest.digest, digest }])
    const manifest = await read.getManifest(await read.resolve('hello:1.0'))
    expect(childBlobs(manifest)[0]?.digest).toBe(one.config.descriptor.digest)
  })

  it('is refused when a layer is not what the config says, and there is no archive', async () => {
    await using archive = await open({ format: 'legacy' })
    const destination = archive.repository('hello')
    await destination.putManifest(await putLayers(destination, [gzipLayer('one')], [digestOf('two')]), [
      '1.0',
    ])
    await expect(archive.finish()).rejects.toMatchObject({ code: 'INTEGRITY' })
    await archive[Symbol.asyncDispose]()
    expect(await leftovers()).toEqual([])
  })
})

describe.each(['docker', 'legacy'] as const)('an archive, in the format %s,', format => {
  it('has the same bytes, in whatever order its images came', async () => {
    const images = { 'hello:1': one, 'hello:2': two, 'a.b/c:2': two }
    const bytes = await write(images, { format })
    const reversed = Object.fromEntries(Object.entries(images).reverse())
    expect((await write(reversed, { format })).equals(bytes)).toBe(true)
    const items = await itemsOf(bytes)
    expect(
      items.every(({ mtime, uid, gid, uname }) => mtime === 0 && uid === 0 && gid === 0 && uname === ''),
    ).toBe(true)
  })

  it('gives all that was put, by each name', async () => {
    await write({ 'hello:1': one, 'hello:2': two, 'ghcr.io/org/app:2': two }, { format })
    await using archive = await openDockerArchive(path, { tmpDir })
    expect(archive.list().map(({ names }) => names)).toEqual([
      ['docker.io/library/hello:1'],
      ['docker.io/library/hello:2', 'ghcr.io/org/app:2'],
    ])
    for (const [name, image] of [
      ['hello:1', one],
      ['ghcr.io/org/app:2', two],
    ] as const) {
      const manifest = await archive.getManifest(await archive.resolve(name))
      const blobs = await Promise.all(
        childBlobs(manifest).map(async blob => bytesOf(await archive.getBlob(blob))),
      )
      expect(blobs).toEqual([image.config.bytes, image.layer.bytes])
    }
  })

  it('can hold images without names', async () => {
    await using archive = await open({ format })
    await putSample(archive.repository(), one, [])
    await archive.finish()
    await using read = await openDockerArchive(path, { tmpDir })
    expect(read.list()).toEqual([{ reference: '@0', names: [] }])
  })

  it('goes to a stream, compressed where asked for', async () => {
    const plain = await write({ 'hello:1': one }, { format })
    let sent: Buffer = Buffer.alloc(0)
    const send = async (content: AsyncIterable<Uint8Array>) => {
      sent = await bytesOf(content)
    }
    await using archive = await openDockerArchiveDestination(send, { tmpDir, format, compression: 'gzip' })
    expect(archive.name).toBe('docker-archive:-')
    await putSample(archive.repository('hello'), one, ['1'])
    await archive.finish()
    expect(gunzipSync(sent).equals(plain)).toBe(true)
    expect(await leftovers()).toEqual(['a.tar'])
  })
})

describe('an index', () => {
  const entryOf = (image: SampleImage, platform: string) => ({
    ...descriptorOf(image.manifest),
    platform: parsePlatform(platform),
  })
  const index = (...manifests: object[]) => sampleIndex([], { manifests })
  const both = index(entryOf(one, 'linux/amd64'), entryOf(two, 'linux/arm64'))
  const put = async (destination: ImageDestination, manifest: Manifest) => {
    for (const image of [one, two]) await putSample(destination, image)
    await destination.putManifest(manifest, ['1.0'])
  }

  it('of several images is refused, and the error says which there are', async () => {
    await using archive = await open()
    await expect(put(archive.repository('hello'), both)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('the index has linux/amd64, linux/arm64'),
      hint: expect.stringContaining('--platform'),
    })
  })

  it.each([
    ['of which one is for the chosen platform', both, 'linux/arm64', two],
    ['of one image', index(entryOf(one, 'linux/amd64')), undefined, one],
    [
      'of one image and its attestation',
      index(entryOf(one, 'linux/amd64'), entryOf(two, 'unknown/unknown')),
      undefined,
      one,
    ],
  ])('%s is kept whole, and docker loads that image', async (_, manifest, platform, image) => {
    await using archive = await open({
      platform: platform === undefined ? undefined : parsePlatform(platform),
    })
    await put(archive.repository('hello'), manifest)
    await archive.finish()
    const files = await filesIn(await readFile(path))
    const [item] = jsonIn(files, 'manifest.json')
    expect(item.Config).toBe(`blobs/sha256/${hexOf(image.config.descriptor.digest)}`)
    await using read = await openDockerArchive(path, { tmpDir })
    expect(await read.resolve('hello:1.0')).toEqual(descriptorOf(manifest))
  })
})

describe('what docker cannot load is refused with UNSUPPORTED', () => {
  it('an image whose config tells of other layers', async () => {
    await using archive = await open()
    const destination = archive.repository('hello')
    const manifest = await putLayers(destination, [gzipLayer('one')], [])
    await expect(destination.putManifest(manifest, ['1'])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(await destination.find('1')).toBeUndefined()
  })

  it('an artifact', async () => {
    await using archive = await open()
    const manifest = sampleManifest({ mediaType: mediaTypes.ociArtifact, blobs: [] })
    await expect(archive.repository('hello').putManifest(manifest, ['1'])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('an artifact'),
    })
  })

  it('an image with a foreign layer that was not copied', async () => {
    await using archive = await open()
    const destination = archive.repository('hello')
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
    const config = sampleBlob(JSON.stringify({ rootfs: { type: 'layers', diff_ids: [digestOf('x')] } }))
    await destination.putBlob(config.descriptor, async () => chunksOf(config.bytes))
    const layers = [{ ...gzipLayer('x').descriptor, mediaType }]
    const manifest = sampleManifest({ schemaVersion: 2, config: config.descriptor, layers })
    await expect(destination.putManifest(manifest, ['1'])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('foreign'),
      hint: expect.stringContaining('--include-foreign'),
    })
  })
})

describe('names', () => {
  it('move to the image that is put with them, and an image without any is left out', async () => {
    await using archive = await open()
    const destination = archive.repository('hello')
    await putSample(destination, one, ['1'])
    await putSample(destination, two, ['1'])
    await archive.finish()
    expect(archive.packed.map(({ digest }) => digest)).toEqual([two.manifest.digest])
  })

  it('need a repository', async () => {
    await using archive = await open()
    await expect(putSample(archive.repository(), one, ['1'])).rejects.toMatchObject({ code: 'USAGE' })
    expect(() => archive.repository('hello:1')).toThrow(
      expect.objectContaining({ code: 'INVALID_REFERENCE' }),
    )
  })

  it('that are malformed are refused', async () => {
    await using archive = await open()
    await expect(putSample(archive.repository('hello'), one, ['a b'])).rejects.toMatchObject({
      code: 'INVALID_REFERENCE',
    })
  })
})

describe('an archive that does not come to be', () => {
  it('leaves what was there, and nothing beside it', async () => {
    await writeFile(path, 'old')
    {
      await using archive = await open()
      await putSample(archive.repository('hello'), one, ['1'])
    }
    expect(await leftovers()).toEqual(['a.tar'])
    expect(await readFile(path, 'utf8')).toBe('old')
  })

  it('for want of an image is not written', async () => {
    await using archive = await open()
    await archive.finish()
    expect(await leftovers()).toEqual([])
  })

  it('takes nothing after its end', async () => {
    await using archive = await open()
    const destination = archive.repository('hello')
    await putSample(destination, one, ['1'])
    await archive.finish()
    await expect(putSample(destination, two, ['2'])).rejects.toThrow('nothing can be put any more')
    expect(await leftovers()).toEqual(['a.tar'])
  })

  it('is not written by opening it', async () => {
    await open()
    expect(await leftovers()).toEqual([])
  })
})

it('copies the images of a layout, with what they share once', async () => {
  await using archive = await open()
  const source = await openLayout(fixturePath('hello'))
  for (const from of ['1.0', '1.1']) {
    await copyImage({
      source,
      from,
      destination: archive.repository('hello'),
      tags: [from],
      platforms: [parsePlatform('linux/amd64')],
      unpack: true,
    })
  }
  await archive.finish()
  const names = (await itemsOf(await readFile(path)))
    .map(({ name }) => name)
    .filter(name => /[0-9a-f]$/.test(name))
  // Two manifests, two configs, one base, two programs and a whiteout.
  expect(names.filter(name => name.startsWith('blobs/sha256/'))).toHaveLength(8)
})

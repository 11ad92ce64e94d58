import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DockerArchive, openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import type { Chunks } from '../../src/flow.ts'
import { childBlobs, childManifests, descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { decompressed } from '../../src/tar/decompress.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import { fixtureDescriptor, fixturePath, readFixtureManifest } from '../support/fixtures.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf } from '../tar/sample-tar.ts'

/** fixtures/hello 1.0 for linux/amd64: its manifest, its config, and the manifest that it gets where it has lost its own. */
const original = 'sha256:b3953cb184a6740ca72407e21db152267d0fda5d06808af08fed0c970a617bcd'
const imageId = 'sha256:c08bc81a0b26d0ebb546315ba87d31135d1eea439d73e4ed10fb1f1a5a563a00'
const unpacked = 'sha256:a487b86fd61a9341ec5775ee768d49e68b26ecaf23e297f70302e0b08ba4d7ad'
const zipped = 'sha256:1af1981a469e358b1e6e9945c3378fb575bae882219a0c90b1dd57e1dd8ea03d'

let folder: TempDir
beforeEach(async () => {
  folder = await makeTempDir()
})
afterEach(() => folder.remove())

const recorded = (name: string) => fixturePath('docker-archives', `${name}.tar`)
const open = (source: string | Chunks) => openDockerArchive(source, { tmpDir: folder.path })

async function resolveAll(archive: DockerArchive): Promise<Record<string, string>> {
  const digests: Record<string, string> = {}
  for (const { names, reference } of archive.list()) {
    for (const name of names) digests[name] = (await archive.resolve(name)).digest
    expect((await archive.resolve(reference)).digest).toBe(digests[names.at(-1) ?? ''])
  }
  return digests
}

/** Reads every blob of an image, which verifies it. */
async function readAll(archive: DockerArchive, manifest: Manifest): Promise<Buffer[]> {
  const blobs: Buffer[] = []
  for (const blob of childBlobs(manifest)) blobs.push(await bytesOf(await archive.getBlob(blob)))
  return blobs
}

async function namesIn(layer: Buffer): Promise<string[]> {
  const names: string[] = []
  const { content } = await decompressed(piece(layer), { name: 'layer' })
  for await (const { name } of readTar(content, { name: 'layer' })) names.push(name)
  return names
}

async function* piece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

describe('an archive as another program wrote it', () => {
  it.each([
    ['skopeo', { 'docker.io/library/hello:1.0': unpacked, 'docker.io/library/hello:stable': unpacked }],
    ['buildah', { 'docker.io/library/hello:1.0': unpacked }],
    ['crane', { '127.0.0.1:5999/hello:1.0': zipped }],
    ['crane-legacy', { '127.0.0.1:5999/hello:1.0': unpacked }],
    ['podman', { 'docker.io/library/hello:1.0': unpacked }],
    ['docker-20.10', { 'docker.io/library/hello:1.0': unpacked }],
    ['docker-28-one-platform', { '127.0.0.1:5999/hello:1.0': original }],
  ])('%s: names, digests and content', async (name, digests) => {
    await using archive = await open(recorded(name))
    expect(archive.oddities).toEqual([])
    expect(await resolveAll(archive)).toMatchObject(digests)
    const reference = Object.keys(digests)[0] ?? ''
    const manifest = await archive.getManifest(await archive.resolve(reference))
    const [config, ...layers] = await readAll(archive, manifest)
    expect(childBlobs(manifest)[0]?.digest).toBe(imageId)
    expect(JSON.parse(String(config))).toMatchObject({ architecture: 'amd64' })
    expect((await Promise.all(layers.map(namesIn))).flat()).toContain('bin/hello')
  })

  it('docker 28: the manifests that the engine has made are taken', async () => {
    await using archive = await open(recorded('docker-28'))
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    expect(manifest).toMatchObject({
      digest: 'sha256:21d7267ed6658a0453e0be41b906396e932e891df71feb98e4bb5571dfd756cf',
      mediaType: mediaTypes.ociManifest,
    })
    expect((await readAll(archive, manifest)).length).toBe(3)
  })

  it('docker 28 with all platforms of an index: the index as it was in the registry', async () => {
    await using archive = await open(recorded('docker-28-all-platforms'))
    const index = fixtureDescriptor('hello', '1.0')
    const { mediaType, digest, size } = index
    expect(await archive.resolve('127.0.0.1:5999/hello:1.0')).toEqual({ mediaType, digest, size })
    const manifest = await archive.getManifest(index)
    expect(manifest).toEqual(readFixtureManifest('hello', index))
    for (const child of childManifests(manifest)) await readAll(archive, await archive.getManifest(child))
  })

  it('docker 28 with one platform of an index: that image as it was in the registry', async () => {
    await using archive = await open(recorded('docker-28-one-platform'))
    const manifest = await archive.getManifest(await archive.resolve(archive.soleReference()))
    expect(manifest.digest).toBe(original)
    expect(await archive.resolve(original)).toEqual(descriptorOf(manifest))
  })

  it('docker 20.10: a layer that is a link to that of another', async () => {
    await using archive = await open(recorded('docker-20.10'))
    const manifest = await archive.getManifest(await archive.resolve('hello:twice'))
    const [, base, program, again] = await readAll(archive, manifest)
    expect(again).toEqual(base)
    expect(program).not.toEqual(base)
  })

  it('docker before 1.10: the image ID is that which docker gives the image when it loads it', async () => {
    await using archive = await open(recorded('docker-1.9'))
    expect(archive.list().map(({ names }) => names)).toEqual([
      ['docker.io/library/hello:1.0'],
      ['docker.io/library/hello:twice'],
    ])
    const manifest = await archive.getManifest(await archive.resolve('hello:1.0'))
    expect(childBlobs(manifest)[0]?.digest).toBe(
      'sha256:f5381a471833073d9e06c1f6b0fce4c1ab4ae28fde9d6281a4c6047c62171862',
    )
    const [config, ...layers] = await readAll(archive, manifest)
    expect(JSON.parse(String(config)).history).toHaveLength(2)
    expect(layers).toHaveLength(2)
  })

  it('podman: several images', async () => {
    await using archive = await open(recorded('podman'))
    expect(Object.keys(await resolveAll(archive))).toEqual([
      'docker.io/library/hello:1.0',
      'docker.io/library/hello:1.1',
    ])
    expect(() => archive.soleReference()).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('hello:1.1') }),
    )
  })

  it('an OCI layout is no archive of docker, and the error says what it is', async () => {
    await expect(open(recorded('podman-oci'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'it is an OCI image layout, which oci-archive: reads',
    })
  })
})

describe('the same archive', () => {
  it.each([
    ['compressed with gzip', gzipSync],
    ['compressed with zstd', zstdCompressSync],
  ])('%s', async (_, compress) => {
    const path = join(folder.path, 'a.tar.x')
    await writeFile(path, compress(await readFile(recorded('docker-20.10'))))
    await using archive = await open(path)
    expect((await archive.resolve('hello:1.0')).digest).toBe(unpacked)
  })

  it('as a stream', async () => {
    await using archive = await open(createReadStream(recorded('docker-28-one-platform')))
    expect(archive.name).toBe('docker-archive:-')
    expect((await archive.resolve('@0')).digest).toBe(original)
  })
})

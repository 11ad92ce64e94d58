import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { generateImage } from './generated-image.ts'

it('several platforms are an index of images with layers of their own', async () => {
  await using folder = await makeTempDir()
  const root = await generateImage(folder.path, { platforms: 3, layers: 2, layerBytes: 2_500_000 })
  const blobs = await readBlobs(folder.path)
  expect(blobs.size).toBe(3 * 2 + 3 + 3 + 1)
  const index = blobs.json(root)
  expect(index.manifests).toHaveLength(3)
  for (const child of index.manifests) {
    const { config, layers } = blobs.json(child.digest)
    const { rootfs, variant } = blobs.json(config.digest)
    expect(variant).toBe(child.platform.variant)
    const contents = layers.map(({ digest }: { digest: string }) => gunzipSync(blobs.read(digest)))
    expect(contents.map((content: Buffer) => content.length)).toEqual([2_500_000, 2_500_000])
    expect(rootfs.diff_ids).toEqual(contents.map((content: Buffer) => digestOf(content)))
    expect(layers[0].size).toBe(blobs.read(layers[0].digest).length)
  }
})

it('one platform is an image, which is what the tag points at', async () => {
  await using folder = await makeTempDir()
  const root = await generateImage(folder.path, { platforms: 1, layers: 1, layerBytes: 10 })
  const { manifests } = JSON.parse(await readFile(join(folder.path, 'index.json'), 'utf8'))
  expect(manifests).toMatchObject([
    {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: root,
      annotations: { 'org.opencontainers.image.ref.name': 'big' },
    },
  ])
  expect((await readBlobs(folder.path)).json(root).layers).toHaveLength(1)
})

it('stops when it is told to', async () => {
  await using folder = await makeTempDir()
  const shape = { platforms: 1, layers: 1, layerBytes: 10 }
  await expect(generateImage(folder.path, shape, AbortSignal.abort())).rejects.toThrow('aborted')
})

/** All blobs of a layout, each of which lies under its own digest. */
async function readBlobs(path: string) {
  const folder = join(path, 'blobs/sha256')
  const blobs = new Map<string, Buffer>()
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name))
    expect(digestOf(bytes)).toBe(`sha256:${name}`)
    blobs.set(`sha256:${name}`, bytes)
  }
  const read = (digest: string) => blobs.get(digest) ?? Buffer.alloc(0)
  return { size: blobs.size, read, json: (digest: string) => JSON.parse(read(digest).toString()) }
}

import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ImageFolder, openImageFolder } from '../../src/dir/image-folder.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { collect } from '../../src/oci/content.ts'
import { type Digest, digestOf, hexOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { imageStoreContract } from '../support/image-store-contract.ts'
import {
  chunksOf,
  putSample,
  type SampleImage,
  sampleBlob,
  sampleImage,
  sampleIndex,
} from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

imageStoreContract(
  'a dir: folder',
  async () => {
    const folder = await makeTempDir()
    const store = await openImageFolder(join(folder.path, 'image'), { create: true })
    return { store, dispose: () => folder.remove() }
  },
  { hasTags: false },
)

const [one, two] = [sampleImage('one'), sampleImage('two')]
const version = 'Directory Transport Version: 1.1\n'

let folder: TempDir
let dir: string
beforeEach(async () => {
  folder = await makeTempDir()
  dir = join(folder.path, 'image')
})
afterEach(() => folder.remove())

const create = () => openImageFolder(dir, { create: true })
const files = async () => (await readdir(dir)).sort()
const pathOf = (digest: Digest) => join(dir, hexOf(digest))
const write = (name: string, content: string | Uint8Array) => writeFile(join(dir, name), content)
const blobsOf = (image: SampleImage) => [image.config, image.layer].map(blob => hexOf(blob.descriptor.digest))

async function folderWith(image: SampleImage): Promise<ImageFolder> {
  const store = await create()
  await putSample(store, image, [])
  await store.finish()
  return openImageFolder(dir)
}

async function readBlob(store: ImageFolder, { descriptor }: SampleImage['layer']): Promise<string> {
  return (await collect(await store.getBlob(descriptor), 1024, 'test')).toString()
}

describe('writing a folder', () => {
  it('holds the version, the manifest as it came, and blobs by their hex', async () => {
    await folderWith(one)
    expect(await files()).toEqual([...blobsOf(one), 'manifest.json', 'version'].sort())
    expect(await readFile(join(dir, 'version'), 'utf8')).toBe(version)
    expect(await readFile(join(dir, 'manifest.json'))).toEqual(one.manifest.bytes)
    expect(await readFile(pathOf(one.layer.descriptor.digest))).toEqual(one.layer.bytes)
  })

  it('holds the manifests of an index by their hex, and the index as the manifest', async () => {
    const store = await create()
    for (const image of [one, two]) await putSample(store, image)
    const index = sampleIndex([one.manifest, two.manifest])
    await store.putManifest(index, [])
    await store.finish()
    const children = [one, two].map(({ manifest }) => `${hexOf(manifest.digest)}.manifest.json`)
    expect(await files()).toEqual(
      [...children, ...blobsOf(one), ...blobsOf(two), 'manifest.json', 'version'].sort(),
    )
    expect(await store.soleReference()).toBe(index.digest)
  })

  it('keeps sha512 digests, of blobs and of the image', async () => {
    const blob = sampleBlob('long', 'text/plain', 'sha512')
    const manifest = parseManifest(one.manifest.bytes, { digest: digestOf(one.manifest.bytes, 'sha512') })
    const store = await create()
    await store.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    await store.putManifest(manifest, [])
    expect(await files()).toContain(hexOf(blob.descriptor.digest))
    expect(await readBlob(store, { ...blob })).toBe('long')
    expect(await store.resolve(manifest.digest)).toEqual(descriptorOf(manifest))
    expect(await store.find(manifest.digest)).toEqual(descriptorOf(manifest))
  })

  it('writes nothing by opening', async () => {
    await create()
    expect(await readdir(folder.path)).toEqual([])
  })

  it('refuses a tag, of which it has none', async () => {
    const store = await create()
    await expect(store.putManifest(one.manifest, ['v1'])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(store.resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await readdir(folder.path)).toEqual([])
  })

  it('takes nothing after it is finished', async () => {
    const store = await create()
    await store.finish()
    await expect(putSample(store, one)).rejects.toThrow('nothing can be put any more')
  })

  it.each([
    ['holds other things', async () => write('letter.txt', 'to a friend')],
    ['is an image without a version', async () => write('manifest.json', one.manifest.bytes)],
    ['has a version of something else', async () => write('version', '1.2.3\n')],
    ['has a long version', async () => write('version', version.repeat(100))],
    ['is an OCI layout', async () => write('oci-layout', '{"imageLayoutVersion":"1.0.0"}')],
  ])('is refused where the folder %s', async (_, make) => {
    await mkdir(dir)
    await make()
    const before = await files()
    await expect(create()).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(dir) })
    expect(await files()).toEqual(before)
  })

  it('goes on in an empty folder, and in one that a broken run has left', async () => {
    await mkdir(dir)
    const broken = await create()
    await broken.putBlob(one.layer.descriptor, async () => chunksOf(one.layer.bytes))
    await expect(openImageFolder(dir)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const store = await create()
    const again = async () => expect.unreachable('it was opened')
    expect(await store.putBlob(one.layer.descriptor, again)).toBe('present')
  })
})

describe('another image in the same folder', () => {
  it('takes the place of the old one when it is whole, and then all else goes that was of the old one', async () => {
    await folderWith(one)
    const shared = sampleImage('three', { layers: [one.layer.descriptor] })
    const store = await create()
    await store.putBlob(shared.config.descriptor, async () => chunksOf(shared.config.bytes))
    expect(await store.soleReference()).toBe(one.manifest.digest)
    await store.putManifest(shared.manifest, [])
    await store.finish()
    const blobs = [shared.config, one.layer].map(blob => hexOf(blob.descriptor.digest))
    expect(await files()).toEqual([...blobs, 'manifest.json', 'version'].sort())
  })

  it('may be one that the old index lists', async () => {
    const source = await openLayout(fixturePath('hello'))
    const destination = await create()
    await copyImage({ source, from: '1.0', destination, tags: [] })
    const index = await source.readManifest('1.0')
    const child = index.kind === 'index' ? index.content.manifests[0] : undefined
    const next = await create()
    await copyImage({ source, from: child?.digest ?? '', destination: next, tags: [] })
    await next.finish()
    expect(await next.soleReference()).toBe(child?.digest)
    expect(await files()).toHaveLength(2 + 3)
  })

  it('takes the signatures of the old one away, and leaves files alone that it does not know', async () => {
    await folderWith(one)
    const child = `${hexOf(one.manifest.digest)}.signature-1`
    for (const name of ['signature-1', 'signature-12', child, 'letter.txt']) await write(name, 'x')
    const store = await create()
    await putSample(store, two, [])
    expect(await files()).not.toContain('signature-1')
    await store.finish()
    expect(await files()).toEqual([...blobsOf(two), 'letter.txt', 'manifest.json', 'version'].sort())
  })

  it('leaves signatures where they are when it is the same image', async () => {
    const index = sampleIndex([one.manifest])
    const put = async () => {
      const store = await create()
      await putSample(store, one)
      await store.putManifest(index, [])
      await store.finish()
    }
    await put()
    const names = ['signature-1', `${hexOf(one.manifest.digest)}.signature-1`]
    for (const name of names) await write(name, 'x')
    await put()
    expect(await files()).toEqual(expect.arrayContaining(names))
  })
})

describe('reading a folder', () => {
  it('does so where nothing says its version, as others do', async () => {
    await folderWith(one)
    await rm(join(dir, 'version'))
    expect(await (await openImageFolder(dir)).soleReference()).toBe(one.manifest.digest)
  })

  it('tells of signatures, which it does not read', async () => {
    await folderWith(one)
    expect((await openImageFolder(dir)).oddities).toEqual([])
    await write('signature-1', 'x')
    await write(`${hexOf(one.manifest.digest)}.signature-1`, 'x')
    expect((await openImageFolder(dir)).oddities).toEqual([
      `dir:${dir}: signatures are not read; there are 2`,
    ])
  })

  it('finds no folder, or no image in it', async () => {
    const message = expect.stringContaining(dir)
    await expect(openImageFolder(dir)).rejects.toMatchObject({ code: 'NOT_FOUND', message })
    await mkdir(dir)
    await expect(openImageFolder(dir)).rejects.toMatchObject({ code: 'NOT_FOUND', message })
    await write('oci-layout', '')
    await expect(openImageFolder(dir)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'it is an OCI image layout, which oci: reads',
    })
  })

  it('refuses another version', async () => {
    await folderWith(one)
    await write('version', 'Directory Transport Version: 2.0\n')
    for (const options of [{}, { create: true }]) {
      await expect(openImageFolder(dir, options)).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringContaining('2.0'),
      })
    }
  })

  it.each([
    ['no JSON', 'nothing'],
    ['what docker save writes', '[{"Config":"x","RepoTags":[],"Layers":[]}]'],
  ])('refuses a manifest that is %s', async (_, text) => {
    await folderWith(one)
    await write('manifest.json', text)
    await expect((await openImageFolder(dir)).soleReference()).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('refuses a manifest that is huge', async () => {
    await folderWith(one)
    await truncate(join(dir, 'manifest.json'), 4 * 1024 * 1024 + 1)
    await expect((await openImageFolder(dir)).soleReference()).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('gives no changed blob, and none of another size', async () => {
    const store = await folderWith(one)
    await writeFile(pathOf(one.layer.descriptor.digest), 'layer of two')
    await expect(readBlob(store, one.layer)).rejects.toMatchObject({ code: 'INTEGRITY' })
    await writeFile(pathOf(one.layer.descriptor.digest), 'layer')
    await expect(readBlob(store, one.layer)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('gives no changed manifest of an index', async () => {
    const store = await create()
    await putSample(store, one)
    await write(`${hexOf(one.manifest.digest)}.manifest.json`, two.manifest.bytes)
    await expect(store.resolve(one.manifest.digest)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('does not follow symbolic links', async () => {
    const store = await folderWith(one)
    const secret = join(folder.path, 'secret')
    await writeFile(secret, one.layer.bytes)
    const path = pathOf(one.layer.descriptor.digest)
    await rm(path)
    await symlink(secret, path)
    expect(await store.hasBlob(one.layer.descriptor)).toBe(false)
    await expect(readBlob(store, one.layer)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const again = await create()
    await again.putBlob(one.layer.descriptor, async () => chunksOf(one.layer.bytes))
    expect(await readFile(secret)).toEqual(one.layer.bytes)
    expect(await readBlob(again, one.layer)).toBe('layer of one')
  })
})

it('keeps the digest from a layout into a folder and back', async () => {
  const source = await openLayout(fixturePath('hello'))
  const destination = await create()
  await copyImage({ source, from: '1.0', destination, tags: [] })
  await destination.finish()
  const back = await openLayout(join(folder.path, 'back'), { create: true })
  const image = await openImageFolder(dir)
  await copyImage({ source: image, from: await image.soleReference(), destination: back, tags: ['1.0'] })
  expect(await back.resolve('1.0')).toMatchObject({ digest: fixtureDescriptor('hello', '1.0').digest })
})

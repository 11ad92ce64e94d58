import { chmod, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Layout, openLayout } from '../../src/layout/layout.ts'
import { collect } from '../../src/oci/content.ts'
import { type Digest, digestOf, hexOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { imageStoreContract } from '../support/image-store-contract.ts'
import { chunksOf, putSample, sampleBlob, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

imageStoreContract('a layout', async () => {
  const folder = await makeTempDir()
  const store = await openLayout(join(folder.path, 'layout'), { create: true })
  return { store, dispose: () => folder.remove() }
})

let folder: TempDir
let dir: string
beforeEach(async () => {
  folder = await makeTempDir()
  dir = join(folder.path, 'layout')
})
afterEach(() => folder.remove())

const create = () => openLayout(dir, { create: true })
const readIndex = async () => JSON.parse(await readFile(join(dir, 'index.json'), 'utf8'))
const writeIndex = (document: unknown) => writeFile(join(dir, 'index.json'), JSON.stringify(document))
const blobPath = (digest: Digest) => join(dir, 'blobs', digest.split(':', 1)[0] ?? '', hexOf(digest))
const files = async () => (await readdir(dir, { recursive: true })).sort()
const refName = (tag: string) => ({ 'org.opencontainers.image.ref.name': tag })

async function layoutWith(image: ReturnType<typeof sampleImage>, tags: readonly string[]): Promise<Layout> {
  const layout = await create()
  await putSample(layout, image, tags)
  return layout
}

describe('opening a layout', () => {
  it('finds no folder', async () => {
    await expect(openLayout(dir)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `${dir}: there is no such file or folder`,
    })
  })

  it('finds a folder that is no layout', async () => {
    await mkdir(dir)
    await expect(openLayout(dir)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `${dir}: not an OCI image layout, there is no oci-layout file`,
    })
  })

  it.each([
    ['UNSUPPORTED', '{"imageLayoutVersion":"2.0.0"}'],
    ['INTEGRITY', '{}'],
    ['INTEGRITY', 'no JSON'],
  ])('refuses with %s an oci-layout file that holds %s', async (code, text) => {
    await mkdir(dir)
    await writeFile(join(dir, 'oci-layout'), text)
    const message = expect.stringContaining(join(dir, 'oci-layout'))
    await expect(openLayout(dir, { create: true })).rejects.toMatchObject({ code, message })
  })

  it('writes nothing, even when it may create', async () => {
    await create()
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('writing a layout', () => {
  it('makes one that says its version and lists the image under its tag', async () => {
    const image = sampleImage('one')
    await layoutWith(image, ['v1'])
    expect(JSON.parse(await readFile(join(dir, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    })
    expect(await readIndex()).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ ...descriptorOf(image.manifest), annotations: refName('v1') }],
    })
    expect(await readFile(blobPath(image.manifest.digest))).toEqual(image.manifest.bytes)
  })

  it('keeps sha512 blobs in a folder of their own', async () => {
    const blob = sampleBlob('long', 'text/plain', 'sha512')
    const layout = await create()
    await layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    expect(await files()).toContain(join('blobs', 'sha512', hexOf(blob.descriptor.digest)))
    expect((await collect(await layout.getBlob(blob.descriptor), 10, 'test')).toString()).toBe('long')
  })

  it.each([
    ['breaks off', breakingOff],
    ['is other content', async () => chunksOf('wrong')],
    ['is too much', async () => chunksOf('right', 'er')],
  ])('leaves no file behind when the content %s', async (_, open) => {
    const layout = await create()
    await layout.create()
    const before = await files()
    await expect(layout.putBlob(sampleBlob('right').descriptor, open)).rejects.toThrow()
    expect((await files()).filter(file => !file.startsWith('blobs'))).toEqual(before)
    expect(await readdir(join(dir, 'blobs', 'sha256'))).toEqual([])
  })

  it('does not read content that is there already', async () => {
    const blob = sampleBlob('here')
    const layout = await create()
    await layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    const open = () => Promise.reject(new Error('opened'))
    expect(await layout.putBlob(blob.descriptor, open)).toBe('present')
  })

  it('keeps every tag of many that are put at the same time', async () => {
    const layout = await create()
    const images = Array.from({ length: 12 }, (_, number) => sampleImage(`image ${number}`))
    await Promise.all(images.map((image, number) => putSample(layout, image, [`v${number}`])))
    for (const [number, image] of images.entries()) {
      expect(await layout.resolve(`v${number}`)).toEqual(descriptorOf(image.manifest))
    }
  })

  it.each(['', 'a b', '-x', 'a//b', '../x'])('refuses the tag "%s" and writes nothing', async tag => {
    const layout = await create()
    await expect(layout.putManifest(sampleImage('one').manifest, ['good', tag])).rejects.toMatchObject({
      code: 'INVALID_REFERENCE',
    })
    expect(await readdir(folder.path)).toEqual([])
  })

  it('takes a whole reference as a tag, as others write it', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['docker.io/library/alpine:3.20'])
    expect(await layout.listTags()).toEqual(['docker.io/library/alpine:3.20'])
  })

  it.runIf(process.getuid?.() !== 0)('names the file that it may not write', async () => {
    const layout = await create()
    await layout.create()
    await chmod(dir, 0o500)
    const put = layout.putManifest(sampleImage('one').manifest, ['v1'])
    await expect(put).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/layout.*: permission denied$/),
    })
    await chmod(dir, 0o700)
  })

  it('names the file that is in the way', async () => {
    await writeFile(dir, 'a file')
    const put = create().then(layout => layout.putManifest(sampleImage('one').manifest, []))
    await expect(put).rejects.toMatchObject({ code: 'IO', message: expect.stringContaining(dir) })
  })
})

describe('what index.json lists', () => {
  it('loses nothing to those who write to the folder at the same time and do not know of one another', async () => {
    const tags = Array.from({ length: 8 }, (_, number) => `v${number}`)
    await Promise.all(tags.map(tag => layoutWith(sampleImage(tag), [tag])))
    expect(await (await openLayout(dir)).listTags()).toEqual(tags)
    expect(await readdir(dir)).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  it('keeps fields and descriptors that it does not know', async () => {
    await layoutWith(sampleImage('one'), ['v1'])
    const { manifests } = await readIndex()
    const foreign = {
      mediaType: 'x/y',
      digest: 'blake3:abc',
      size: 3,
      annotations: refName('odd'),
      more: [1],
    }
    const annotated = { ...manifests[0], annotations: { ...refName('v1'), owner: 'me' }, 'x.y': true }
    const document = { zeal: { a: 1 }, schemaVersion: 2, annotations: { b: 'c' } }
    await writeIndex({ ...document, manifests: [foreign, annotated] })
    const other = sampleImage('other')
    await putSample(await openLayout(dir), other, ['v2'])
    expect(await readIndex()).toEqual({
      ...document,
      manifests: [foreign, annotated, { ...descriptorOf(other.manifest), annotations: refName('v2') }],
    })
    expect(Object.keys(await readIndex()).slice(0, 3)).toEqual(['zeal', 'schemaVersion', 'annotations'])
  })

  it('reads null as an empty list', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1'])
    await writeIndex({ schemaVersion: 2, manifests: null })
    expect(await layout.listTags()).toEqual([])
    await layout.putManifest(image.manifest, ['v2'])
    expect(await layout.listTags()).toEqual(['v2'])
  })

  it.each([
    ['no JSON', 'nothing'],
    ['no list', '{"schemaVersion":2}'],
    ['an entry without a digest', '{"manifests":[{"size":1}]}'],
    ['a list instead of an object', '[]'],
  ])('is refused by its file name when it holds %s', async (_, text) => {
    const layout = await layoutWith(sampleImage('one'), ['v1'])
    await writeFile(join(dir, 'index.json'), text)
    const fault = { code: 'INTEGRITY', message: expect.stringContaining(join(dir, 'index.json')) }
    await expect(layout.resolve('v1')).rejects.toMatchObject(fault)
    await expect(layout.putManifest(sampleImage('two').manifest, ['v1'])).rejects.toMatchObject(fault)
    expect(await readFile(join(dir, 'index.json'), 'utf8')).toBe(text)
  })

  it('is refused when it is missing or too large', async () => {
    const layout = await layoutWith(sampleImage('one'), ['v1'])
    const path = join(dir, 'index.json')
    await truncate(path, 64 * 1024 * 1024 + 1)
    await expect(layout.listTags()).rejects.toMatchObject({ code: 'INTEGRITY' })
    await rm(path)
    await expect(layout.listTags()).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('is refused where the entry that is asked for is malformed, and only there', async () => {
    const layout = await layoutWith(sampleImage('one'), ['v1'])
    const { manifests } = await readIndex()
    await writeIndex({ manifests: [{ digest: 'md5:00', annotations: refName('bad') }, ...manifests] })
    expect(await layout.resolve('v1')).toMatchObject({ size: manifests[0].size })
    await expect(layout.resolve('bad')).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('says the newest of several entries with one tag', async () => {
    const image = sampleImage('young')
    const layout = await layoutWith(image, ['v1'])
    const old = sampleImage('old')
    await layout.putManifest(old.manifest)
    const annotations = refName('v1')
    await writeIndex({ manifests: [old, image].map(i => ({ ...descriptorOf(i.manifest), annotations })) })
    expect(await layout.resolve('v1')).toEqual(descriptorOf(image.manifest))
  })

  it('has a child without tags only when it refers to a subject', async () => {
    const image = sampleImage('one')
    const layout = await create()
    await putSample(layout, image)
    expect(await layout.listManifests()).toEqual([])
    const referrer = sampleImage('referrer', { subject: descriptorOf(image.manifest) })
    await putSample(layout, referrer)
    expect(await layout.listManifests()).toEqual([descriptorOf(referrer.manifest)])
  })

  it('has an image without a tag once', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, [])
    await layout.putManifest(image.manifest, [])
    expect((await readIndex()).manifests).toEqual([descriptorOf(image.manifest)])
    await layout.putManifest(image.manifest, ['v1'])
    expect((await readIndex()).manifests).toEqual([
      { ...descriptorOf(image.manifest), annotations: refName('v1') },
    ])
  })

  it('leaves a plain child to the index that leads to it, but not one with a tag or a subject', async () => {
    const [plain, tagged] = [sampleImage('plain'), sampleImage('tagged')]
    const referrer = sampleImage('referrer', { subject: descriptorOf(plain.manifest) })
    const layout = await create()
    await putSample(layout, plain, [])
    await putSample(layout, tagged, ['child'])
    await putSample(layout, referrer, [])
    const index = sampleIndex([plain.manifest, tagged.manifest, referrer.manifest])
    await layout.putManifest(index, ['all'])
    const listed = (await layout.listManifests()).map(({ digest }) => digest)
    expect(listed).toEqual([tagged.manifest.digest, referrer.manifest.digest, index.digest])
    expect(await layout.resolve(plain.manifest.digest)).toEqual(descriptorOf(plain.manifest))
  })

  it('drops what loses its last tag, or keeps it without one where that is wanted', async () => {
    const [old, young] = [sampleImage('old'), sampleImage('young')]
    await layoutWith(old, ['v1'])
    await putSample(await openLayout(dir, { keepUntagged: true }), young, ['v1'])
    expect((await readIndex()).manifests).toContainEqual(descriptorOf(old.manifest))
    await putSample(await openLayout(dir), old, ['v1'])
    expect((await readIndex()).manifests).toEqual([
      { ...descriptorOf(old.manifest), annotations: refName('v1') },
    ])
  })
})

describe('the sole image of a layout', () => {
  it('is the one that it lists, however often', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1', 'v2'])
    expect(await layout.soleReference()).toBe(image.manifest.digest)
  })

  it('is not told when there are several', async () => {
    const layout = await layoutWith(sampleImage('one'), ['v1'])
    await putSample(layout, sampleImage('two'), ['v2'])
    await expect(layout.soleReference()).rejects.toMatchObject({
      code: 'USAGE',
      hint: 'name one of its tags: v1, v2',
    })
  })

  it('is not found when there is none', async () => {
    const layout = await create()
    await expect(layout.soleReference()).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('deleting from a layout', () => {
  it('takes one tag and leaves the others', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1', 'v2'])
    await layout.deleteTag('v1')
    expect(await layout.listTags()).toEqual(['v2'])
    expect(await layout.resolve('v2')).toEqual(descriptorOf(image.manifest))
    await expect(layout.deleteTag('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('takes a manifest with all its tags, and no blob beside its own', async () => {
    const [image, other] = [sampleImage('one'), sampleImage('other')]
    const layout = await layoutWith(image, ['v1', 'v2'])
    await putSample(layout, other, ['v3'])
    await layout.deleteManifest(image.manifest.digest)
    expect(await layout.listTags()).toEqual(['v3'])
    expect(await layout.find(image.manifest.digest)).toBeUndefined()
    expect(await layout.hasBlob(image.layer.descriptor)).toBe(true)
    await expect(layout.deleteManifest(image.manifest.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('does not take a layer for a manifest', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1'])
    for (const { descriptor } of [image.layer, image.config]) {
      await expect(layout.deleteManifest(descriptor.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect(await layout.hasBlob(descriptor)).toBe(true)
    }
  })
})

describe('a layout that was tampered with', () => {
  it('gives no changed blob', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1'])
    const { descriptor, bytes } = image.layer
    await writeFile(blobPath(descriptor.digest), Buffer.alloc(bytes.length, 'x'))
    const read = async () => collect(await layout.getBlob(descriptor), 100, 'test')
    await expect(read()).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('gives no changed manifest, listed or not', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1'])
    const { digest } = image.manifest
    await writeFile(blobPath(digest), Buffer.from(sampleImage('other').manifest.bytes))
    await expect(layout.getManifest(descriptorOf(image.manifest))).rejects.toMatchObject({
      code: 'INTEGRITY',
    })
    await writeIndex({ manifests: [] })
    await expect(layout.resolve(digest)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('does not find a tag whose manifest is gone', async () => {
    const image = sampleImage('one')
    const layout = await layoutWith(image, ['v1'])
    await rm(blobPath(image.manifest.digest))
    expect(await layout.find('v1')).toBeUndefined()
  })

  it('does not follow a blob that is a symbolic link', async () => {
    const secret = join(folder.path, 'secret')
    await writeFile(secret, 'secret')
    const descriptor = { mediaType: '', digest: digestOf('secret'), size: 6 }
    const layout = await layoutWith(sampleImage('one'), ['v1'])
    await symlink(secret, blobPath(descriptor.digest))
    expect(await layout.hasBlob(descriptor)).toBe(false)
    await expect(layout.getBlob(descriptor, { start: 0 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const read = () => collect(layout.blobs.read(descriptor.digest), 10, 'test')
    await expect(read()).rejects.toMatchObject({ code: 'IO' })
  })
})

async function breakingOff(): Promise<AsyncIterable<Uint8Array>> {
  return (async function* () {
    yield Buffer.from('ri')
    throw new Error('broken')
  })()
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import type { BlobRange, ImageDestination, ImageSource } from '../../src/image-store.ts'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { chunksOf, putSample, sampleBlob, sampleImage, sampleIndex, sampleManifest } from './sample-image.ts'

/** An empty store, and how to be rid of it. */
export interface ContractStore {
  readonly store: ImageSource & ImageDestination
  dispose(): Promise<void>
}

export interface ContractOptions {
  /** False for a store that holds one image, which needs no tag. */
  readonly hasTags?: boolean | undefined
  /** False for a store that has one image under a name, and so refuses an index of several. */
  readonly takesIndexes?: boolean | undefined
}

/** What every store promises that can be read and written (src/image-store.ts). `makeStore` is called for each test. */
export function imageStoreContract(
  name: string,
  makeStore: () => Promise<ContractStore>,
  { hasTags = true, takesIndexes = true }: ContractOptions = {},
): void {
  describe(`${name} as an image store`, () => {
    let made: ContractStore
    let store: ContractStore['store']
    beforeEach(async () => {
      made = await makeStore()
      store = made.store
    })
    afterEach(() => made.dispose())

    describeBlobs(() => store)
    const tags = hasTags ? ['latest'] : []
    describeManifests(() => store, tags)
    if (takesIndexes) describeIndexes(() => store, tags)
    else describeRefusedIndexes(() => store, tags)
    if (hasTags) describeTags(() => store)
  })
}

type GetStore = () => ContractStore['store']

function describeBlobs(getStore: GetStore): void {
  const blob = sampleBlob('twelve bytes')

  it('has a blob after it was put, and gives it back as it was', async () => {
    const store = getStore()
    expect(await store.hasBlob(blob.descriptor)).toBe(false)
    const result = await store.putBlob(blob.descriptor, async () => chunksOf('twelve', ' ', 'bytes'))
    expect(result).toBe('copied')
    expect(await store.hasBlob(blob.descriptor)).toBe(true)
    expect(await readBlob(store, blob.descriptor)).toBe('twelve bytes')
  })

  it('takes a blob a second time', async () => {
    const store = getStore()
    await store.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    await store.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    expect(await readBlob(store, blob.descriptor)).toBe('twelve bytes')
  })

  it('takes a blob without bytes', async () => {
    const store = getStore()
    const empty = sampleBlob('')
    await store.putBlob(empty.descriptor, async () => chunksOf())
    expect(await store.hasBlob(empty.descriptor)).toBe(true)
    expect(await readBlob(store, empty.descriptor)).toBe('')
  })

  it.each([
    [0, 'twelve bytes'],
    [7, 'bytes'],
    [11, 's'],
  ])('gives a blob from byte %i', async (start, text) => {
    const store = getStore()
    await store.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    expect(await readBlob(store, blob.descriptor, { start })).toBe(text)
  })

  it('says that an absent blob is not found', async () => {
    await expect(readBlob(getStore(), blob.descriptor)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it.each([
    ['other content of the same length', ['twelve', ' BYTES']],
    ['less', ['twelve']],
    ['nothing', []],
    ['more', ['twelve bytes', '!']],
  ])('refuses %s as a blob', async (_, pieces) => {
    const store = getStore()
    const put = store.putBlob(blob.descriptor, async () => chunksOf(...pieces))
    await expect(put).rejects.toMatchObject({ name: 'DrayError' })
    expect(await store.hasBlob(blob.descriptor)).toBe(false)
  })

  it('passes on why content broke off, and keeps nothing of it', async () => {
    const store = getStore()
    const open = async () => broken('twelve')
    await expect(store.putBlob(blob.descriptor, open)).rejects.toThrow()
    expect(await store.hasBlob(blob.descriptor)).toBe(false)
  })

  it('ends a put when the signal fires, also while the content stalls', async () => {
    const store = getStore()
    const controller = new AbortController()
    const open = async () => stalling('twelve', () => controller.abort())
    const put = store.putBlob(blob.descriptor, open, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await store.hasBlob(blob.descriptor)).toBe(false)
  })
}

/** @param tags what an image of its own is put with */
function describeManifests(getStore: GetStore, tags: readonly string[]): void {
  const image = sampleImage('one')

  it('gives a manifest back byte for byte', async () => {
    const store = getStore()
    await putSample(store, image, tags)
    const found = await store.getManifest(descriptorOf(image.manifest))
    expect(Buffer.from(found.bytes).toString()).toBe(Buffer.from(image.manifest.bytes).toString())
    expect(found).toMatchObject({ digest: image.manifest.digest, mediaType: mediaTypes.ociManifest })
  })

  it('resolves the digest of a manifest that was put as a child, without tags', async () => {
    const store = getStore()
    await putSample(store, image)
    expect(await store.resolve(image.manifest.digest)).toEqual(descriptorOf(image.manifest))
  })

  it.each([[[]], [tags]])(
    'resolves and finds the digest of an image that was put with the tags %j',
    async own => {
      const store = getStore()
      await putSample(store, image, own)
      expect(await store.resolve(image.manifest.digest)).toEqual(descriptorOf(image.manifest))
      expect(await store.find(image.manifest.digest)).toEqual(descriptorOf(image.manifest))
    },
  )

  it('keeps the media type of a Docker manifest', async () => {
    const store = getStore()
    const config = sampleBlob('{"os":"linux","architecture":"amd64"}', mediaTypes.dockerConfig)
    const mediaType = mediaTypes.dockerManifest
    const manifest = sampleManifest({ schemaVersion: 2, mediaType, config: config.descriptor, layers: [] })
    await store.putBlob(config.descriptor, async () => chunksOf(config.bytes))
    await store.putManifest(manifest, tags)
    expect(await store.resolve(tags[0] ?? manifest.digest)).toEqual(descriptorOf(manifest))
  })

  it('does not find what is not there', async () => {
    const store = getStore()
    await putSample(store, sampleImage('other'), tags)
    const absent = descriptorOf(image.manifest)
    expect(await store.find('v2')).toBeUndefined()
    expect(await store.find(absent.digest)).toBeUndefined()
    await expect(store.resolve('v2')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.resolve(absent.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.getManifest(absent)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('does not find anything while it is empty', async () => {
    const store = getStore()
    expect(await store.find('latest')).toBeUndefined()
    expect(await store.hasBlob(image.layer.descriptor)).toBe(false)
    await expect(store.resolve('latest')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
}

function describeIndexes(getStore: GetStore, tags: readonly string[]): void {
  it('takes an index after its children', async () => {
    const store = getStore()
    const [image, other] = [sampleImage('one'), sampleImage('other')]
    const index = sampleIndex([image.manifest, other.manifest])
    await putSample(store, image)
    await putSample(store, other)
    await store.putManifest(index, tags)
    expect(await store.resolve(tags[0] ?? index.digest)).toEqual(descriptorOf(index))
    expect((await store.getManifest(descriptorOf(index))).kind).toBe('index')
    for (const child of [image, other]) {
      const descriptor = await store.resolve(child.manifest.digest)
      expect(await store.getManifest(descriptor)).toMatchObject({ digest: child.manifest.digest })
    }
  })
}

function describeRefusedIndexes(getStore: GetStore, tags: readonly string[]): void {
  it('refuses an index of several images, and gives it no tag', async () => {
    const store = getStore()
    const images = [sampleImage('one'), sampleImage('other')]
    for (const image of images) await putSample(store, image)
    const put = store.putManifest(sampleIndex(images.map(({ manifest }) => manifest)), tags)
    await expect(put).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('platform'),
    })
    for (const tag of tags) expect(await store.find(tag)).toBeUndefined()
  })
}

function describeTags(getStore: GetStore): void {
  it('finds a manifest that was put as a child, without tags', async () => {
    const store = getStore()
    const image = sampleImage('one')
    await putSample(store, image)
    expect(await store.find(image.manifest.digest)).toEqual(descriptorOf(image.manifest))
  })

  it('resolves each of the tags that a manifest was put with', async () => {
    const store = getStore()
    const { manifest, ...blobs } = sampleImage('one')
    await putSample(store, { manifest, ...blobs }, ['v1', 'v1.2', 'latest'])
    for (const tag of ['v1', 'v1.2', 'latest']) {
      expect(await store.resolve(tag)).toEqual(descriptorOf(manifest))
      expect(await store.find(tag)).toEqual(descriptorOf(manifest))
    }
  })

  it('moves a tag to the manifest that is put with it, and keeps the old one under its digest', async () => {
    const store = getStore()
    const [old, young] = [sampleImage('old'), sampleImage('young')]
    await putSample(store, old, ['latest'])
    await putSample(store, young, ['latest'])
    expect(await store.resolve('latest')).toEqual(descriptorOf(young.manifest))
    expect(await store.find(old.manifest.digest)).toEqual(descriptorOf(old.manifest))
  })

  it('adds a tag beside those that a manifest has', async () => {
    const store = getStore()
    const image = sampleImage('one')
    await putSample(store, image, ['v1'])
    await store.putManifest(image.manifest, ['v2'])
    expect(await store.resolve('v1')).toEqual(descriptorOf(image.manifest))
    expect(await store.resolve('v2')).toEqual(descriptorOf(image.manifest))
  })
}

async function readBlob(store: ImageSource, descriptor: Descriptor, range?: BlobRange): Promise<string> {
  return (await collect(await store.getBlob(descriptor, range), 1024, 'test')).toString()
}

async function* broken(piece: string): Chunks {
  yield Buffer.from(piece)
  throw new Error('the source broke off')
}

async function* stalling(piece: string, onStall: () => void): Chunks {
  yield Buffer.from(piece)
  onStall()
  await new Promise(() => {})
}

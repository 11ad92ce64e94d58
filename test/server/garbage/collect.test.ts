import {
  appendFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Layout, openLayout } from '../../../src/layout/layout.ts'
import { type Digest, hexOf } from '../../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../../src/oci/manifest.ts'
import { type Collection, collectGarbage } from '../../../src/server/garbage/collect.ts'
import { makeOld } from '../../support/aged-files.ts'
import {
  chunksOf,
  putSample,
  type SampleBlob,
  type SampleImage,
  sampleBlob,
  sampleImage,
  sampleIndex,
} from '../../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'

let folder: TempDir
let dir: string
beforeEach(async () => {
  folder = await makeTempDir()
  dir = join(folder.path, 'registry')
  await mkdir(dir)
})
afterEach(() => folder.remove())

const hour = 3_600_000

/** Opens a repository as a server does. */
const open = (name: string) => openLayout(join(dir, name), { create: true, keepUntagged: true })

const put = async (layout: Layout, blob: SampleBlob) =>
  layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))

const blobPath = (name: string, digest: Digest) => join(dir, name, 'blobs/sha256', hexOf(digest))

/** The digests of an image: its manifest, config and layer. */
const partsOf = ({ manifest, config, layer }: SampleImage): Digest[] => [
  manifest.digest,
  config.descriptor.digest,
  layer.descriptor.digest,
]

/** The digests that were removed, in order. */
const goneFrom = ({ removed }: Collection) =>
  removed.flatMap(({ kind, digest }) => (kind === 'blob' && digest !== undefined ? [digest] : [])).sort()

async function expectBlobs(name: string, ...digests: readonly Digest[]): Promise<void> {
  const layout = await openLayout(join(dir, name))
  expect((await layout.blobs.list()).sort()).toEqual([...new Set(digests)].sort())
}

/** All names below a folder with what stat says of them that a change would change, but for when they were read. */
async function snapshot(): Promise<unknown> {
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true })
  const paths = entries.map(entry => join(entry.parentPath, entry.name)).sort()
  return Promise.all(
    paths.map(async path => {
      const { size, mtimeMs, ctimeMs, ino, nlink } = await lstat(path)
      return { path, size, mtimeMs, ctimeMs, ino, nlink }
    }),
  )
}

/** How much the files below a folder take, each once. */
async function usedBytes(): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile() && entry.name !== 'index.json')
  const sizes = await Promise.all(files.map(async entry => stat(join(entry.parentPath, entry.name))))
  return [...new Map(sizes.map(({ ino, size }) => [ino, size])).values()].reduce((sum, size) => sum + size, 0)
}

describe('what index.json leads to', () => {
  it('stays, and the rest goes', async () => {
    const layout = await open('app')
    const [kept, moved, nested] = [sampleImage('kept'), sampleImage('moved'), sampleImage('nested')]
    await putSample(layout, kept, ['1'])
    await putSample(layout, moved, ['2'])
    await putSample(layout, nested)
    const inner = sampleIndex([nested.manifest])
    await layout.putManifest(inner)
    const outer = sampleIndex([inner])
    await layout.putManifest(outer, ['3'])
    const stray = sampleBlob('nobody wants this')
    await put(layout, stray)
    await layout.deleteManifest(moved.manifest.digest)
    await makeOld(dir)
    const collection = await collectGarbage(dir)
    const [, ...movedBlobs] = partsOf(moved)
    expect(goneFrom(collection)).toEqual([...movedBlobs, stray.descriptor.digest].sort())
    expect(collection).toMatchObject({ dir, dryRun: false, repositories: 1, failures: [] })
    await expectBlobs('app', ...partsOf(kept), ...partsOf(nested), inner.digest, outer.digest)
    expect((await collectGarbage(dir)).removed).toEqual([])
  })

  it('stays without a tag, and with a subject that is not there', async () => {
    const layout = await open('app')
    const image = sampleImage('subject')
    const referrer = sampleImage('referrer', { subject: descriptorOf(image.manifest) })
    const untagged = sampleImage('untagged')
    await putSample(layout, referrer)
    await putSample(layout, untagged, [])
    await makeOld(dir)
    expect((await collectGarbage(dir)).removed).toEqual([])
  })

  it('need not all be there', async () => {
    const layout = await open('app')
    const [here, elsewhere] = [sampleImage('here'), sampleImage('elsewhere')]
    await putSample(layout, here)
    const index = sampleIndex([elsewhere.manifest, here.manifest])
    await layout.putManifest(index, ['sparse'])
    await layout.blobs.delete(here.layer.descriptor.digest)
    await put(layout, sampleBlob('stray'))
    await makeOld(dir)
    expect((await collectGarbage(dir)).removed).toMatchObject([{ kind: 'blob', repository: 'app', bytes: 5 }])
    await expectBlobs('app', index.digest, here.manifest.digest, here.config.descriptor.digest)
  })

  it('stays when it stands in an index among the manifests and is none', async () => {
    const layout = await open('cache')
    const layer = sampleBlob('a layer of a build cache')
    const listed = sampleBlob(JSON.stringify({ layers: [{ blob: layer.descriptor.digest }] }), 'x/cache')
    const index = sampleIndex([], { manifests: [listed.descriptor] })
    for (const blob of [layer, listed]) await put(layout, blob)
    await layout.putManifest(index, ['cache'])
    await makeOld(dir)
    expect((await collectGarbage(dir)).removed).toEqual([])
  })
})

describe('where it cannot be told what is needed', () => {
  beforeEach(async () => {
    for (const name of ['damaged', 'sound']) {
      const layout = await open(name)
      await putSample(layout, sampleImage('image'), ['1'])
      await put(layout, sampleBlob('stray'))
    }
  })

  async function expectOnlySoundCollected(code: string, message: string): Promise<void> {
    await makeOld(dir)
    const before = await readdir(join(dir, 'damaged/blobs/sha256'))
    const collection = await collectGarbage(dir, { untagged: true })
    expect(collection.removed).toMatchObject([{ repository: 'sound', bytes: 5 }])
    expect(collection).toMatchObject({ repositories: 2, failures: [{ repository: 'damaged' }] })
    expect(collection.failures[0]?.error).toMatchObject({ code })
    expect(collection.failures[0]?.error.message).toContain(message)
    expect(await readdir(join(dir, 'damaged/blobs/sha256'))).toEqual(before)
  }

  it('nothing goes: a manifest is damaged', async () => {
    const { manifest } = sampleImage('image')
    await truncate(blobPath('damaged', manifest.digest), 10)
    await expectOnlySoundCollected('INTEGRITY', `${manifest.digest}`)
  })

  it('nothing goes: index.json is malformed', async () => {
    await appendFile(join(dir, 'damaged/index.json'), '}')
    await expectOnlySoundCollected('INTEGRITY', 'index.json')
  })

  it('nothing goes: index.json is not there', async () => {
    await rename(join(dir, 'damaged/index.json'), join(dir, 'damaged/index.old'))
    await expectOnlySoundCollected('INTEGRITY', 'index.json')
  })

  it('nothing goes: index.json lists a digest of the future', async () => {
    const path = join(dir, 'damaged/index.json')
    const index = JSON.parse(await readFile(path, 'utf8'))
    index.manifests.push({ mediaType: 'x/y', digest: 'blake3:0123', size: 1 })
    await writeFile(path, JSON.stringify(index))
    await expectOnlySoundCollected('UNSUPPORTED', 'blake3')
  })

  it('nothing goes: the layout is of another version', async () => {
    await writeFile(join(dir, 'damaged/oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    await expectOnlySoundCollected('UNSUPPORTED', '2.0.0')
  })

  it('nothing goes: the blobs are behind a symbolic link', async () => {
    const elsewhere = join(folder.path, 'elsewhere')
    await rename(join(dir, 'damaged/blobs'), elsewhere)
    await symlink(elsewhere, join(dir, 'damaged/blobs'))
    await expectOnlySoundCollected('UNSUPPORTED', 'damaged/blobs')
  })
})

describe('what is young', () => {
  it('stays, for a day or as long as is said', async () => {
    const layout = await open('app')
    await put(layout, sampleBlob('stray'))
    expect((await collectGarbage(dir)).removed).toEqual([])
    expect((await collectGarbage(dir, { graceMs: hour })).removed).toEqual([])
    expect((await collectGarbage(dir, { graceMs: 0 })).removed).toHaveLength(1)
  })

  it('and a manifest keeps all that it leads to, though nothing lists it', async () => {
    const layout = await open('app')
    const image = sampleImage('child')
    await putSample(layout, image)
    await put(layout, sampleBlob('stray'))
    await makeOld(dir)
    expect(await layout.find(image.manifest.digest)).toBeDefined() // as a copy does that would leave it out
    expect((await collectGarbage(dir)).removed).toHaveLength(1)
    await expectBlobs('app', ...partsOf(image))
  })

  it('and damaged stays too, and keeps nothing from being collected', async () => {
    const layout = await open('app')
    const [half, stray] = [sampleBlob('a manifest that is being written'), sampleBlob('stray')]
    for (const blob of [half, stray]) await put(layout, blob)
    await makeOld(dir)
    await writeFile(blobPath('app', half.descriptor.digest), 'a mani')
    expect(goneFrom(await collectGarbage(dir))).toEqual([stray.descriptor.digest])
  })
})

describe('manifests without a tag', () => {
  const digestOf = (manifest: Manifest) => manifest.digest

  it('go when that is asked for, unless they are young, or part of what stays, or refer to it', async () => {
    const layout = await open('app')
    const [tagged, old, young, child] = ['tagged', 'old', 'young', 'child'].map(name => sampleImage(name))
    const images = [tagged, old, young, child].filter(image => image !== undefined)
    for (const image of images) await putSample(layout, image, image === tagged ? ['1'] : [])
    if (!tagged || !old || !young || !child) throw new Error('an image is missing')
    await layout.putManifest(sampleIndex([child.manifest]), ['2'])
    await layout.putManifest(child.manifest, []) // listed again
    const about = (image: Manifest, name: string) => sampleImage(name, { subject: descriptorOf(image) })
    const signature = about(tagged.manifest, 'signature')
    const ofSignature = about(signature.manifest, 'of the signature')
    const ofOld = about(old.manifest, 'of the old one')
    for (const referrer of [ofSignature, signature, ofOld]) await putSample(layout, referrer)
    await makeOld(dir)
    await layout.blobs.use(young.manifest.digest)
    expect((await collectGarbage(dir)).removed).toEqual([])

    const collection = await collectGarbage(dir, { untagged: true })
    const dropped = collection.removed.filter(({ kind }) => kind === 'untagged').map(({ digest }) => digest)
    expect(dropped.sort()).toEqual([old, ofOld].map(({ manifest }) => manifest.digest).sort())
    expect(goneFrom(collection)).toEqual([...partsOf(old), ...partsOf(ofOld)].sort())
    const listed = (await layout.listManifests()).map(({ digest }) => digest)
    const left = [tagged, young, child, signature, ofSignature].map(({ manifest }) => digestOf(manifest))
    expect(listed).toEqual(expect.arrayContaining(left))
    expect(listed).toHaveLength(left.length + 1)
    expect(await layout.listTags()).toEqual(['1', '2'])
  })

  it('stay when they have a name that docker knows, and when they are not there', async () => {
    const layout = await open('app')
    await putSample(layout, sampleImage('named'), [])
    const gone = sampleImage('gone')
    await putSample(layout, gone, [])
    await layout.blobs.delete(gone.manifest.digest)
    const path = join(dir, 'app/index.json')
    const index = JSON.parse(await readFile(path, 'utf8'))
    index.manifests[0].annotations = { 'io.containerd.image.name': 'docker.io/library/named:1' }
    await writeFile(path, JSON.stringify(index))
    await makeOld(dir)
    const { removed } = await collectGarbage(dir, { untagged: true })
    expect(removed.filter(({ kind }) => kind === 'untagged')).toEqual([])
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(index)
  })
})

describe('what killed writers left', () => {
  const uuid = '01234567-89ab-4cde-8f01-23456789abcd'
  const hex = 'ab'.repeat(32)
  const leftovers = [
    [`app/.${uuid}.tmp`, 'temporary'],
    [`app/blobs/sha256/.${uuid}.tmp`, 'temporary'],
    [`app/.partial/sha256-${hex}.${uuid}`, 'part'],
    [`app/.partial/sha256-${hex}.${uuid}.open`, 'part'],
    [`_blobs/sha512/.${uuid}.tmp`, 'temporary'],
    [`_uploads/${uuid}.${'0f'.repeat(16)}`, 'upload'],
    [`_uploads/.${uuid}.tmp`, 'temporary'],
  ] as const
  const foreign = ['app/notes.txt', 'app/.partial/notes', 'app/blobs/sha256/notes', '_uploads/notes']

  beforeEach(async () => {
    await putSample(await open('app'), sampleImage('image'), ['1'])
    for (const path of [...leftovers.map(([path]) => path), ...foreign]) {
      await mkdir(join(dir, path, '..'), { recursive: true })
      await writeFile(join(dir, path), 'left')
    }
  })

  it('goes when it is old, and what is nobody knows stays', async () => {
    await makeOld(dir)
    const { removed, freedBytes } = await collectGarbage(dir)
    expect(removed.map(({ kind, bytes }) => ({ kind, bytes }))).toEqual(
      expect.arrayContaining(leftovers.map(([, kind]) => ({ kind, bytes: 4 }))),
    )
    expect(removed).toHaveLength(leftovers.length)
    expect(removed).toContainEqual({
      kind: 'part',
      repository: 'app',
      path: `.partial/sha256-${hex}.${uuid}`,
      bytes: 4,
    })
    expect(freedBytes).toBe(4 * leftovers.length)
    for (const path of foreign) expect(await readFile(join(dir, path), 'utf8')).toBe('left')
  })

  it('stays while it may have a writer, whatever is asked for', async () => {
    expect((await collectGarbage(dir, { graceMs: 0 })).removed).toEqual([])
  })
})

describe('a run that was killed', () => {
  it('leaves nothing that the next one does not put right', async () => {
    const layout = await open('app')
    const image = sampleImage('image')
    await putSample(layout, image, ['1'])
    const stray = sampleBlob('stray')
    await put(layout, stray)
    for (const digest of [...partsOf(image), stray.descriptor.digest]) {
      await rename(blobPath('app', digest), join(dir, 'app/blobs/sha256', `.${hexOf(digest)}.unused`))
    }
    await makeOld(dir)
    expect(goneFrom(await collectGarbage(dir))).toEqual([stray.descriptor.digest])
    await expectBlobs('app', ...partsOf(image))
    expect(await readdir(join(dir, 'app/blobs/sha256'))).toHaveLength(3)
  })
})

describe('a dry run', () => {
  it('changes nothing, and says what a real one does and frees', async () => {
    for (const name of ['app', 'team/app']) {
      const layout = await open(name)
      await putSample(layout, sampleImage('kept'), ['1'])
      await putSample(layout, sampleImage('untagged'), [])
      await put(layout, sampleBlob('stray'))
    }
    await put(await open('app'), sampleBlob('stray of app'))
    await makeOld(dir)
    const before = await snapshot()
    const foreseen = await collectGarbage(dir, { untagged: true, dryRun: true })
    expect(await snapshot()).toEqual(before)
    const bytes = await usedBytes()
    const done = await collectGarbage(dir, { untagged: true })
    expect(foreseen).toEqual({ ...done, dryRun: true })
    expect(done.removed.filter(({ kind }) => kind === 'untagged')).toHaveLength(2)
    expect(bytes - (await usedBytes())).toBe(done.freedBytes)
  })
})

describe('a folder', () => {
  it('that is one layout is collected in, and nothing below it', async () => {
    await put(await open('.'), sampleBlob('stray'))
    await put(await open('nested'), sampleBlob('stray'))
    await makeOld(dir)
    const { removed, repositories } = await collectGarbage(dir)
    expect(repositories).toBe(1)
    expect(removed).toEqual([
      { kind: 'blob', repository: undefined, digest: sampleBlob('stray').descriptor.digest, bytes: 5 },
    ])
    expect(await readdir(join(dir, 'nested/blobs/sha256'))).toHaveLength(1)
  })

  it('that is one layout, and damaged, fails', async () => {
    await putSample(await open('.'), sampleImage('image'), ['1'])
    await writeFile(join(dir, 'index.json'), '{')
    await expect(collectGarbage(dir)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('that is neither is refused, and nothing in it is touched', async () => {
    await mkdir(join(dir, 'blobs/sha256'), { recursive: true })
    await writeFile(join(dir, 'blobs/sha256', 'ab'.repeat(32)), 'mine')
    await makeOld(dir)
    const before = await snapshot()
    await expect(collectGarbage(dir, { graceMs: 0 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('neither an OCI image layout nor a folder of repositories'),
    })
    expect(await snapshot()).toEqual(before)
  })

  it('that is empty has nothing to collect, and one that is not there is not found', async () => {
    expect(await collectGarbage(dir)).toMatchObject({ repositories: 0, removed: [] })
    await expect(collectGarbage(join(dir, 'no'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('behind a symbolic link is not collected in', async () => {
    await put(await open('app'), sampleBlob('stray'))
    const outside = await openLayout(join(folder.path, 'outside'), { create: true })
    await put(outside, sampleBlob('stray'))
    await symlink(join(folder.path, 'outside'), join(dir, 'linked'))
    await makeOld(folder.path)
    expect((await collectGarbage(dir)).removed).toMatchObject([{ repository: 'app' }])
    expect(await outside.blobs.list()).toHaveLength(1)
  })

  it.each(['_blobs', '_uploads', '_blobs/sha256'])('%s behind a symbolic link is refused', async name => {
    await put(await open('app'), sampleBlob('stray'))
    await mkdir(join(folder.path, 'outside'))
    await mkdir(join(dir, name, '..'), { recursive: true })
    await symlink(join(folder.path, 'outside'), join(dir, name))
    await makeOld(dir)
    await expect(collectGarbage(dir)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(await readdir(join(dir, 'app/blobs/sha256'))).toHaveLength(1)
  })
})

it('a collection ends when it is told to', async () => {
  await put(await open('app'), sampleBlob('stray'))
  await makeOld(dir)
  const signal = AbortSignal.abort()
  await expect(collectGarbage(dir, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  await expectBlobs('app', sampleBlob('stray').descriptor.digest)
})

it('refuses the root of the file system, before it looks at anything', async () => {
  await expect(collectGarbage('/', { dryRun: true })).rejects.toMatchObject({
    code: 'USAGE',
    message: '/ is the whole file system, and no folder of repositories',
  })
})

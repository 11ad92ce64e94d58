import { open, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DrayError } from '../../src/errors.ts'
import { pour } from '../../src/flow.ts'
import { type LayoutArchive, openLayoutArchive } from '../../src/layout/layout-archive.ts'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, digestOf, hexOf, parseDigest } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { fixtureDescriptor, fixturePath, readFixtureManifest } from '../support/fixtures.ts'
import { imageStoreContract } from '../support/image-store-contract.ts'
import { sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { gnuTar, hasGnuTar } from '../tar/gnu-tar.ts'
import { endBlocks, handmadeBlock, piecesOf, type SampleEntry, sampleTar } from '../tar/sample-tar.ts'
import { ArchiveStore } from './archive-store.ts'
import { countFileReads } from './file-reads.ts'

describe.each(['a.tar', 'a.tar.gz', 'a.tar.zst'])('%s', file =>
  imageStoreContract('the archive', async () => {
    const folder = await makeTempDir()
    const store = new ArchiveStore(join(folder.path, file), folder.path)
    return {
      store,
      async dispose() {
        await store.close()
        await folder.remove()
      },
    }
  }),
)

let folder: TempDir
let path: string
let tmpDir: string
const opened: LayoutArchive[] = []
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'a.tar')
  tmpDir = folder.path
})
afterEach(async () => {
  for (const archive of opened.splice(0)) await archive.close()
  await folder.remove()
})

async function openIt(source: Parameters<typeof openLayoutArchive>[0] = path): Promise<LayoutArchive> {
  const archive = await openLayoutArchive(source, { tmpDir })
  opened.push(archive)
  return archive
}

const image = sampleImage('one')
const layoutFile: SampleEntry = { name: 'oci-layout', text: '{"imageLayoutVersion":"1.0.0"}' }
const nameOf = (digest: Digest) => `blobs/sha256/${hexOf(digest)}`
const blobEntry = (bytes: Uint8Array): SampleEntry => ({
  name: nameOf(digestOf(bytes)),
  text: Buffer.from(bytes).toString(),
})
const listed = (descriptor: Descriptor, tag: string) => ({
  ...descriptor,
  annotations: { 'org.opencontainers.image.ref.name': tag },
})
const indexFile = (...manifests: unknown[]): SampleEntry => ({
  name: 'index.json',
  text: JSON.stringify({ schemaVersion: 2, manifests }),
})
/** An archive with one image, tagged `v1`, which later entries may change. */
async function writeArchive(...others: SampleEntry[]): Promise<void> {
  const own = [
    layoutFile,
    indexFile(listed(descriptorOf(image.manifest), 'v1')),
    ...[image.manifest.bytes, image.config.bytes, image.layer.bytes].map(blobEntry),
  ]
  await writeFile(path, await sampleTar(...own, ...others))
}

async function readBlob(archive: LayoutArchive, descriptor: Descriptor): Promise<string> {
  return (await collect(await archive.getBlob(descriptor), 1024, 'test')).toString()
}

describe('an archive of a layout', () => {
  it('gives what is in it, and says which tags it has', async () => {
    await writeArchive()
    const archive = await openIt()
    expect(archive.name).toBe(`oci-archive:${path}`)
    expect(await archive.listTags()).toEqual(['v1'])
    expect(await archive.soleReference()).toBe(image.manifest.digest)
    expect(await archive.tagsOf(image.manifest.digest)).toEqual(['v1'])
    expect((await archive.readManifest('v1')).bytes).toEqual(image.manifest.bytes)
    expect(await readBlob(archive, image.layer.descriptor)).toBe('layer of one')
    expect(archive.oddities).toEqual([])
  })

  it('can be read several times, side by side', async () => {
    await writeArchive()
    const archive = await openIt()
    const reading = [image.layer, image.config, image.layer].map(blob => readBlob(archive, blob.descriptor))
    expect((await Promise.all(reading)).map(text => text.length)).toEqual([
      image.layer.bytes.length,
      image.config.bytes.length,
      image.layer.bytes.length,
    ])
  })

  it('counts the last of several entries with one name', async () => {
    const other = sampleImage('other')
    await writeArchive(
      { name: './index.json', text: indexFile(listed(descriptorOf(other.manifest), 'v2')).text ?? '' },
      blobEntry(other.manifest.bytes),
    )
    const archive = await openIt()
    expect(await archive.listTags()).toEqual(['v2'])
    expect(await archive.resolve('v2')).toEqual(descriptorOf(other.manifest))
  })

  it('is read from a stream, and leaves nothing behind', async () => {
    await writeArchive()
    const archive = await openIt(piecesOf(await readFile(path)))
    expect(archive.name).toBe('oci-archive:-')
    expect(await readBlob(archive, image.layer.descriptor)).toBe('layer of one')
    await opened.pop()?.close()
    expect(await readdir(folder.path)).toEqual(['a.tar'])
  })

  it('of which the stream stalls is given up when the signal fires', async () => {
    const controller = new AbortController()
    const stalling = (async function* () {
      yield Buffer.alloc(512)
      controller.abort()
      await new Promise(() => {})
    })()
    const opening = openLayoutArchive(stalling, { tmpDir, signal: controller.signal })
    await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await readdir(folder.path)).toEqual([])
  })

  it.skipIf(!hasGnuTar).each([
    ['plain', []],
    ['gzip', ['--gzip']],
    ['zstd', ['--zstd']],
    ['pax', ['--format=pax']],
    ['v7', ['--format=v7']],
  ])('as GNU tar packs a folder (%s), with ./ in front of each name, is read', async (_, flags) => {
    await gnuTar(['-c', ...flags, '-f', path, '-C', fixturePath('hello'), '.'])
    const archive = await openIt()
    const descriptor = fixtureDescriptor('hello', '1.0')
    expect(await archive.listTags()).toEqual(['1.0', '1.1', 'latest', 'stable'])
    const manifest = await archive.readManifest('1.0')
    expect(manifest.bytes).toEqual(readFixtureManifest('hello', descriptor).bytes)
  })
})

describe('what is no archive of a layout', () => {
  const refused = async (...entries: SampleEntry[]): Promise<DrayError> => {
    await writeFile(path, await sampleTar(...entries))
    return openIt().then(
      () => expect.unreachable('it was opened'),
      error => error,
    )
  }

  it.each<[string, SampleEntry[], string | undefined]>([
    ['something else', [{ name: 'a', text: 'b' }], undefined],
    ['nothing', [], undefined],
    [
      'an archive of docker save',
      [{ name: 'manifest.json', text: '[]' }],
      'it looks like an archive of docker save, which docker-archive: reads',
    ],
    [
      'a folder of dir:',
      [{ name: 'version' }, { name: 'manifest.json', text: '{}' }],
      'it looks like a folder of images that dir: reads, and has to be unpacked first',
    ],
    [
      'a layout that was packed with its folder',
      [{ ...layoutFile, name: './my/oci-layout' }],
      'the layout is in the archive\'s folder "my"; pack it from within',
    ],
    [
      'an oci-layout that is a link',
      [{ ...layoutFile, type: 'symlink', text: '', linkname: 'x' }],
      undefined,
    ],
  ])('is refused: %s', async (_, entries, hint) => {
    const error = await refused(...entries)
    expect(error).toMatchObject({
      code: 'NOT_FOUND',
      message: `${path}: not an OCI image layout, there is no oci-layout file`,
    })
    expect(error.hint).toBe(hint)
  })

  it.each<[string, string, SampleEntry[]]>([
    ['UNSUPPORTED', 'oci-layout', [{ name: 'oci-layout', text: '{"imageLayoutVersion":"2.0.0"}' }]],
    ['INTEGRITY', 'oci-layout', [{ name: 'oci-layout', text: '{}' }]],
    ['INTEGRITY', 'oci-layout', [{ name: 'oci-layout', text: ' '.repeat(64 * 1024 + 1) }]],
    ['INTEGRITY', 'index.json', [layoutFile]],
    ['INTEGRITY', 'index.json', [layoutFile, { name: 'index.json', text: 'no JSON' }]],
    ['INTEGRITY', 'index.json', [layoutFile, { name: 'index.json', text: '{"manifests":1}' }]],
    ['INTEGRITY', 'index.json', [layoutFile, { name: 'index.json', type: 'symlink', linkname: 'x' }]],
  ])('is refused with %s for its %s', async (code, file, entries) => {
    expect(await refused(...entries)).toMatchObject({ code, message: expect.stringContaining(file) })
  })

  it('is refused when index.json is huge, before it is read', async () => {
    const size = 64 * 1024 * 1024 + 1
    const head = handmadeBlock({
      0: 'index.json',
      124: size.toString(8).padStart(11, '0'),
      257: 'ustar\x0000',
    })
    const start = await sampleTar(layoutFile)
    await writeFile(path, Buffer.concat([start.subarray(0, -1024), head]))
    await truncate(path, start.length - 512 + size + 1023)
    using reads = await countFileReads()
    await expect(openIt()).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringMatching(/index\.json.*limit/),
    })
    expect(reads.bytes).toBeLessThan(1024 * 1024)
  })

  it('is refused when it is cut off', async () => {
    await writeArchive()
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 1024 - 600))
    await expect(openIt()).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(path),
    })
  })

  it('is not found', async () => {
    await expect(openIt()).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(path),
    })
  })
})

describe('an archive with faults', () => {
  const { descriptor } = image.layer

  it('gives no changed blob, and no changed manifest', async () => {
    await writeArchive(
      { name: nameOf(descriptor.digest), text: 'layer of two' },
      {
        name: nameOf(image.manifest.digest),
        text: Buffer.from(sampleImage('two').manifest.bytes).toString(),
      },
    )
    const archive = await openIt()
    await expect(readBlob(archive, descriptor)).rejects.toMatchObject({ code: 'INTEGRITY' })
    await expect(archive.readManifest('v1')).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('gives no blob of another size than its descriptor says', async () => {
    await writeArchive()
    const archive = await openIt()
    for (const size of [descriptor.size - 1, descriptor.size + 1]) {
      await expect(readBlob(archive, { ...descriptor, size })).rejects.toMatchObject({ code: 'INTEGRITY' })
    }
  })

  it.each<[string, Partial<SampleEntry>]>([
    ['a symlink to another blob', { type: 'symlink', linkname: hexOf(image.config.descriptor.digest) }],
    ['a symlink out of the archive', { type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { type: 'link', linkname: nameOf(image.config.descriptor.digest) }],
    ['a folder', { type: 'directory' }],
    ['a device', { type: 'character-device', devmajor: 1, devminor: 5 }],
  ])('does not have a blob that is %s', async (_, entry) => {
    await writeArchive({ ...entry, name: nameOf(descriptor.digest) })
    const archive = await openIt()
    expect(await archive.findBlob(descriptor.digest)).toBeUndefined()
    await expect(readBlob(archive, descriptor)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('does not find a tag whose manifest is not there', async () => {
    await writeArchive(indexFile(listed(descriptorOf(sampleImage('gone').manifest), 'v2')))
    await expect((await openIt()).resolve('v2')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('says which entry of index.json is malformed', async () => {
    await writeArchive(indexFile(listed({ ...descriptor, size: -1 }, 'v1')))
    await expect((await openIt()).resolve('v1')).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringMatching(/a\.tar\/index\.json: the entry of .* is malformed at "size"/),
    })
  })

  it('that is overwritten while it is open gives no wrong bytes', async () => {
    await writeArchive()
    const archive = await openIt()
    await truncate(path, 600)
    await expect(readBlob(archive, descriptor)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })
})

describe('reading in place', () => {
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`)

  /** A blob of zeros that takes no space on the disk. */
  async function writeHuge(size: number): Promise<Descriptor> {
    const start = await sampleTar(layoutFile, indexFile())
    const head = handmadeBlock({
      0: nameOf(digest),
      124: size.toString(8).padStart(11, '0'),
      257: 'ustar\x0000',
    })
    await writeFile(path, Buffer.concat([start.subarray(0, -1024), head]))
    await using file = await open(path, 'r+')
    await file.write(endBlocks, 0, 1024, start.length - 512 + size + (-size & 511))
    return { mediaType: '', digest, size }
  }

  it('touches of a huge blob only what is asked for', async () => {
    const descriptor = await writeHuge(7 * 1024 ** 3)
    using reads = await countFileReads()
    const archive = await openIt()
    const content = await archive.getBlob(descriptor, { start: descriptor.size - 5 })
    expect(await collect(content, 10, 'test')).toEqual(Buffer.alloc(5))
    expect(reads.bytes).toBeLessThan(100 * 1024)
  })

  it('holds a few pieces of a large blob at a time, however slowly they are taken', async () => {
    const descriptor = await writeHuge(64 * 1024 ** 2)
    const archive = await openIt()
    using reads = await countFileReads()
    let taken = 0
    let most = 0
    await pour(await archive.getBlob(descriptor, { start: 0 }), async piece => {
      most = Math.max(most, reads.bytes - taken)
      await new Promise(setImmediate)
      taken += piece.length
    })
    expect(taken).toBe(descriptor.size)
    expect(most).toBeLessThan(256 * 1024)
  })

  it('finds ten thousand blobs with few reads, and then each at once', async () => {
    const blobs = Array.from({ length: 10_000 }, (_, number) => sampleBlob(`blob ${number}`))
    await writeArchive(...blobs.map(({ bytes }) => blobEntry(bytes)))
    using reads = await countFileReads()
    const archive = await openIt()
    expect(reads.count).toBeLessThan(1000)
    const indexing = reads.count
    for (const { descriptor } of blobs)
      expect((await archive.findBlob(descriptor.digest))?.size).toBe(descriptor.size)
    expect(reads.count).toBe(indexing)
  })

  it('is not done of a compressed archive, which is read once', async () => {
    await writeArchive()
    await writeFile(path, gzipSync(await readFile(path)))
    const archive = await openIt()
    await writeFile(path, '')
    expect(await readBlob(archive, image.layer.descriptor)).toBe('layer of one')
  })
})

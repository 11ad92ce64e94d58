import { lstat, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Chunks, pour } from '../../src/flow.ts'
import type { LayoutArchiveDestinationOptions } from '../../src/layout/archive-target.ts'
import { openLayoutArchive } from '../../src/layout/layout-archive.ts'
import {
  type LayoutArchiveDestination,
  openLayoutArchiveDestination,
} from '../../src/layout/layout-archive-destination.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { chunksOf, putSample, type SampleImage, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { bytesOf, itemsOf, sampleTar } from '../tar/sample-tar.ts'
import { countFileReads } from './file-reads.ts'
import { contentOf, piecesOf } from './slow-content.ts'

const [one, two] = [sampleImage('one'), sampleImage('two')]
const large = sampleBlob(contentOf(3 * 1024 * 1024))
const middle = 1_234_567

let folder: TempDir
let path: string
let tmpDir: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'out', 'a.tar')
  tmpDir = join(folder.path, 'tmp')
  await mkdir(tmpDir)
  await mkdir(join(folder.path, 'out'))
})
afterEach(() => folder.remove())

const outputs = async () => (await readdir(join(folder.path, 'out'))).sort()
const openIt = (options: Partial<LayoutArchiveDestinationOptions> = {}, target = path) =>
  openLayoutArchiveDestination(target, { tmpDir, ...options })

async function write(images: Readonly<Record<string, SampleImage>>, target = path): Promise<Buffer> {
  await using destination = await openIt({}, target)
  for (const [tag, image] of Object.entries(images)) await putSample(destination, image, [tag])
  await destination.finish()
  return readFile(target)
}

async function tags(): Promise<string[]> {
  await using archive = await openLayoutArchive(path, { tmpDir })
  return archive.listTags()
}

const namesIn = async (bytes: Uint8Array) => (await itemsOf(bytes)).map(({ name }) => name)

describe('writing an archive', () => {
  it('puts what tells of the content first, then the blobs in order, with all that varies fixed', async () => {
    const items = await itemsOf(await write({ v1: one }))
    const blobs = [one.manifest.digest, one.config.descriptor.digest, one.layer.descriptor.digest]
    const expected = ['oci-layout', 'index.json', 'blobs/', 'blobs/sha256/']
    expected.push(...blobs.sort().map(digest => `blobs/sha256/${hexOf(digest)}`))
    expect(items.map(({ name }) => name)).toEqual(expected)
    for (const { type, mode, uid, gid, uname, gname, mtime } of items) {
      const isFolder = type === 'directory'
      expect({ mode, uid, gid, uname, gname, mtime }).toEqual({
        mode: isFolder ? 0o755 : 0o644,
        uid: 0,
        gid: 0,
        uname: '',
        gname: '',
        mtime: 0,
      })
    }
    expect(await outputs()).toEqual(['a.tar'])
    expect(await readdir(tmpDir)).toEqual([])
  })

  it.each(['tar', 'tar.gz', 'tgz', 'tar.zst'])(
    'gives the same bytes for the same content, in whatever order it comes, as %s',
    async ending => {
      const first = await write({ v1: one, v2: two }, join(folder.path, `first.${ending}`))
      const second = await write({ v2: two, v1: one }, join(folder.path, `second.${ending}`))
      expect(first.equals(second)).toBe(true)
    },
  )

  it.each([
    ['a.tar', (bytes: Buffer) => bytes],
    ['a.tar.gz', gunzipSync],
    ['a.TGZ', gunzipSync],
    ['a.tar.zst', zstdDecompressSync],
    ['a.tzst', zstdDecompressSync],
  ])('compresses %s as its ending says', async (name, unpack) => {
    const bytes = await write({ v1: one }, join(folder.path, name))
    expect(unpack(bytes).equals(await write({ v1: one }))).toBe(true)
  })

  it('compresses as it is told, whatever the ending is', async () => {
    await using destination = await openIt({ compression: 'gzip' })
    await putSample(destination, one, ['v1'])
    await destination.finish()
    expect(await namesIn(gunzipSync(await readFile(path)))).toContain('index.json')
  })

  it('finds out before anything is fetched that it cannot compress so', async () => {
    await expect(openIt({ compression: 'gzip', level: 99 })).rejects.toThrow(RangeError)
  })

  it('makes the folder that it goes to, and an archive without an image where nothing is put', async () => {
    path = join(folder.path, 'new', 'folder', 'a.tar')
    await using destination = await openIt()
    await destination.finish()
    expect(await tags()).toEqual([])
  })

  it('keeps what several images share once', async () => {
    await using destination = await openIt()
    await putSample(destination, one, ['v1'])
    const again = async () => expect.unreachable('it was opened')
    expect(await destination.putBlob(one.layer.descriptor, again)).toBe('present')
    await putSample(destination, two, ['v2'])
    await destination.finish()
    const names = await namesIn(await readFile(path))
    expect(new Set(names).size).toBe(names.length)
    expect(names).toHaveLength(4 + 6)
  })

  it('keeps sha512 blobs in a folder of their own', async () => {
    const blob = sampleBlob('long', 'text/plain', 'sha512')
    await using destination = await openIt()
    await destination.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
    await destination.finish()
    expect((await namesIn(await readFile(path))).slice(2)).toEqual([
      'blobs/',
      'blobs/sha512/',
      `blobs/sha512/${hexOf(blob.descriptor.digest)}`,
    ])
  })

  it('writes the file that a link leads to', async () => {
    const target = join(folder.path, 'target.tar')
    await symlink(target, path)
    await write({ v1: one })
    expect((await lstat(path)).isSymbolicLink()).toBe(true)
    expect(await namesIn(await readFile(target))).toContain('oci-layout')
  })

  it('takes nothing after it is finished', async () => {
    await using destination = await openIt()
    await destination.finish()
    await expect(putSample(destination, one)).rejects.toThrow('nothing can be put any more')
    await expect(destination.finish()).rejects.toThrow('nothing can be put any more')
  })

  it('writes nothing by opening, and nothing without finish', async () => {
    const destination = await openIt()
    expect(await outputs()).toEqual([])
    await putSample(destination, one, ['v1'])
    await destination[Symbol.asyncDispose]()
    expect(await outputs()).toEqual([])
  })
})

describe('an archive that is there', () => {
  it('keeps its images and blobs when others are added', async () => {
    await write({ v1: one })
    const both = await write({ v2: two })
    expect(await tags()).toEqual(['v1', 'v2'])
    await rm(path)
    expect((await write({ v1: one, v2: two })).equals(both)).toBe(true)
  })

  it('is known to the destination, which does not ask for its blobs again', async () => {
    await write({ v1: one })
    await using destination = await openIt()
    expect(await destination.find('v1')).toEqual(descriptorOf(one.manifest))
    const again = async () => expect.unreachable('it was opened')
    expect(await destination.putBlob(one.layer.descriptor, again)).toBe('present')
    await destination.putManifest(one.manifest, ['v2'])
    await destination.finish()
    expect(await tags()).toEqual(['v1', 'v2'])
  })

  it('keeps what its index.json says beside the images', async () => {
    await write({ v1: one })
    const entries = (await itemsOf(await readFile(path))).filter(({ type }) => type === 'file')
    const changed = entries.map(({ name, stored }) => ({
      name,
      text: name === 'index.json' ? stored.toString().replace('{', '{"a.b":[1],') : stored.toString(),
    }))
    await writeFile(path, await sampleTar(...changed))
    const index = (await itemsOf(await write({ v2: two }))).find(({ name }) => name === 'index.json')
    expect(JSON.parse(index?.stored.toString() ?? '')).toMatchObject({ 'a.b': [1], manifests: [{}, {}] })
  })

  it('is added to where it is compressed', async () => {
    const target = join(folder.path, 'out', 'a.tar.gz')
    await write({ v1: one }, target)
    expect(gunzipSync(await write({ v2: two }, target)).equals(await write({ v1: one, v2: two }))).toBe(true)
    expect(await readdir(tmpDir)).toEqual([])
  })

  it('is begun anew where that is wanted', async () => {
    await write({ v1: one })
    await using destination = await openIt({ replace: true })
    await putSample(destination, two, ['v2'])
    await destination.finish()
    expect(await tags()).toEqual(['v2'])
  })

  it('is not written again when nothing is added', async () => {
    await write({ v1: one })
    await utimes(path, 1, 1)
    const { ino } = await lstat(path)
    await using destination = await openIt()
    await destination.finish()
    expect(await lstat(path)).toMatchObject({ ino, mtimeMs: 1000 })
  })

  it('is what it was when its content turns out to be damaged', async () => {
    const bytes = await write({ v1: one })
    const damaged = Buffer.from(bytes.toString('latin1').replace('layer of one', 'layer of 111'), 'latin1')
    await writeFile(path, damaged)
    await expect(write({ v2: two })).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(one.layer.descriptor.digest),
    })
    expect((await readFile(path)).equals(damaged)).toBe(true)
    expect(await outputs()).toEqual(['a.tar'])
  })

  it('is not overwritten when somebody else has written it in the meantime', async () => {
    await write({ v1: one })
    await using destination = await openIt()
    await putSample(destination, two, ['v2'])
    await write({ v3: sampleImage('three') })
    await expect(destination.finish()).rejects.toMatchObject({ code: 'IO', hint: 'run the command again' })
    expect(await tags()).toEqual(['v1', 'v3'])
  })

  it.each<[string, string, () => Promise<unknown>]>([
    ['another file', 'INTEGRITY', () => writeFile(path, 'a letter to a friend')],
    [
      'another archive',
      'USAGE',
      async () => writeFile(path, await sampleTar({ name: 'manifest.json', text: '[]' })),
    ],
    [
      'a layout beside other things',
      'USAGE',
      async () =>
        writeFile(
          path,
          Buffer.concat([
            (await write({ v1: one })).subarray(0, -1024),
            await sampleTar({ name: 'manifest.json' }),
          ]),
        ),
    ],
    ['a folder', 'USAGE', () => mkdir(path)],
    ['a device', 'USAGE', () => symlink('/dev/null', path)],
  ])('is left alone where it is %s', async (_, code, make) => {
    await make()
    const { ino, size, mtimeMs, mode } = await lstat(path)
    await expect(openIt()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/a\.tar|\/dev\/null/),
    })
    expect(await lstat(path)).toMatchObject({ ino, size, mtimeMs, mode })
  })

  it('is taken as absent where it is an empty file', async () => {
    await writeFile(path, '')
    await write({ v1: one })
    expect(await tags()).toEqual(['v1'])
  })
})

describe('an archive whose writing is broken off', () => {
  /** Content that breaks before `end`, and where it was opened. */
  const source = (end = large.bytes.length) => {
    const starts: number[] = []
    const atEnd = async () => {
      if (end < large.bytes.length) throw new Error('the source broke')
    }
    const open = async (start = 0) => {
      starts.push(start)
      return piecesOf(large.bytes.subarray(start, end), { atEnd })
    }
    return { starts, open }
  }
  const partsIn = async () => readdir(join(folder.path, 'out', '.a.tar.partial'))

  async function breakOff(end: number): Promise<void> {
    await using destination = await openIt()
    await putSample(destination, one, ['v1'])
    await expect(destination.putBlob(large.descriptor, source(end).open)).rejects.toThrow('the source broke')
  }

  it('leaves nothing of small blobs', async () => {
    const destination = await openIt()
    await putSample(destination, one, ['v1'])
    await destination[Symbol.asyncDispose]()
    expect(await outputs()).toEqual([])
  })

  it('goes on where a large blob broke', async () => {
    await breakOff(middle)
    expect(await outputs()).toEqual(['.a.tar.partial'])
    expect(await partsIn()).toHaveLength(1)
    await using destination = await openIt()
    const { starts, open } = source()
    expect(await destination.putBlob(large.descriptor, open)).toBe('copied')
    expect(starts).toEqual([middle])
    await destination.finish()
    expect(await outputs()).toEqual(['a.tar'])
    const blob = (await itemsOf(await readFile(path))).at(-1)
    expect(blob?.stored.equals(large.bytes)).toBe(true)
  })

  it('does not fetch a large blob again that was whole, and has nothing else of the broken run', async () => {
    const destination = await openIt()
    await putSample(destination, one, ['v1'])
    await destination.putBlob(large.descriptor, source().open)
    await destination[Symbol.asyncDispose]()
    expect(await partsIn()).toHaveLength(1)
    await using again = await openIt()
    expect(await again.find('v1')).toBeUndefined()
    const { starts, open } = source()
    await again.putBlob(large.descriptor, open)
    expect(starts).toEqual([])
    await again.finish()
    expect(await namesIn(await readFile(path))).toEqual([
      'oci-layout',
      'index.json',
      'blobs/',
      'blobs/sha256/',
      `blobs/sha256/${hexOf(large.descriptor.digest)}`,
    ])
    expect(await outputs()).toEqual(['a.tar'])
  })

  it('fetches again what was damaged in the meantime', async () => {
    await breakOff(middle)
    const [part = ''] = await partsIn()
    await writeFile(join(folder.path, 'out', '.a.tar.partial', part), Buffer.alloc(middle))
    await using destination = await openIt()
    const { starts, open } = source()
    await destination.putBlob(large.descriptor, open)
    expect(starts).toEqual([middle, 0])
  })

  it('is not in the way of another that is written to the same file at the same time', async () => {
    const first = await openIt()
    await first.putBlob(large.descriptor, source().open)
    await breakOff(middle)
    await first.putManifest(one.manifest, ['v1'])
    await first.finish()
    expect(await tags()).toEqual(['v1'])
  })

  it('ends when the signal fires while it is packed, and the old one stays', async () => {
    const before = await write({ v1: one })
    const controller = new AbortController()
    await using destination = await openIt({ signal: controller.signal })
    await destination.putBlob(large.descriptor, source().open)
    controller.abort()
    await expect(destination.finish()).rejects.toMatchObject({ code: 'ABORTED' })
    await destination[Symbol.asyncDispose]()
    expect((await readFile(path)).equals(before)).toBe(true)
    expect(await partsIn()).toHaveLength(1)
  })
})

describe('an archive that goes to a stream', () => {
  const openStream = (take: (content: Chunks) => Promise<void>): Promise<LayoutArchiveDestination> =>
    openLayoutArchiveDestination(take, { tmpDir, name: '-' })

  it('has the bytes that the file would have', async () => {
    let bytes: Buffer | undefined
    await using destination = await openStream(async content => {
      bytes = await bytesOf(content)
    })
    await putSample(destination, one, ['v1'])
    expect((await lstat(join(tmpDir, (await readdir(tmpDir))[0] ?? ''))).mode & 0o777).toBe(0o700)
    await destination.finish()
    expect(bytes?.equals(await write({ v1: one }))).toBe(true)
    expect(await readdir(tmpDir)).toEqual([])
  })

  it('that breaks leaves nothing behind', async () => {
    const destination = await openStream(async content => {
      for await (const _ of content) throw new Error('the reader has gone')
    })
    await putSample(destination, one, ['v1'])
    await destination.putBlob(large.descriptor, async () => chunksOf(large.bytes))
    await expect(destination.finish()).rejects.toThrow('the reader has gone')
    await destination[Symbol.asyncDispose]()
    expect(await readdir(tmpDir)).toEqual([])
  })

  it('holds a few pieces at a time, however slowly they are taken', async () => {
    let taken = 0
    let most = 0
    using reads = await countFileReads()
    let before = 0
    await using destination = await openStream(async content => {
      before = reads.bytes
      await pour(content, async piece => {
        most = Math.max(most, reads.bytes - before - taken)
        await new Promise(setImmediate)
        taken += piece.length
      })
    })
    await destination.putBlob(large.descriptor, async () => piecesOf(large.bytes))
    await destination.finish()
    expect(taken).toBeGreaterThan(large.bytes.length)
    expect(most).toBeLessThan(256 * 1024)
  })
})

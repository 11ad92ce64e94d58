import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flow, pour } from '../../src/flow.ts'
import { decodeName } from '../../src/tar/entry-name.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import type { TarType } from '../../src/tar/tar-header.ts'
import { tarOf } from '../../src/tar/tar-writer.ts'
import { writeTarFile } from '../../src/tar/write-tar-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { gnuTar, hasGnuTar } from './gnu-tar.ts'
import { bytesOf, itemsOf, piecesOf, type SampleEntry, sampleTar } from './sample-tar.ts'

const tooLong = 'name-'.repeat(30)

describe('an archive that is written', () => {
  it('has only what it was told, and the same bytes each time', async () => {
    const entries: SampleEntry[] = [
      { name: 'folder', type: 'directory' },
      { name: 'folder/file', text: 'text' },
      { name: 'folder/link', type: 'symlink', linkname: 'file' },
    ]
    const bytes = await sampleTar(...entries)
    expect(bytes.equals(await sampleTar(...entries))).toBe(true)
    expect(bytes.length).toBe(512 + 1024 + 512 + 1024)
    const seen = (await itemsOf(bytes)).map(item => [item.name, item.type, item.mode, item.linkname])
    expect(seen).toEqual([
      ['folder/', 'directory', 0o755, ''],
      ['folder/file', 'file', 0o644, ''],
      ['folder/link', 'symlink', 0o777, 'file'],
    ])
    for (const item of await itemsOf(bytes)) {
      expect(item).toMatchObject({ uid: 0, gid: 0, uname: '', gname: '', mtime: 0, xattrs: new Map() })
    }
  })

  it('has a PAX header only where it needs one', async () => {
    const length = async (entry: SampleEntry) => (await itemsOf(await sampleTar(entry)))[0]?.head.length
    expect(await length({ name: 'a'.repeat(100) })).toBe(512)
    expect(await length({ name: 'a'.repeat(101) })).toBe(1536)
    expect(await length({ name: 'ä' })).toBe(1536)
    expect(await length({ name: 'a', mtime: 1.5 })).toBe(1536)
    expect(await length({ name: 'a', uid: 0o777777, gid: 0o777777, mtime: 0x7fffffff })).toBe(512)
    expect(await length({ name: 'a', uid: 0o1000000 })).toBe(1536)
    expect(await length({ name: 'a', type: 'symlink', linkname: 'b'.repeat(101) })).toBe(1536)
  })

  it.skipIf(!hasGnuTar)('is read by GNU tar', async () => {
    const bytes = await sampleTar(
      { name: 'folder', type: 'directory', mtime: 1_700_000_000 },
      { name: 'folder/file', text: 'text', mode: 0o600, uid: 3_000_000, gid: 7, uname: 'ann', gname: 'änn' },
      { name: tooLong, text: 'x'.repeat(513), mtime: -1 },
      { name: 'äö', type: 'symlink', linkname: tooLong },
      { name: 'hard', type: 'link', linkname: 'folder/file' },
      { name: 'null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0 },
    )
    const args = ['-tvf', '-', '--full-time', '--utc', '--quoting-style=literal']
    const listed = (await gnuTar(args, { input: bytes })).toString().trimEnd().split('\n')
    expect(listed.map(line => line.replace(/ +/g, ' '))).toEqual([
      'drwxr-xr-x 0/0 0 2023-11-14 22:13:20 folder/',
      '-rw------- ann/änn 4 1970-01-01 00:00:00 folder/file',
      `-rw-r--r-- 0/0 513 1969-12-31 23:59:59 ${tooLong}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 äö -> ${tooLong}`,
      'hrw-r--r-- 0/0 0 1970-01-01 00:00:00 hard link to folder/file',
      'c--------- 0/0 1,3 1970-01-01 00:00:00 null',
    ])
    await using folder = await makeTempDir()
    await writeFile(join(folder.path, 'our.tar'), bytes)
    await gnuTar(['-xf', 'our.tar', '--exclude=null', '--no-same-owner'], { cwd: folder.path })
    expect(await readFile(join(folder.path, 'äö'), 'utf8')).toBe('x'.repeat(513))
    expect(await readFile(join(folder.path, 'hard'), 'utf8')).toBe('text')
  })

  it('says sizes of 8 GiB and more', async () => {
    const size = 9 * 1024 ** 3
    const megabyte = Buffer.alloc(1024 ** 2)
    const content = flow(async take => {
      for (let index = 0; index < size / megabyte.length; index += 1) await take(megabyte)
    })
    for await (const item of readTar(
      tarOf('big.tar', tar => tar.add({ name: 'big', size }, content)),
      { name: 'big.tar' },
    )) {
      expect([item.size, item.head.length]).toEqual([size, 1536])
      break
    }
  })

  const asBytes = fc.uint8Array({ min: 1, minLength: 1, maxLength: 20 }).map(bytes => decodeName(bytes))
  const asText = fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' })
  const name = fc.oneof(asBytes, asText).map(text => text.replaceAll('\0', '0'))
  const entries = fc.array(
    fc.record({
      name: name.map(text => text.replace(/\/+$/, 'x')),
      type: fc.constantFrom<TarType>('file', 'directory', 'link', 'symlink', 'character-device', 'fifo'),
      content: fc.uint8Array({ maxLength: 1500 }),
      linkname: name,
      mode: fc.nat(0o7777),
      uid: fc.oneof(fc.nat(70_000), fc.nat(2 ** 31)),
      gid: fc.nat(2 ** 31),
      uname: name,
      mtime: fc.oneof(
        fc.integer(),
        fc.integer({ min: -1e9, max: 4e9 }).map(ms => ms / 1000),
      ),
      attribute: fc.uint8Array({ minLength: 1, maxLength: 30 }),
    }),
    { maxLength: 6 },
  )

  it('says when it is read what it was told when it was written', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async given => {
        const told = given.map(({ content, type, linkname, attribute, ...header }) => ({
          header: {
            ...header,
            type,
            name: type === 'directory' ? `${header.name}/` : header.name,
            linkname: type === 'link' || type === 'symlink' ? linkname : '',
            size: type === 'file' ? content.length : 0,
            xattrs: new Map([['user.x', Buffer.from(attribute)]]),
          },
          content: type === 'file' ? Buffer.from(content) : Buffer.alloc(0),
        }))
        const archive = tarOf('given.tar', async tar => {
          for (const { header, content } of told) await tar.add(header, piecesOf(content))
        })
        const items = await itemsOf(await bytesOf(archive))
        expect(items.map(item => item.stored)).toEqual(told.map(({ content }) => content))
        expect(items).toMatchObject(told.map(({ header }) => header))
        const passed = tarOf('passed.tar', async tar => {
          for await (const item of readTar(archive, { name: 'given.tar' })) await tar.pass(item)
        })
        expect((await bytesOf(passed)).equals(await bytesOf(archive))).toBe(true)
      }),
    )
  })
})

describe('writing an entry', () => {
  it.each([
    ['short', 'entry "a" ended after 5 of 6 bytes'],
    ['too long', 'entry "a" has more content than the 6 bytes that were announced'],
  ])('fails when its content is %s', async (text, message) => {
    const content = text === 'short' ? 'short' : 'too long'
    const archive = tarOf('out.tar', tar => tar.add({ name: 'a', size: 6 }, piecesOf(Buffer.from(content))))
    await expect(bytesOf(archive)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: `out.tar: ${message}`,
    })
  })

  it('waits for its taker before the next piece', async () => {
    let isTaking = false
    const content = tarOf('out.tar', tar => tar.add({ name: 'a', size: 3000 }, piecesOf(Buffer.alloc(3000))))
    let bytes = 0
    await pour(content, async piece => {
      expect(isTaking).toBe(false)
      isTaking = true
      await Promise.resolve()
      bytes += piece.length
      isTaking = false
    })
    expect(bytes).toBe(512 + 3072 + 1024)
  })

  it('cannot begin before the last is written', async () => {
    const archive = tarOf('out.tar', async tar => {
      const one = tar.add({ name: 'a', size: 1 }, piecesOf(Buffer.from('a')))
      const two = tar.add({ name: 'b', size: 1 }, piecesOf(Buffer.from('b')))
      await Promise.all([one, two])
    })
    await expect(bytesOf(archive)).rejects.toThrow('out.tar: an entry came before the last was written')
  })
})

describe('an archive in a file', () => {
  it('appears when it is whole, with the permissions it is to have', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'out.tar')
    const fill = async (tar: Parameters<Parameters<typeof tarOf>[1]>[0]) => {
      await tar.add({ name: 'a', size: 1000 }, piecesOf(Buffer.alloc(1000, 'a')))
      expect(await readdir(folder.path)).not.toContain('out.tar')
    }
    await writeTarFile(path, fill, { mode: 0o600 })
    expect(await readdir(folder.path)).toEqual(['out.tar'])
    expect(await itemsOf(await readFile(path))).toHaveLength(1)
  })

  it('leaves what was there when it fails, and nothing beside it', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'out.tar')
    await writeFile(path, 'before')
    const fault = new Error('the source is gone')
    const content = flow(async take => {
      await take(Buffer.alloc(300_000))
      throw fault
    })
    for (const compression of ['none', 'gzip'] as const) {
      const writing = writeTarFile(path, tar => tar.add({ name: 'a', size: 1e6 }, content), { compression })
      await expect(writing).rejects.toBe(fault)
      expect(await readdir(folder.path)).toEqual(['out.tar'])
      expect(await readFile(path, 'utf8')).toBe('before')
    }
  })
})

import { execFileSync } from 'node:child_process'
import { link, mkdir, open, readFile, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatPax } from '../../src/tar/pax-records.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import { realContent } from '../../src/tar/real-content.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { gnuTar, hasGnuTar } from './gnu-tar.ts'
import {
  bytesOf,
  endBlocks,
  handmadeBlock,
  itemsOf,
  longHeader,
  padded,
  piecesOf,
  sampleTar,
} from './sample-tar.ts'

const magic = 'ustar\x0000'
const record = (key: string, value: string | Uint8Array) => ({ key, value: Buffer.from(value as string) })
const file = (name: string, text: string, flag = '0') =>
  Buffer.concat([
    handmadeBlock({ 0: name, 124: text.length.toString(8).padStart(11, '0'), 156: flag, 257: magic }),
    padded(text),
  ])

describe.skipIf(!hasGnuTar)('an archive that GNU tar wrote', () => {
  const deep = `tree/${'folder-'.repeat(10)}/${'deeper-'.repeat(10)}`
  const longest = `tree/${'folder-'.repeat(20)}`

  async function makeTree(dir: string): Promise<void> {
    await mkdir(join(dir, deep), { recursive: true })
    await mkdir(join(dir, longest))
    await writeFile(join(dir, 'tree/hello'), 'hello', { mode: 0o640 })
    await writeFile(join(dir, 'tree/äö'), 'umlauts')
    await symlink('../hello', join(dir, deep, 'to-hello'))
    await writeFile(join(dir, deep, 'deep'), 'deep')
    await writeFile(join(dir, longest, 'far'), 'far')
    await symlink('x'.repeat(150), join(dir, 'tree/to-far'))
    await link(join(dir, 'tree/hello'), join(dir, 'tree/linked'))
    await writeFile(join(dir, 'tree/sparse'), 'start')
    for (const place of [1, 3, 5, 7, 9, 11]) {
      const data = Buffer.alloc(4096, `${place}`)
      await using sparse = await open(join(dir, 'tree/sparse'), 'r+')
      await sparse.write(data, 0, data.length, place * 65536)
    }
    await truncate(join(dir, 'tree/sparse'), 1024 * 1024)
    await utimes(join(dir, 'tree/hello'), 1_700_000_000, 1_700_000_000)
  }

  it.each([
    ['oldgnu', []],
    ['gnu', ['--sparse']],
    ['pax', []],
    ['pax', ['--sparse', '--sparse-version=0.0']],
    ['pax', ['--sparse', '--sparse-version=0.1']],
    ['pax', ['--sparse', '--sparse-version=1.0']],
  ])('in format %s %j is read with all that is in it', async (format, options) => {
    await using folder = await makeTempDir()
    await makeTree(folder.path)
    const args = [`--format=${format}`, ...options, '--owner=ann:1000', '--group=staff:50', '--sort=name']
    const bytes = await gnuTar(['-c', ...args, 'tree'], { cwd: folder.path })
    const found = new Map<string, string>()
    for await (const item of readTar(piecesOf(bytes), { name: 'gnu.tar' })) {
      expect(item.head.length % 512).toBe(0)
      expect([item.uid, item.gid, item.uname, item.gname]).toEqual([1000, 50, 'ann', 'staff'])
      const content = await bytesOf(realContent(item, 'gnu.tar'))
      expect(content.length).toBe(item.size)
      if (item.type !== 'file') {
        found.set(item.name, `${item.type} ${item.linkname}`)
        continue
      }
      expect(content.equals(await readFile(join(folder.path, item.name)))).toBe(true)
      found.set(item.name, `file ${item.size}`)
      expect(item.sparse !== undefined).toBe(item.name === 'tree/sparse' && options.length > 0)
      if (item.name === 'tree/hello') expect([item.mtime, item.mode]).toEqual([1_700_000_000, 0o640])
    }
    expect(Object.fromEntries(found)).toEqual({
      'tree/': 'directory ',
      [`tree/${'folder-'.repeat(10)}/`]: 'directory ',
      [`${deep}/`]: 'directory ',
      [`${deep}/deep`]: 'file 4',
      [`${deep}/to-hello`]: 'symlink ../hello',
      [`${longest}/`]: 'directory ',
      [`${longest}/far`]: 'file 3',
      'tree/hello': 'file 5',
      'tree/linked': 'link tree/hello',
      'tree/sparse': 'file 1048576',
      'tree/to-far': `symlink ${'x'.repeat(150)}`,
      'tree/äö': 'file 7',
    })
  })

  it.each(['v7', 'ustar'])('in format %s, which has no long links, is read', async format => {
    await using folder = await makeTempDir()
    await mkdir(join(folder.path, 'tree', 'folder'.repeat(8), 'deeper'.repeat(5)), { recursive: true })
    await writeFile(join(folder.path, 'tree/one'), 'one')
    await symlink('one', join(folder.path, 'tree/two'))
    const bytes = await gnuTar(['-c', `--format=${format}`, '--sort=name', 'tree'], { cwd: folder.path })
    const items = await itemsOf(bytes)
    expect(items.map(item => [item.name, item.type, item.stored.toString(), item.linkname])).toEqual([
      ['tree/', 'directory', '', ''],
      [`tree/${'folder'.repeat(8)}/`, 'directory', '', ''],
      [`tree/${'folder'.repeat(8)}/${'deeper'.repeat(5)}/`, 'directory', '', ''],
      ['tree/one', 'file', 'one', ''],
      ['tree/two', 'symlink', '', 'one'],
    ])
  })

  it.skipIf(process.getuid?.() !== 0)('has devices and pipes', async () => {
    await using folder = await makeTempDir()
    const at = (name: string) => join(folder.path, name)
    execFileSync('mknod', [at('null'), 'c', '1', '3'])
    execFileSync('mknod', [at('disk'), 'b', '8', '17'])
    execFileSync('mkfifo', [at('pipe')])
    const bytes = await gnuTar(['-c', 'disk', 'null', 'pipe'], { cwd: folder.path })
    const items = await itemsOf(bytes)
    expect(items.map(item => [item.name, item.type, item.devmajor, item.devminor])).toEqual([
      ['disk', 'block-device', 8, 17],
      ['null', 'character-device', 1, 3],
      ['pipe', 'fifo', 0, 0],
    ])
  })

  it('passes through byte for byte, when heads and contents are put behind one another', async () => {
    await using folder = await makeTempDir()
    await makeTree(folder.path)
    const bytes = await gnuTar(['-c', '--format=gnu', '--sparse', 'tree'], { cwd: folder.path })
    const items = await itemsOf(bytes)
    const again = Buffer.concat(items.flatMap(({ head, stored }) => [head, padded(stored)]))
    expect(again.equals(bytes.subarray(0, again.length))).toBe(true)
    expect(bytes.subarray(again.length).every(byte => byte === 0)).toBe(true)
  })
})

describe('the header of an entry', () => {
  it('keeps attributes as bytes, whatever they are', async () => {
    const value = Buffer.from([0, 0xff, 0x0a, 0x3d, 0xfe, 0x80])
    const body = formatPax([record('SCHILY.xattr.security.capability', value), record('comment', 'x')])
    const [item] = await itemsOf(Buffer.concat([longHeader('x', body), file('a', 'text'), endBlocks]))
    expect(item?.xattrs).toEqual(new Map([['security.capability', value]]))
    expect(item?.head.subarray(512, 512 + body.length)).toEqual(body)
  })

  it('takes what PAX records say before what the block says, and a record without a value for none', async () => {
    const records = [
      record('path', 'other/näme'),
      record('uid', '3000000'),
      record('gid', ''),
      record('uname', 'änn'),
      record('mtime', '-1.5'),
      record('size', '4'),
    ]
    const block = handmadeBlock({ 0: 'a', 116: '0000017', 124: '00000000001', 156: '0', 257: magic })
    const bytes = Buffer.concat([longHeader('x', formatPax(records)), block, padded('four'), endBlocks])
    const [item, ...more] = await itemsOf(bytes)
    expect(item).toMatchObject({
      name: 'other/näme',
      uid: 3_000_000,
      gid: 15,
      uname: 'änn',
      mtime: -1.5,
      size: 4,
    })
    expect(item?.stored.toString()).toBe('four')
    expect(more).toEqual([])
  })

  it('tells names apart that are no UTF-8', async () => {
    const name = (byte: number) => handmadeBlock({ 0: Buffer.from([0x61, byte]), 156: '0', 257: magic })
    const items = await itemsOf(Buffer.concat([name(0xff), name(0xfe), name(0xc3), endBlocks]))
    expect(items.map(item => item.name)).toEqual(['a\udcff', 'a\udcfe', 'a\udcc3'])
  })

  it('has sizes and times as binary numbers where octal digits are too few', async () => {
    const old = Buffer.alloc(12, 0xff)
    const three = Buffer.alloc(12)
    three[0] = 0x80
    three[11] = 3
    const block = handmadeBlock({ 0: 'a', 124: three, 136: old, 156: '0', 257: 'ustar  \0' })
    const [item] = await itemsOf(Buffer.concat([block, padded('abc'), endBlocks]))
    expect(item).toMatchObject({ size: 3, mtime: -1 })
    expect(item?.stored.toString()).toBe('abc')
  })

  it('of a folder may end in a slash and say no more, as v7 has it', async () => {
    const [item] = await itemsOf(Buffer.concat([handmadeBlock({ 0: 'folder/' }), endBlocks]))
    expect(item).toMatchObject({ name: 'folder/', type: 'directory', size: 0 })
  })

  it('of a contiguous file is one of a file', async () => {
    const [item] = await itemsOf(Buffer.concat([file('a', 'text', '7'), endBlocks]))
    expect(item).toMatchObject({ type: 'file', size: 4 })
  })

  it.each(['1', '2', '3', '5', '6'])(
    'of type %s has no content, and claims none when it is passed on',
    async flag => {
      const block = handmadeBlock({ 0: 'a', 124: '00000001000', 156: flag, 157: 'to', 257: magic })
      const [item, next] = await itemsOf(Buffer.concat([block, file('b', 'text'), endBlocks]))
      expect(item).toMatchObject({ name: 'a', size: 0, storedSize: 0 })
      expect(next?.name).toBe('b')
      expect(item?.head.subarray(124, 135)).toEqual(Buffer.from('0'.repeat(11)))
      const [again] = await itemsOf(Buffer.concat([item?.head ?? endBlocks, endBlocks]))
      expect({ ...again, head: undefined }).toEqual({ ...item, head: undefined })
    },
  )
})

describe('a global PAX header', () => {
  const global = longHeader(
    'g',
    formatPax([record('uname', 'ann'), record('mtime', '7'), record('comment', 'c')]),
  )

  it('counts for all entries behind it, and less than their own', async () => {
    const own = longHeader('x', formatPax([record('uname', 'bob')]))
    const bytes = Buffer.concat([file('a', ''), global, file('b', ''), own, file('c', ''), endBlocks])
    const items = await itemsOf(bytes)
    expect(items.map(item => [item.uname, item.mtime])).toEqual([
      ['', 0],
      ['ann', 7],
      ['bob', 7],
    ])
  })

  it('is a part of each head, so that an entry stays what it is when it stands alone', async () => {
    const own = longHeader('x', formatPax([record('uname', 'bob')]))
    const items = await itemsOf(Buffer.concat([global, file('b', 'text'), own, file('c', ''), endBlocks]))
    for (const item of items) {
      const [alone] = await itemsOf(Buffer.concat([item.head, padded(item.stored), endBlocks]))
      expect({ ...alone, head: undefined }).toEqual({ ...item, head: undefined })
    }
  })

  it('that is only a comment leaves the heads as they are', async () => {
    const comment = longHeader('g', formatPax([record('comment', 'a commit')]))
    const entry = file('a', '')
    const [item] = await itemsOf(Buffer.concat([comment, entry, endBlocks]))
    expect(item?.head).toEqual(entry)
  })
})

describe('reading', () => {
  it('passes over what is not taken of a content', async () => {
    const bytes = await sampleTar({ name: 'a', text: 'a'.repeat(2000) }, { name: 'b', text: 'b' })
    const seen: string[] = []
    for await (const item of readTar(piecesOf(bytes), { name: 'sample.tar' })) {
      seen.push(item.name)
      if (item.name === 'a') for await (const piece of item.content) if (piece.length > 0) break
    }
    expect(seen).toEqual(['a', 'b'])
  })

  it('gives a content no more when the next entry is asked for', async () => {
    const items = readTar(piecesOf(await sampleTar({ name: 'a', text: 'a' }, { name: 'b' })), { name: 's' })
    const first = await items.next()
    await items.next()
    if (first.done) throw new Error('no entry')
    await expect(bytesOf(first.value.content)).rejects.toThrow('the archive is past this entry')
    await items.return()
  })

  it('takes no more from its chunks than it is asked for, and closes them when its reader leaves', async () => {
    const bytes = await sampleTar({ name: 'a', text: 'a'.repeat(1_000_000) })
    const state = { given: 0, isClosed: false }
    const chunks = (async function* () {
      try {
        for await (const piece of piecesOf(bytes, 1000)) {
          state.given += piece.length
          yield piece
        }
      } finally {
        state.isClosed = true
      }
    })()
    for await (const item of readTar(chunks, { name: 'sample.tar' })) {
      expect(state.given).toBe(1000)
      let taken = 0
      for await (const piece of item.content) {
        taken += piece.length
        expect(state.given - taken - 512).toBeLessThan(1000)
        if (taken > 10_000) break
      }
      expect(state.isClosed).toBe(false)
      break
    }
    expect(state).toEqual({ given: 11_000, isClosed: true })
  })

  it('reads its chunks to their end, also behind the end of the archive', async () => {
    let isRead = false
    const bytes = Buffer.concat([await sampleTar({ name: 'a' }), Buffer.alloc(100_000)])
    const chunks = (async function* () {
      yield* piecesOf(bytes)
      isRead = true
    })()
    expect(await itemsOf(chunks)).toHaveLength(1)
    expect(isRead).toBe(true)
  })

  it('fails with what its chunks fail with', async () => {
    const bytes = await sampleTar({ name: 'a', text: 'text' })
    const fault = new Error('the line is cut')
    const chunks = (async function* () {
      yield bytes.subarray(0, 600)
      throw fault
    })()
    await expect(itemsOf(chunks)).rejects.toBe(fault)
  })
})

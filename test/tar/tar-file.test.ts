import { appendFile, open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { indexedTarFile, openTarFile, type TarFile } from '../../src/tar/tar-file.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { gnuTar, hasGnuTar } from './gnu-tar.ts'
import { bytesOf, handmadeBlock, type SampleEntry, sampleTar } from './sample-tar.ts'

let folder: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'archive.tar')
})
afterEach(() => folder.remove())

async function opened(...entries: readonly SampleEntry[]): Promise<TarFile> {
  await writeFile(path, await sampleTar(...entries))
  return openTarFile(path)
}

/** The name that an entry is found by, and its content. */
async function contentOf(tar: TarFile, name: string): Promise<string> {
  const entry = tar.find(name)
  if (entry === undefined) throw new Error(`${name} is not found`)
  return (await bytesOf(tar.read(entry))).toString()
}

describe('an archive on disk', () => {
  it('is read in any order, and side by side', async () => {
    const long = 'long/'.repeat(30)
    await using tar = await opened(
      { name: 'a', text: 'a'.repeat(100_000) },
      { name: `${long}b`, text: 'b' },
      { name: 'c', text: 'c'.repeat(512) },
    )
    expect(tar.entries.map(entry => entry.name)).toEqual(['a', `${long}b`, 'c'])
    expect(tar.oddities).toEqual([])
    const names = ['c', 'a', `${long}b`, 'a']
    const contents = await Promise.all(names.map(name => contentOf(tar, name)))
    expect(contents).toEqual(['c'.repeat(512), 'a'.repeat(100_000), 'b', 'a'.repeat(100_000)])
  })

  it.each([
    [0, 0, '0'],
    [3, 5, '345'],
    [8, undefined, '89'],
    [undefined, 1, '01'],
    [5, 100, '56789'],
    [10, undefined, ''],
  ])('gives the bytes from %s to %s of an entry', async (start, end, expected) => {
    await using tar = await opened({ name: 'digits', text: '0123456789' }, { name: 'more', text: 'more' })
    const entry = tar.entries[0]
    if (entry === undefined) throw new Error('no entry')
    expect((await bytesOf(tar.read(entry, { start, end }))).toString()).toBe(expected)
  })

  it('gives a small entry at once, and no more than is asked for', async () => {
    await using tar = await opened({ name: 'a', text: '0123456789' })
    const [entry] = tar.entries
    if (entry === undefined) throw new Error('no entry')
    expect((await tar.readBytes(entry, 10)).toString()).toBe('0123456789')
    await expect(tar.readBytes(entry, 9)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: `${path}: entry "a" is more than 9 bytes, which is the limit`,
    })
  })

  it('costs the reading of its headers alone, whatever its contents are', async () => {
    const size = 2 * 1024 ** 3
    const heads = ['one', 'two', 'three'].map(name =>
      handmadeBlock({ 0: name, 124: size.toString(8).padStart(11, '0'), 156: '0', 257: 'ustar\x0000' }),
    )
    const file = await open(path, 'wx+')
    for (const [index, head] of heads.entries()) await file.write(head, 0, 512, index * (size + 512))
    await file.truncate(heads.length * (size + 512) + 1024)
    const reads = vi.spyOn(file, 'read')
    await using tar = await indexedTarFile(file, path, {})
    expect(tar.entries.map(entry => entry.size)).toEqual([size, size, size])
    expect(tar.entries[2]?.contentOffset).toBe(2 * (size + 512) + 512)
    const lengths = reads.mock.calls.map((call: readonly unknown[]) => Number(call[2]))
    expect(lengths.length).toBeLessThanOrEqual(8)
    expect(lengths.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(8 * 16 * 1024)
  })

  it('is refused where it is cut off, and tells what is behind its end', async () => {
    const bytes = await sampleTar({ name: 'a', text: 'a'.repeat(1000) })
    await writeFile(path, bytes.subarray(0, 1000))
    await expect(openTarFile(path)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: `${path}: entry "a" is cut off, the archive ends at byte 1000`,
    })
    await writeFile(path, Buffer.concat([bytes, Buffer.from('more')]))
    await using tar = await openTarFile(path)
    expect(tar.oddities).toEqual(['something is behind the end of the archive'])
  })

  it('is not there, or is no archive', async () => {
    await expect(openTarFile(path)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await writeFile(path, 'no archive '.repeat(200))
    await expect(openTarFile(path)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: `${path}: not a tar archive`,
    })
  })

  it('gives nothing when the file has changed its size', async () => {
    await using tar = await opened({ name: 'a', text: 'a'.repeat(200_000) })
    const [entry] = tar.entries
    if (entry === undefined) throw new Error('no entry')
    const changed = { code: 'INTEGRITY', message: expect.stringContaining(`${path}: the file was changed`) }
    const pieces = tar.read(entry)[Symbol.asyncIterator]()
    await pieces.next()
    await truncate(path, 1000)
    await expect(bytesOf({ [Symbol.asyncIterator]: () => pieces })).rejects.toMatchObject(changed)
    await expect(bytesOf(tar.read(entry))).rejects.toMatchObject(changed)
    await appendFile(path, Buffer.alloc(500_000))
    await expect(tar.readBytes(entry, 1e6)).rejects.toMatchObject(changed)
  })

  it('gives nothing more when the signal fires', async () => {
    await using tar = await opened({ name: 'a', text: 'a'.repeat(200_000) })
    const [entry] = tar.entries
    if (entry === undefined) throw new Error('no entry')
    const abort = new AbortController()
    let pieces = 0
    const reading = tar.read(entry, { signal: abort.signal }).pour(() => {
      pieces += 1
      abort.abort()
      return undefined
    })
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    expect(pieces).toBe(1)
  })

  it.skipIf(!hasGnuTar)('gives a sparse file with its holes, whole and in part', async () => {
    const sparse = join(folder.path, 'sparse')
    await writeFile(sparse, 'start')
    await truncate(sparse, 300_000)
    await appendFile(sparse, 'end')
    const whole = Buffer.concat([Buffer.from('start'), Buffer.alloc(299_995), Buffer.from('end')])
    for (const version of ['0.0', '0.1', '1.0', 'old']) {
      const format = version === 'old' ? ['--format=gnu'] : ['--format=pax', `--sparse-version=${version}`]
      await gnuTar(['-c', '-f', path, '--sparse', ...format, 'sparse'], { cwd: folder.path })
      await using tar = await openTarFile(path)
      const entry = tar.find('sparse')
      if (entry === undefined) throw new Error('no entry')
      expect(entry).toMatchObject({ size: 300_003 })
      expect(entry.storedSize).toBeLessThan(20_000)
      expect((await bytesOf(tar.read(entry))).equals(whole)).toBe(true)
      for (const [start, end] of [
        [2, 9],
        [100_000, 250_000],
        [299_998, 300_001],
        [300_003, 400_000],
      ] as const) {
        const part = await bytesOf(tar.read(entry, { start, end }))
        expect(part.equals(whole.subarray(start, end + 1)), `${version}: ${start} to ${end}`).toBe(true)
      }
    }
  })
})

describe('looking an entry up', () => {
  it('finds the last of its name, however the name is written', async () => {
    await using tar = await opened(
      { name: './a/b', text: 'first' },
      { name: './', type: 'directory' },
      { name: 'a//b', text: 'second' },
      { name: '/etc/passwd', text: 'absolute' },
      { name: '../out', text: 'outside' },
    )
    expect(await contentOf(tar, 'a/./b/')).toBe('second')
    expect(tar.find('')?.type).toBe('directory')
    expect(['b', '/a/b', 'etc/passwd', '/etc/passwd', '../out', 'out'].map(name => tar.find(name))).toEqual(
      Array(6).fill(undefined),
    )
    expect(tar.entries).toHaveLength(5)
  })

  it('follows symlinks and hard links, of folders too', async () => {
    const link = (name: string, linkname: string) => ({ name, linkname, type: 'symlink' as const })
    await using tar = await opened(
      { name: 'abc/layer.tar', text: 'layer' },
      link('def/layer.tar', '../abc/layer.tar'),
      link('ghi', 'def'),
      link('far', './ghi/../def/layer.tar'),
      { name: 'hard', type: 'link', linkname: 'def/layer.tar' },
      link('gone', 'nowhere'),
    )
    for (const name of ['abc/layer.tar', 'def/layer.tar', 'ghi/layer.tar', 'far', 'hard']) {
      expect(tar.follow(name), name).toBe(tar.entries[0])
    }
    expect(tar.follow('gone')).toBeUndefined()
    expect(tar.follow('nothing/at/all')).toBeUndefined()
  })

  it.each([
    ['out', '../../etc/passwd', 'leads out of the archive'],
    ['out', '/etc/passwd', 'leads out of the archive'],
    ['out', 'out', 'leads in a circle'],
    ['out', 'out/out/out', 'leads in a circle'],
  ])('does not follow a link that goes wrong: %s to %s', async (name, linkname, text) => {
    await using tar = await opened({ name, linkname, type: 'symlink' })
    const message = `${path}: entry "out" ${text}`
    expect(() => tar.follow('out')).toThrow(expect.objectContaining({ code: 'INTEGRITY', message }))
  })
})

import { rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ParsedFiles } from '../../src/files/parsed-files.ts'
import { countFileReads } from '../layout/file-reads.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

let folder: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'file')
})
afterEach(() => folder.remove())

/** Reads numbers, and counts how often it does. */
function numbers(clock = later, limit = 100, settledMs?: number) {
  const files = {
    count: 0,
    parsed: new ParsedFiles({
      limit,
      clock,
      settledMs,
      parse: bytes => {
        files.count++
        return { number: Number(bytes.toString()) }
      },
    }),
  }
  return files
}

/** A clock that is so far ahead that every file is old. */
const later = () => Date.now() + 3_600_000

describe('a file that is read again and again', () => {
  it('is parsed once, as long as it stays the same', async () => {
    const { parsed } = numbers()
    await writeFile(path, '1')
    const first = await parsed.read(path)
    expect(first).toEqual({ number: 1 })
    expect(await parsed.read(path)).toBe(first)
  })

  it('is seen to have changed, in place and by another in its place', async () => {
    const files = numbers()
    await writeFile(path, '1')
    await files.parsed.read(path)
    await writeFile(path, '22')
    expect(await files.parsed.read(path)).toEqual({ number: 22 })
    await writeFile(`${path}.new`, '33')
    await rename(`${path}.new`, path)
    expect(await files.parsed.read(path)).toEqual({ number: 33 })
    expect(files.count).toBe(3)
  })

  it('is read while it is so young that its stamp might not show a change, and parsed when there was one', async () => {
    const files = numbers(Date.now)
    const write = async (text: string) => {
      await writeFile(path, text)
      await utimes(path, new Date(0), new Date(0))
    }
    await write('1')
    const first = await files.parsed.read(path)
    expect(await files.parsed.read(path)).toBe(first)
    await write('2')
    expect(await files.parsed.read(path)).toEqual({ number: 2 })
    expect(files.count).toBe(2)
  })

  it('is not believed to be old by the time that somebody gave it', async () => {
    const { parsed } = numbers(Date.now)
    await writeFile(path, '1')
    await utimes(path, new Date(0), new Date(0))
    const { ino, size } = await stat(path)
    await parsed.read(path)
    await writeFile(path, '2')
    await utimes(path, new Date(0), new Date(0))
    expect(await stat(path)).toMatchObject({ ino, size, mtimeMs: 0 })
    expect(await parsed.read(path)).toEqual({ number: 2 })
  })

  it('is not parsed by who wrote it, as long as it holds what they wrote', async () => {
    const files = numbers()
    const written = { number: 1 }
    await writeFile(path, '1')
    files.parsed.written(path, Buffer.from('1'), written)
    expect(await files.parsed.read(path)).toBe(written)
    files.parsed.written(path, Buffer.from('3'), { number: 3 })
    expect(await files.parsed.read(path)).toEqual({ number: 1 })
    expect(files.count).toBe(1)
  })

  it('is not read while it is young either, where that is young enough', async () => {
    const { parsed } = numbers(() => Date.now() + 100, 100, 99)
    await writeFile(path, '1')
    const first = await parsed.read(path)
    using reads = await countFileReads()
    expect(await parsed.read(path)).toBe(first)
    expect(reads.count).toBe(0)
  })

  it('is read in one piece where it is as long as it was, and to its end where it is longer', async () => {
    const { parsed } = numbers(Date.now)
    await writeFile(path, '1')
    await parsed.read(path)
    using reads = await countFileReads()
    await writeFile(path, '2')
    expect(await parsed.read(path)).toEqual({ number: 2 })
    expect(reads).toMatchObject({ count: 1, bytes: 1 })
    await writeFile(path, '12345')
    expect(await parsed.read(path)).toEqual({ number: 12345 })
  })

  it('is undefined when it is not there, before and after', async () => {
    const { parsed } = numbers()
    expect(await parsed.read(path)).toBeUndefined()
    await writeFile(path, '1')
    await parsed.read(path)
    await rm(path)
    expect(await parsed.read(path)).toBeUndefined()
  })

  it('is refused when it is too large', async () => {
    await writeFile(path, '12345')
    await expect(numbers(later, 4).parsed.read(path)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })
})

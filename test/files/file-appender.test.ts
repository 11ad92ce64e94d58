import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bufferBytes, FileAppender } from '../../src/files/file-appender.ts'
import { makeTempDir } from '../support/temp-dir.ts'

describe('pieces that are appended to a file', () => {
  it('are in it in their order, whatever their lengths, though their memory is used again', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    const lengths = fc.array(fc.oneof(fc.nat(20), fc.nat({ max: 3 * bufferBytes }), fc.constant(bufferBytes)))
    const expectedLength = fc.option(fc.nat(bufferBytes * 2), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(lengths, expectedLength, async (lengths, length) => {
        await using file = await open(path, 'w')
        const appender = new FileAppender(file, { path, position: 0, length })
        for (const [number, bytes] of lengths.entries()) {
          const piece = Buffer.alloc(bytes, number + 1)
          await appender.add(piece)
          piece.fill(0)
        }
        await appender.end()
        const wanted = Buffer.concat(lengths.map((bytes, number) => Buffer.alloc(bytes, number + 1)))
        expect((await readFile(path)).equals(wanted)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('come behind what the file has, and are in it when the end is awaited', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await writeFile(path, 'three')
    await using file = await open(path, 'r+')
    const appender = new FileAppender(file, { path, position: 5 })
    expect(appender.add(Buffer.from(' words'))).toBeUndefined()
    await appender.end()
    expect(await readFile(path, 'utf8')).toBe('three words')
  })

  it('are only waited for while the disk is behind', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await using file = await open(path, 'w')
    const appender = new FileAppender(file, { path, position: 0 })
    expect(appender.add(Buffer.alloc(bufferBytes, 'a'))).toBeUndefined()
    const behind = appender.add(Buffer.alloc(bufferBytes + 1, 'b'))
    expect(behind).toBeInstanceOf(Promise)
    await behind
    expect(appender.add(Buffer.alloc(1, 'c'))).toBeUndefined()
    await appender.end()
    expect((await readFile(path, 'utf8')).replaceAll(/(.)\1*/g, all => `${all[0]}${all.length} `)).toBe(
      `a${bufferBytes} b${bufferBytes + 1} c1 `,
    )
  })

  it('are left out when they are not taken by the end, and refused after it', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await using file = await open(path, 'w')
    const appender = new FileAppender(file, { path, position: 0 })
    appender.add(Buffer.alloc(bufferBytes, 'a'))
    const late = appender.add(Buffer.alloc(3 * bufferBytes, 'b'))
    await appender.end()
    await late
    const written = await readFile(path, 'utf8')
    expect(written).toBe('a'.repeat(bufferBytes) + 'b'.repeat(bufferBytes))
    expect(() => appender.add(Buffer.from('c'))).toThrow('a piece came after the end')
  })

  it.runIf(process.platform === 'linux')('fail by the name of the file when the disk is full', async () => {
    await using file = await open('/dev/full', 'w')
    const full = { code: 'IO', message: 'the file: no space is left on the disk' }
    const appender = new FileAppender(file, { path: 'the file', position: 0 })
    appender.add(Buffer.alloc(bufferBytes))
    await expect(appender.add(Buffer.alloc(bufferBytes))).rejects.toMatchObject(full)
    await expect(appender.end()).rejects.toMatchObject(full)
    const small = new FileAppender(file, { path: 'the file', position: 0 })
    small.add(Buffer.alloc(1))
    await expect(small.end()).rejects.toMatchObject(full)
  })
})

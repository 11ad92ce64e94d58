import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { open, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArchive } from '../../src/tar/open-archive.ts'
import type { TarFile } from '../../src/tar/tar-file.ts'
import { writeTarFile } from '../../src/tar/write-tar-file.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { piecesOf, sampleTar } from './sample-tar.ts'

let folder: TempDir
let temporary: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  temporary = await makeTempDir()
  path = join(folder.path, 'archive')
})
afterEach(() => Promise.all([folder.remove(), temporary.remove()]))

const options = () => ({ temporaryFolder: temporary.path })
const text = 'text '.repeat(50_000)
const sample = () => sampleTar({ name: 'a', text }, { name: 'b', text: 'b' })

async function expectSample(tar: TarFile): Promise<void> {
  expect(tar.entries.map(entry => entry.name)).toEqual(['a', 'b'])
  const [entry] = tar.entries
  if (entry === undefined) throw new Error('no entry')
  expect((await tar.readBytes(entry, 1e6)).toString()).toBe(text)
}

describe('opening an archive', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  ])('gives a file of it, and leaves nothing in the temporary folder: %s', async (_, pack) => {
    const bytes = pack(await sample())
    await writeFile(path, bytes)
    for (const source of [path, piecesOf(bytes)]) {
      await using tar = await openArchive(source, options())
      expect(tar.name).toBe(source === path ? path : 'the archive')
      await expectSample(tar)
      // It has no name there, so that it is gone whatever becomes of this process.
      expect(await readdir(temporary.path)).toEqual([])
    }
  })

  it('reads a plain file where it is', async () => {
    await writeFile(path, await sample())
    await using tar = await openArchive(path, { temporaryFolder: '/nowhere' })
    await expectSample(tar)
  })

  it.each(['none', 'gzip', 'zstd'] as const)('reads what we write: %s', async compression => {
    const content = Buffer.from(text)
    await writeTarFile(
      path,
      async tar => {
        await tar.add({ name: 'a', size: content.length }, piecesOf(content))
        await tar.add({ name: 'b' })
      },
      { compression },
    )
    await using tar = await openArchive(path, options())
    await expectSample(tar)
  })

  it('reads a pipe', async () => {
    execFileSync('mkfifo', [path])
    const writing = pipeline(piecesOf(gzipSync(await sample())), createWriteStream(path))
    await using tar = await openArchive(path, options())
    await writing
    await expectSample(tar)
  })

  it.each([
    ['no archive', async () => Buffer.from('no archive '.repeat(100)), {}, 'INTEGRITY', /not a tar archive/],
    ['a bomb', async () => gzipSync(await sample()), { maxBytes: 1000 }, 'INTEGRITY', /more than 1000 bytes/],
    ['cut off', async () => gzipSync(await sample()).subarray(0, -9), {}, 'INTEGRITY', /cut off/],
    ['of too many entries', sample, { maxEntries: 1 }, 'INTEGRITY', /more than 1 entries/],
  ])('is refused where it is %s, and leaves nothing', async (_, bytes, limits, code, message) => {
    await writeFile(path, await bytes())
    for (const source of [path, piecesOf(await bytes())]) {
      const opening = openArchive(source, { ...options(), ...limits, name: 'it' })
      await expect(opening).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
      await expect(opening).rejects.toMatchObject({ message: expect.stringMatching(/^it: /) })
    }
    expect(await readdir(temporary.path)).toEqual([])
  })

  it('names the file that is not there, and the folder that cannot be written', async () => {
    await expect(openArchive(path, options())).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `${path}: there is no such file or folder`,
    })
    await expect(openArchive(folder.path, options())).rejects.toMatchObject({
      code: 'IO',
      message: `${folder.path}: it is a folder`,
    })
    const nowhere = join(folder.path, 'nowhere')
    await expect(openArchive(piecesOf(await sample()), { temporaryFolder: nowhere })).rejects.toMatchObject({
      code: 'IO',
      message: `${nowhere}: there is no such file or folder`,
    })
  })

  it('ends when the signal fires, also while the chunks stall', async () => {
    const abort = new AbortController()
    let wake = () => {}
    const stalls = new Promise<void>(resolve => {
      wake = resolve
    })
    const bytes = await sample()
    const chunks = (async function* () {
      yield bytes.subarray(0, 1000)
      abort.abort()
      await stalls
    })()
    await expect(openArchive(chunks, { ...options(), signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
      message: 'the archive: cancelled',
    })
    wake()
    expect(await readdir(temporary.path)).toEqual([])
  })

  it('ends when the signal fires, also while a pipe gives nothing', async () => {
    execFileSync('mkfifo', [path])
    // For both, so that neither side waits for the other to open it.
    await using pipe = await open(path, 'r+')
    const opening = openArchive(path, { ...options(), signal: AbortSignal.abort() })
    await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
    await pipe.write('what the last reading was waiting for')
  })

  it('closes its file', async () => {
    await writeFile(path, await sample())
    const tar = await openArchive(path, options())
    await tar.close()
    const [entry] = tar.entries
    if (entry === undefined) throw new Error('no entry')
    await expect(tar.readBytes(entry, 1e6)).rejects.toThrow()
    expect((await stat(path)).isFile()).toBe(true)
  })
})

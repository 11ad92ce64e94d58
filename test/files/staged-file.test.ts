import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { StagedFile } from '../../src/files/staged-file.ts'
import { temporaryName } from '../../src/files/temporary-name.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it('a staged file has its name when it is put in its place, and not before', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await using staged = new StagedFile(path, async file => {
    await file.appendFile('one ')
    await file.appendFile('two')
  })
  expect(await readdir(folder.path)).not.toContain('file')
  await staged.putInPlace()
  expect(await readFile(path, 'utf8')).toBe('one two')
  expect(await readdir(folder.path)).toEqual(['file'])
})

it('a staged file that is not put in its place is removed, written or not', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  const names: string[] = []
  {
    await using _staged = new StagedFile(path, async file => {
      await file.appendFile('new')
      names.push(...(await readdir(folder.path)))
    })
  }
  expect(names).toEqual([expect.stringMatching(temporaryName)])
  expect(await readdir(folder.path)).toEqual([])
})

it('content that fails is told to who puts the file in its place, and nothing is left', async () => {
  await using folder = await makeTempDir()
  const broken = new Error('the source broke')
  {
    await using staged = new StagedFile(join(folder.path, 'file'), () => Promise.reject(broken))
    await expect(staged.putInPlace()).rejects.toBe(broken)
    await expect(staged.putInPlace()).rejects.toBe(broken)
  }
  expect(await readdir(folder.path)).toEqual([])
})

it('the folder of a staged file is made where that is asked for, also after it went', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'a', 'b', 'file')
  for (const text of ['first', 'second']) {
    await using staged = new StagedFile(path, text, { makeFolder: true })
    await staged.putInPlace()
    expect(await readFile(path, 'utf8')).toBe(text)
    await rm(join(folder.path, 'a'), { recursive: true })
  }
  await using refused = new StagedFile(path, 'third')
  await expect(refused.putInPlace()).rejects.toMatchObject({ code: 'IO' })
  await expect(stat(join(folder.path, 'a'))).rejects.toMatchObject({ code: 'ENOENT' })
})

import { chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { linkTarget, replaceFile } from '../../src/credentials/replace-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { errorOf } from './sandbox.ts'

it('a file is replaced by another one, so that who has the old one open still reads it whole', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(path, 'old')
  const before = (await stat(path)).ino
  await replaceFile(path, 'new')
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).ino).not.toBe(before)
  expect(await readdir(folder.path)).toEqual(['file'])
})

it('a file that cannot be put in place leaves what is there, and no temporary file', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'folder')
  await mkdir(join(path, 'full'), { recursive: true })
  expect(await errorOf(replaceFile(path, 'hunter2'))).toMatchObject({
    code: 'IO',
    message: expect.stringMatching(/^cannot write .*folder: E[A-Z]+$/),
  })
  expect(await readdir(folder.path)).toEqual(['folder'])
})

it.runIf(process.getuid?.() === 0)('root gives the new file to the owner of the old one', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await replaceFile(path, 'first', { keepOwner: true })
  await chown(path, 1234, 1235)
  await replaceFile(path, 'second', { keepOwner: true })
  expect(await stat(path)).toMatchObject({ uid: 1234, gid: 1235 })
})

it('links are followed to their end, also to a file that is yet to be made', async () => {
  await using folder = await makeTempDir()
  const [a, b, c] = ['a', 'b', 'c'].map(name => join(folder.path, name)) as [string, string, string]
  await symlink('b', a)
  await symlink(c, b)
  expect(await linkTarget(a)).toBe(c)
  expect(await linkTarget(c)).toBe(c)
  await writeFile(c, '')
  expect(await linkTarget(a)).toBe(await linkTarget(c))
})

it('links in a circle are an error', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'a')
  await symlink('a', path)
  expect(await errorOf(linkTarget(path))).toMatchObject({ code: 'IO', message: `cannot read ${path}: ELOOP` })
})

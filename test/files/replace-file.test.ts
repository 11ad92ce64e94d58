import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { replaceFile } from '../../src/files/replace-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it('a file is replaced by another one, so that who has the old one open still reads it whole', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(path, 'old')
  await using reader = await open(path)
  await replaceFile(path, 'new')
  expect(await reader.readFile('utf8')).toBe('old')
  expect(await readFile(path, 'utf8')).toBe('new')
  expect(await readdir(folder.path)).toEqual(['file'])
})

it('a file is put in place only when it is written to its end', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await replaceFile(path, async file => {
    await file.appendFile('one ')
    expect(await readdir(folder.path)).not.toContain('file')
    await file.appendFile('two')
  })
  expect(await readFile(path, 'utf8')).toBe('one two')
})

it('a write that breaks off leaves the old file, and nothing beside it', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(path, 'old')
  const broken = new Error('the source broke')
  const replaced = replaceFile(path, async file => {
    await file.appendFile('ne')
    throw broken
  })
  await expect(replaced).rejects.toBe(broken)
  expect(await readFile(path, 'utf8')).toBe('old')
  expect(await readdir(folder.path)).toEqual(['file'])
})

it('a file that cannot be put in place leaves what is there, and no temporary file', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'folder')
  await mkdir(join(path, 'full'), { recursive: true })
  await expect(replaceFile(path, 'hunter2')).rejects.toMatchObject({
    code: 'IO',
    message: expect.stringMatching(/\/folder: (?:it is a folder|the folder is not empty|.* in the way)$/),
  })
  expect(await readdir(folder.path)).toEqual(['folder'])
})

it('a folder that is not there is an IO error that names it', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'none')
  await expect(replaceFile(join(path, 'file'), '')).rejects.toMatchObject({
    code: 'IO',
    message: `${path}: there is no such file or folder`,
  })
})

it.runIf(process.getuid?.() !== 0)('a folder that may not be written to is named', async () => {
  await using folder = await makeTempDir()
  await chmod(folder.path, 0o500)
  await expect(replaceFile(join(folder.path, 'file'), '')).rejects.toMatchObject({
    code: 'IO',
    message: `${folder.path}: permission denied`,
  })
})

it('the new file has the mode that is asked for, whatever the old one had', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await replaceFile(path, 'first')
  expect((await stat(path)).mode & 0o777).toBe(0o666 & ~process.umask())
  await replaceFile(path, 'second', { mode: 0o600 })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

it('a link is replaced, and the file that it led to stays', async () => {
  await using folder = await makeTempDir()
  const [path, target] = [join(folder.path, 'link'), join(folder.path, 'target')]
  await writeFile(target, 'old')
  await symlink('target', path)
  await replaceFile(path, 'new')
  expect((await lstat(path)).isSymbolicLink()).toBe(false)
  expect(await readFile(target, 'utf8')).toBe('old')
})

it.runIf(process.getuid?.() === 0)('root gives the new file to the owner of the old one', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await replaceFile(path, 'first', { keepOwner: true })
  await chown(path, 1234, 1235)
  await replaceFile(path, 'second', { keepOwner: true })
  expect(await stat(path)).toMatchObject({ uid: 1234, gid: 1235 })
})

import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { linkTarget } from '../../src/files/link-target.ts'
import { makeTempDir } from '../support/temp-dir.ts'

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

it('a link below a linked folder starts where the folder really is', async () => {
  await using folder = await makeTempDir()
  const root = await realpath(folder.path)
  await mkdir(join(root, 'deep', 'er'), { recursive: true })
  await symlink(join('deep', 'er'), join(root, 'linked'))
  await symlink(join('..', 'target'), join(root, 'linked', 'link'))
  expect(await linkTarget(join(root, 'linked', 'link'))).toBe(join(root, 'deep', 'target'))
  await writeFile(join(root, 'deep', 'target'), '')
  expect(await linkTarget(join(root, 'linked', 'link'))).toBe(join(root, 'deep', 'target'))
})

it('links in a circle are an error', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'a')
  await symlink('a', path)
  await expect(linkTarget(path)).rejects.toMatchObject({
    code: 'IO',
    message: `${path}: it is a symbolic link that is not followed, or that leads in a circle`,
  })
})

it('what is below a file leads nowhere else', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file', 'below')
  await writeFile(join(folder.path, 'file'), '')
  expect(await linkTarget(path)).toBe(path)
})

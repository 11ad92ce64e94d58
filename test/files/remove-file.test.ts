import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { removeFile } from '../../src/files/remove-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it('a file is removed, and one that is not there is no error', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(path, '')
  await removeFile(path)
  await removeFile(path)
  await removeFile(join(path, 'below'))
  expect(await readdir(folder.path)).toEqual([])
})

it('a folder is not removed, which is an error that names it', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'folder')
  await mkdir(path)
  await expect(removeFile(path)).rejects.toMatchObject({ code: 'IO', message: expect.stringContaining(path) })
  expect(await readdir(folder.path)).toEqual(['folder'])
})

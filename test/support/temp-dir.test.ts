import { access, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fastParent, makeTempDir } from './temp-dir.ts'

it('a temporary folder is there until its scope ends, and then it is gone with what is in it', async () => {
  let path = ''
  {
    await using folder = await makeTempDir(await fastParent())
    path = folder.path
    await writeFile(join(path, 'file'), 'text')
    expect((await stat(path)).isDirectory()).toBe(true)
  }
  await expect(access(path)).rejects.toMatchObject({ code: 'ENOENT' })
})

import { chmod, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inFolder, makeFolder } from '../../src/files/make-folder.ts'
import { makeTempDir } from '../support/temp-dir.ts'

async function mode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

it('a folder is made with those above it, for its owner alone where that is asked', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'a', 'b')
  await makeFolder(path, 0o700)
  expect([await mode(join(path, '..')), await mode(path)]).toEqual([0o700, 0o700])
  await makeFolder(join(folder.path, 'open'))
  expect(await mode(join(folder.path, 'open'))).toBe(0o777 & ~process.umask())
})

it('a folder that is there stays as it is', async () => {
  await using folder = await makeTempDir()
  await chmod(folder.path, 0o755)
  await makeFolder(folder.path, 0o700)
  expect(await mode(folder.path)).toBe(0o755)
})

it.each([['file'], ['file', 'below']])('a file in the way of %s/%s is an IO error', async (...names) => {
  await using folder = await makeTempDir()
  await writeFile(join(folder.path, 'file'), '')
  const path = join(folder.path, ...names)
  await expect(makeFolder(path)).rejects.toMatchObject({
    code: 'IO',
    message: expect.stringContaining(`${path}: `),
  })
})

it('what needs a folder is done once more when that was made, and only when it was missing', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'a', 'b')
  let times = 0
  const write = () => {
    times += 1
    return writeFile(join(path, 'file'), '', { flag: 'wx' })
  }
  await inFolder(path, write, 0o700)
  expect(times).toBe(2)
  expect(await mode(path)).toBe(0o700)
  await expect(inFolder(path, write)).rejects.toMatchObject({ code: 'EEXIST' })
  expect(times).toBe(3)
  await rm(join(path, 'file'))
  await inFolder(path, write)
  expect([times, await readdir(path)]).toEqual([4, ['file']])
})

it('what fails for another reason in a folder that is there fails with it', async () => {
  await using folder = await makeTempDir()
  const read = () => stat(join(folder.path, 'none'))
  await expect(inFolder(folder.path, read)).rejects.toMatchObject({ code: 'ENOENT' })
})

it.runIf(process.platform === 'linux')(
  'a folder that cannot be made below one that is there is an IO error, soon',
  async () => {
    await expect(makeFolder('/proc/drayage')).rejects.toMatchObject({ code: 'IO' })
  },
)

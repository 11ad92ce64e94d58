import { mkdir, open, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { ifThere, ioError, onDisk, systemCode } from '../../src/files/io-error.ts'
import { makeTempDir } from '../support/temp-dir.ts'

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code, syscall: 'write' })
}

describe('a failure of the file system', () => {
  it.each<[string, (dir: string) => Promise<unknown>, string, string]>([
    ['reads nothing', dir => readFile(join(dir, 'none')), 'NOT_FOUND', 'there is no such file or folder'],
    [
      'reads below a file',
      dir => readFile(join(dir, 'file', 'a')),
      'NOT_FOUND',
      'a part of the path is not a folder',
    ],
    ['reads a folder', dir => readFile(dir), 'IO', 'it is a folder'],
    ['removes a folder as a file', dir => rm(join(dir, 'full')), 'IO', 'it is a folder'],
    ['lists a file', dir => readdir(join(dir, 'file')), 'NOT_FOUND', 'a part of the path is not a folder'],
    ['makes what is there', dir => open(join(dir, 'file'), 'wx'), 'IO', 'something else is in the way'],
    ['follows a circle', dir => readFile(join(dir, 'circle')), 'IO', 'it is a symbolic link that is not'],
    ['has a long name', dir => readFile(join(dir, 'a'.repeat(300))), 'IO', 'the name is too long'],
    [
      'replaces a folder',
      dir => rename(join(dir, 'empty'), join(dir, 'full')),
      'IO',
      'the folder is not empty',
    ],
  ])('names the path and the reason where it %s', async (_, operation, code, reason) => {
    await using folder = await makeTempDir()
    await writeFile(join(folder.path, 'file'), '')
    await mkdir(join(folder.path, 'full', 'folder'), { recursive: true })
    await mkdir(join(folder.path, 'empty'))
    await symlink('circle', join(folder.path, 'circle'))
    await expect(onDisk('/the/path', operation(folder.path))).rejects.toMatchObject({
      name: 'DrayError',
      code,
      message: expect.stringContaining(`/the/path: ${reason}`),
      cause: { code: expect.any(String) },
    })
  })

  it.each([
    ['EACCES', 'permission denied'],
    ['EPERM', 'permission denied'],
    ['EBUSY', 'it is in use'],
    ['ENOSPC', 'no space is left on the disk'],
    ['EDQUOT', 'the disk quota is used up'],
    ['EFBIG', 'the file would be too large'],
    ['EIO', 'the disk failed'],
    ['EROFS', 'the file system is read-only'],
    ['EMFILE', 'too many files are open'],
    ['ENFILE', 'too many files are open'],
    ['ESTALE', 'the system answered ESTALE'],
  ])('with the code %s says that %s', async (code, reason) => {
    const cause = systemError(code)
    await expect(onDisk('/the/path', Promise.reject(cause))).rejects.toMatchObject({
      code: 'IO',
      message: `/the/path: ${reason}`,
      cause,
    })
  })

  it.each(['ENOENT', 'ENOTDIR'])('with the code %s has the code that the caller gives to absence', code => {
    expect(ioError('/the/path', systemError(code), 'IO')).toMatchObject({ code: 'IO' })
    expect(ioError('/the/path', systemError(code), 'NOT_FOUND')).toMatchObject({ code: 'NOT_FOUND' })
    expect(ioError('/the/path', systemError('EIO'), 'NOT_FOUND')).toMatchObject({ code: 'IO' })
  })
})

it.each([
  ['a bug', new TypeError('x is not a function')],
  ['a wrong argument', Object.assign(new TypeError('null bytes'), { code: 'ERR_INVALID_ARG_VALUE' })],
  ['an error of ours', new DrayError('INTEGRITY', 'malformed')],
  ['no error', 'text'],
])('%s stays what it is', async (_, thrown) => {
  const work = () => onDisk('/the/path', Promise.reject(thrown))
  expect(await work().catch(caught => caught)).toBe(thrown)
  expect(systemCode(thrown)).toBeUndefined()
})

it('an operation that succeeds gives its result', async () => {
  expect(await onDisk('/the/path', Promise.resolve(7))).toBe(7)
  expect(await ifThere(Promise.resolve(7))).toBe(7)
})

it('what is not found may count as nothing, and no other failure does', async () => {
  expect(await ifThere(onDisk('/the/path', Promise.reject(systemError('ENOENT'))))).toBeUndefined()
  const denied = onDisk('/the/path', Promise.reject(systemError('EACCES')))
  await expect(ifThere(denied)).rejects.toMatchObject({ code: 'IO' })
})

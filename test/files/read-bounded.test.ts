import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { readBounded } from '../../src/files/read-bounded.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const run = promisify(execFile)

async function makePipe(folder: string): Promise<string> {
  const path = join(folder, 'pipe')
  await run('mkfifo', [path])
  return path
}

it.each([0, 1, 200_000])('a file of %i bytes is read up to that limit, byte for byte', async length => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  const content = Buffer.from(Array.from({ length }, (_, index) => index % 251))
  await writeFile(path, content)
  expect((await readBounded(path, length)).equals(content)).toBe(true)
  await writeFile(path, Buffer.concat([content, Buffer.of(0)]))
  await expect(readBounded(path, length)).rejects.toMatchObject({
    code: 'INTEGRITY',
    message: `${path}: more than ${length} bytes, which is the limit`,
  })
})

it.runIf(process.platform !== 'win32')('a pipe is read to its end', async () => {
  await using folder = await makeTempDir()
  const path = await makePipe(folder.path)
  const content = 'x'.repeat(200_000)
  const [bytes] = await Promise.all([readBounded(path, 200_000), writeFile(path, content)])
  expect(bytes.toString()).toBe(content)
})

it.runIf(process.platform !== 'win32')('a pipe that holds more than the limit is refused', async () => {
  await using folder = await makeTempDir()
  const path = await makePipe(folder.path)
  const [read] = await Promise.allSettled([readBounded(path, 4), writeFile(path, 'five!')])
  expect(read).toMatchObject({ status: 'rejected', reason: { code: 'INTEGRITY' } })
})

it('a file that is not there is not found, unless it must be there', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'none')
  const message = `${path}: there is no such file or folder`
  await expect(readBounded(path, 1)).rejects.toMatchObject({ code: 'NOT_FOUND', message })
  await expect(readBounded(path, 1, 'IO')).rejects.toMatchObject({ code: 'IO', message })
})

it('a folder is an error that names it', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'folder')
  await mkdir(path)
  await expect(readBounded(path, 1)).rejects.toMatchObject({
    code: 'IO',
    message: `${path}: it is a folder`,
  })
})

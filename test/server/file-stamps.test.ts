import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { FileStamps } from '../../src/server/file-stamps.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it.each([
  ['is read again the next time where the disk failed', 'IO', ['failed', 'read', 'left']],
  ['is left until it changes again where what it holds is wrong', 'USAGE', ['failed', 'left', 'left']],
] as const)('a file that has changed %s', async (_, code, expected) => {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'file')
  await writeFile(file, 'one')
  const stamps = await FileStamps.of([file])
  await writeFile(file, 'other')
  const reads = [() => Promise.reject(new DrayError(code, 'it could not be read')), async () => 'read']
  const found: string[] = []
  for (const _ of expected) {
    const read = () => (reads.shift() ?? (async () => 'read'))()
    found.push(
      await stamps.readIfChanged(read).then(
        value => value ?? 'left',
        () => 'failed',
      ),
    )
  }
  expect(found).toEqual(expected)
})

import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withFileLock } from '../../src/files/file-lock.ts'
import { errorOf } from '../credentials/sandbox.ts'
import { run } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'

it('work under one lock is done one after the other, and leaves no lock', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'new', 'file')
  let running = 0
  const most = await Promise.all(
    Array.from({ length: 8 }, () =>
      withFileLock(path, async () => {
        running++
        const seen = running
        await readdir(folder.path)
        running--
        return seen
      }),
    ),
  )
  expect(most).toEqual(Array(8).fill(1))
  expect(await readdir(join(folder.path, 'new'))).toEqual([])
})

it('a lock is given back when the work fails', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  const fail = async () => {
    throw new Error('the work')
  }
  await expect(withFileLock(path, fail)).rejects.toThrow('the work')
  expect(await withFileLock(path, async () => 'done')).toBe('done')
})

it('a lock that was left behind is broken after its time, once for all who wait', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(`${path}.lock`, '')
  const order: string[] = []
  const work = async () => {
    order.push('in')
    await readdir(folder.path)
    order.push('out')
  }
  await Promise.all([1, 2, 3].map(() => withFileLock(path, work, { staleMs: 50 })))
  expect(order).toEqual(['in', 'out', 'in', 'out', 'in', 'out'])
  expect(await readdir(folder.path)).toEqual([])
})

describe.skipIf(process.platform !== 'linux')('a lock whose process was killed', () => {
  const killed = join(import.meta.dirname, 'killed-lock-holder.ts')
  const never = { staleMs: 3_600_000 }

  it('is broken at once, once for all who wait', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    expect(await run(process.execPath, [killed, path])).toMatchObject({ signal: 'SIGKILL' })
    expect(await readdir(folder.path)).toEqual(['file.lock'])
    expect(
      await Promise.all([1, 2, 3].map(async number => withFileLock(path, async () => number, never))),
    ).toEqual([1, 2, 3])
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is broken when who was about to break it was killed too', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await run(process.execPath, [killed, path])
    await copyFile(`${path}.lock`, `${path}.lock.break`)
    expect(await withFileLock(path, async () => 'done', never)).toBe('done')
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is left alone when it may be the lock of another machine', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await run(process.execPath, [killed, path])
    const here = await readFile(`${path}.lock`, 'utf8')
    await writeFile(`${path}.lock`, here.replace(/ .*/, ' elsewhere'))
    expect(await errorOf(withFileLock(path, async () => 1, { ...never, waitMs: 50 }))).toMatchObject({
      code: 'TIMEOUT',
    })
  })
})

describe('a lock that another took, since its work stood still', () => {
  it('is known to be lost, and is left to the other', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    let takeAway = () => {}
    let end = () => {}
    const takenAway = new Promise<void>(resolve => {
      takeAway = resolve
    })
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const first = withFileLock(path, async lock => {
      await lock.checkHeld()
      await takenAway
      return errorOf(lock.checkHeld())
    })
    const other = withFileLock(
      path,
      async lock => {
        takeAway()
        await ended
        await lock.checkHeld()
        return readdir(folder.path)
      },
      { staleMs: 50 },
    )
    expect(await first).toMatchObject({
      code: 'TIMEOUT',
      message: `${path}.lock: another process has taken this lock, which was kept for too long`,
    })
    end()
    expect(await other).toEqual(['file.lock'])
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is no error to give back', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    expect(
      await withFileLock(path, async () => {
        await rm(`${path}.lock`)
        return 'done'
      }),
    ).toBe('done')
  })
})

it('a lock that is not to be had in time is an error that says what to do', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(`${path}.lock`, '')
  expect(await errorOf(withFileLock(path, async () => 1, { waitMs: 50 }))).toMatchObject({
    code: 'TIMEOUT',
    message: `${path}.lock: another process keeps this lock`,
    hint: expect.stringContaining('remove the file'),
  })
})

it('a lock that cannot be broken is an error that names it', async () => {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await mkdir(`${path}.lock`)
  expect(await errorOf(withFileLock(path, async () => 1, { staleMs: 50 }))).toMatchObject({
    code: 'IO',
    message: `${path}.lock: it is a folder`,
  })
  expect(await readdir(folder.path)).toEqual(['file.lock'])
})

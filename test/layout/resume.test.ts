import { EventEmitter, once } from 'node:events'
import { cp, link, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import type { OpenContent } from '../../src/image-store.ts'
import { type Layout, openLayout } from '../../src/layout/layout.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { run, start } from '../support/run.ts'
import { sampleBlob } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { contentOf, piecesOf } from './slow-content.ts'

const mebibyte = 1024 * 1024
/** Where transfers break: within a piece, and within a buffer. */
const middle = 1_234_567
const { bytes, descriptor } = sampleBlob(contentOf(3 * mebibyte))
const other = sampleBlob(contentOf(3 * mebibyte + 1))
const partPrefix = `sha256-${hexOf(descriptor.digest)}.`
const program = join(import.meta.dirname, 'put-process.ts')

let folder: TempDir
let dir: string
let layout: Layout
beforeEach(async () => {
  folder = await makeTempDir()
  dir = join(folder.path, 'layout')
  layout = await openLayout(dir, { create: true })
})
afterEach(() => folder.remove())

const parts = async () => (await listing(join(dir, '.partial'))).sort()
const partPath = async () => join(dir, '.partial', (await parts())[0] ?? '')
const blobPath = () => join(dir, 'blobs', 'sha256', hexOf(descriptor.digest))

async function listing(path: string): Promise<string[]> {
  return readdir(path).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

/** Content that can be opened at any byte, and where it was opened. */
function source(content: (start: number) => Chunks): {
  readonly open: OpenContent
  readonly starts: number[]
} {
  const starts: number[] = []
  const open = async (start = 0) => {
    starts.push(start)
    return content(start)
  }
  return { open, starts }
}

const whole = () => source(start => piecesOf(bytes.subarray(start)))

/** Gives the bytes before `end` and then breaks. */
function breaking(end: number): OpenContent {
  const atEnd = () => Promise.reject(new Error('the source broke'))
  return async (start = 0) => piecesOf(bytes.subarray(start, end), { atEnd })
}

async function leavePart(end = middle): Promise<void> {
  await expect(layout.putBlob(descriptor, breaking(end))).rejects.toThrow('the source broke')
}

async function expectBlob(): Promise<void> {
  expect((await readFile(blobPath())).equals(bytes)).toBe(true)
  expect(await readdir(dir)).not.toContain('.partial')
  expect(await readdir(join(dir, 'blobs', 'sha256'))).toHaveLength(1)
}

/** A put that gives the bytes before `middle`, and the rest, or an error, when it is told to. */
async function startSlowPut(rest: Uint8Array = bytes.subarray(middle)) {
  const events = new EventEmitter()
  const open = async (): Promise<Chunks> =>
    (async function* () {
      yield* piecesOf(bytes.subarray(0, middle))
      events.emit('stalled')
      await once(events, 'goOn')
      yield rest
    })()
  const stalled = once(events, 'stalled')
  const put = layout.putBlob(descriptor, open)
  await stalled
  return { put, goOn: () => events.emit('goOn'), fail: (error: Error) => events.emit('error', error) }
}

describe('a large blob whose transfer broke', () => {
  it('leaves what came, and nothing where blobs are', async () => {
    await leavePart()
    expect(await parts()).toEqual([expect.stringMatching(`^${partPrefix}[0-9a-f-]{36}$`)])
    expect((await readFile(await partPath())).equals(bytes.subarray(0, middle))).toBe(true)
    expect(await readdir(join(dir, 'blobs', 'sha256'))).toEqual([])
    expect(await layout.hasBlob(descriptor)).toBe(false)
  })

  it('is asked for from there on, as often as it breaks', async () => {
    await leavePart()
    const { open, starts } = source(start => piecesOf(bytes.subarray(start, 2 * mebibyte), { atEnd: fail }))
    await expect(layout.putBlob(descriptor, open)).rejects.toThrow('broke again')
    const last = whole()
    expect(await layout.putBlob(descriptor, last.open)).toBe('copied')
    expect([...starts, ...last.starts]).toEqual([middle, 2 * mebibyte])
    await expectBlob()
  })

  it('is not asked for when all of it had come', async () => {
    await leavePart(bytes.length)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([])
    await expectBlob()
  })

  it('leaves nothing when nothing came, or when it is small', async () => {
    await leavePart(0)
    const small = sampleBlob(contentOf(mebibyte - 1))
    const open = async () => piecesOf(small.bytes.subarray(0, 1000), { atEnd: fail })
    await expect(layout.putBlob(small.descriptor, open)).rejects.toThrow('broke again')
    expect((await readdir(dir)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
    expect(await readdir(join(dir, 'blobs', 'sha256'))).toEqual([])
  })

  it('leaves what came when it cannot be opened again', async () => {
    await leavePart()
    await expect(layout.putBlob(descriptor, () => Promise.reject(new Error('closed')))).rejects.toThrow(
      'closed',
    )
    expect((await stat(await partPath())).size).toBe(middle)
  })

  it('leaves what came when the signal fires, also while the source stalls', async () => {
    const controller = new AbortController()
    const atEnd = () => {
      controller.abort()
      return new Promise(() => {})
    }
    const open = async () => piecesOf(bytes.subarray(0, middle), { atEnd })
    const put = layout.putBlob(descriptor, open, { signal: controller.signal })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await readFile(await partPath())).equals(bytes.subarray(0, middle))).toBe(true)
  })

  it('leaves what came when the signal fires before it goes on', async () => {
    await leavePart()
    const { open, starts } = whole()
    const put = layout.putBlob(descriptor, open, { signal: AbortSignal.abort() })
    await expect(put).rejects.toMatchObject({ code: 'ABORTED' })
    expect(starts).toEqual([])
    expect(await parts()).toEqual([expect.not.stringContaining('.open')])
  })
})

describe('a part that was left', () => {
  it('is thrown away and all is asked for, when it is damaged', async () => {
    await leavePart()
    const path = await partPath()
    const damaged = await readFile(path)
    damaged.fill(0, 4096, 8192)
    await writeFile(path, damaged)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([middle, 0])
    await expectBlob()
  })

  it('is thrown away, and the content refused, when both are wrong', async () => {
    await leavePart()
    const { open, starts } = source(start => piecesOf(Buffer.alloc(bytes.length - start)))
    await expect(layout.putBlob(descriptor, open)).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(starts).toEqual([middle, 0])
    expect(await readdir(dir)).not.toContain('.partial')
    expect(await layout.hasBlob(descriptor)).toBe(false)
  })

  it('is thrown away when it is longer than the blob', async () => {
    await leavePart()
    await writeFile(await partPath(), other.bytes)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([0])
    await expectBlob()
  })

  it('stays when the source has too little', async () => {
    await leavePart()
    const { open } = source(start => piecesOf(bytes.subarray(start, -1)))
    await expect(layout.putBlob(descriptor, open)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: `oci:${dir}: blob ${descriptor.digest}: ${bytes.length - 1} bytes came instead of ${bytes.length} bytes`,
    })
    expect((await stat(await partPath())).size).toBe(bytes.length - 1)
  })

  it('is thrown away when the source has too much', async () => {
    await leavePart()
    const { open } = source(() => piecesOf(bytes))
    await expect(layout.putBlob(descriptor, open)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('more came instead of'),
    })
    expect(await readdir(dir)).not.toContain('.partial')
  })

  it('is never written to where it is a link, and what it leads to is not read', async () => {
    const secret = join(folder.path, 'secret')
    await writeFile(secret, bytes.subarray(0, middle))
    const fake = join(dir, '.partial', `${partPrefix}${'0'.repeat(36)}`)
    await mkdir(dirname(fake), { recursive: true })
    await symlink(secret, fake)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([0])
    expect((await stat(secret)).size).toBe(middle)
  })

  it('is copied, and not written to, where a copy of the layout by hard links shares it', async () => {
    await leavePart()
    const snapshot = join(folder.path, 'snapshot')
    await link(await partPath(), snapshot)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([middle])
    expect((await stat(snapshot)).size).toBe(middle)
    await expectBlob()
  })

  it('is the longest of several; the others are gone when the blob is there', async () => {
    await leavePart(1000)
    const path = await partPath()
    await cp(path, `${path.slice(0, -36)}${'0'.repeat(36)}`)
    await leavePart(middle)
    expect(await parts()).toHaveLength(2)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([middle])
    await expectBlob()
  })

  it('is removed a week later, when another large blob is written', async () => {
    await leavePart()
    const old = basename(await partPath())
    const weekAgo = Date.now() / 1000 - 7 * 24 * 3600
    await mkdir(join(dir, '.partial', 'folder'))
    const names = [old, `${old}.open`, 'foreign', 'folder'].map(name => join(dir, '.partial', name))
    await cp(names[0] ?? '', names[1] ?? '')
    await writeFile(names[2] ?? '', 'not ours')
    for (const name of names) await utimes(name, weekAgo + 60, weekAgo + 60)
    await layout.putBlob(other.descriptor, async () => piecesOf(other.bytes))
    expect(await parts()).toEqual([old, `${old}.open`, 'folder', 'foreign'].sort())
    for (const name of names) await utimes(name, weekAgo - 60, weekAgo - 60)
    const third = sampleBlob(contentOf(mebibyte))
    await layout.putBlob(third.descriptor, async () => piecesOf(third.bytes))
    expect(await parts()).toEqual(['folder', 'foreign'])
  })

  it('still helps after a week when its own blob is written', async () => {
    await leavePart()
    await utimes(await partPath(), 0, 0)
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([middle])
    await expectBlob()
  })
})

describe('fresh content of a large blob', () => {
  it('that is wrong is refused, asked for once and not kept', async () => {
    const { open, starts } = source(() => piecesOf(other.bytes.subarray(1)))
    await expect(layout.putBlob(descriptor, open)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('the content has digest'),
    })
    expect(starts).toEqual([0])
    expect((await readdir(dir)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  it.each([1000, 65_536, 262_144, 262_145, 3 * mebibyte])('arrives in pieces of %i bytes', async length => {
    await layout.putBlob(descriptor, async () => piecesOf(bytes, { length }))
    await expectBlob()
  })
})

describe('two who write the same large blob at a time', () => {
  it('write to files of their own, and the second goes on from where the first is', async () => {
    const first = await startSlowPut()
    const second = whole()
    expect(await layout.putBlob(descriptor, second.open)).toBe('copied')
    expect(second.starts).toEqual([mebibyte])
    await expectBlob()
    first.goOn()
    expect(await first.put).toBe('copied')
    await expectBlob()
  })

  it('do not spoil one another when the first gets wrong bytes', async () => {
    const first = await startSlowPut(Buffer.alloc(bytes.length - middle))
    await layout.putBlob(descriptor, whole().open)
    first.goOn()
    await expect(first.put).rejects.toMatchObject({ code: 'INTEGRITY' })
    await expectBlob()
  })

  it('lose nothing that is finished when the second breaks', async () => {
    const first = await startSlowPut()
    const inode = (await stat(await partPath())).ino
    await expect(layout.putBlob(descriptor, breaking(2 * mebibyte))).rejects.toThrow('the source broke')
    expect((await stat(await partPath())).ino).not.toBe(inode)
    first.goOn()
    expect(await first.put).toBe('copied')
    await expectBlob()
  })

  it('leave one part when both break', async () => {
    const first = await startSlowPut()
    await leavePart(2 * mebibyte)
    first.fail(new Error('stopped'))
    await expect(first.put).rejects.toThrow('stopped')
    const { open, starts } = whole()
    await layout.putBlob(descriptor, open)
    expect(starts).toEqual([2 * mebibyte])
    await expectBlob()
  })

  it('and many with the other blobs of an image get along with one folder', async () => {
    const blobs = Array.from({ length: 12 }, (_, number) => sampleBlob(contentOf(mebibyte + (number % 6))))
    const puts = blobs.map(blob =>
      layout.putBlob(blob.descriptor, async (start = 0) => piecesOf(blob.bytes.subarray(start))),
    )
    await Promise.all(puts)
    for (const blob of blobs) {
      const path = join(dir, 'blobs', 'sha256', hexOf(blob.descriptor.digest))
      expect((await readFile(path)).equals(blob.bytes)).toBe(true)
    }
    expect(await readdir(dir)).not.toContain('.partial')
  })
})

describe('processes that write the same large blob', { timeout: 60_000 }, () => {
  const put = (end: number) => [program, dir, String(bytes.length), String(end)]

  it('go on from what one that was killed has left', async () => {
    const killed = await start(process.execPath, put(middle))
    await killed.printed(/hangs/)
    killed.kill('SIGKILL')
    expect(await killed.ended).toMatchObject({ signal: 'SIGKILL' })
    expect(await parts()).toEqual([expect.stringMatching(/\.open$/)])
    const left = (await stat(await partPath())).size
    expect(left).toBeGreaterThan(middle - mebibyte / 2)
    const { stdout } = await run(process.execPath, put(bytes.length))
    expect(stdout).toBe(`start ${left}\ncopied\n`)
    await expectBlob()
  })

  it('end with the right blob, whoever of them is killed', async () => {
    const hanging = await Promise.all([middle, 2 * middle].map(end => start(process.execPath, put(end))))
    await Promise.all(hanging.map(process => process.printed(/hangs/)))
    const going = Array.from({ length: 3 }, () => run(process.execPath, put(bytes.length)))
    for (const process of hanging) process.kill('SIGKILL')
    for (const { code, stdout } of await Promise.all(going)) {
      expect(code).toBe(0)
      expect(stdout).toMatch(/^(?:start \d+\n)?(?:copied|present)\n$/)
    }
    await expectBlob()
  })
})

async function fail(): Promise<never> {
  throw new Error('broke again')
}

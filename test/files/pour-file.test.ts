import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { pourFile } from '../../src/files/pour-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, number) => number % 251))

/** Pours a file of these bytes into `take`, whose pieces it puts together. */
async function poured(range: { start?: number; end?: number }): Promise<Buffer> {
  await using folder = await makeTempDir()
  const path = join(folder.path, 'file')
  await writeFile(path, bytes)
  await using file = await open(path)
  const pieces: Buffer[] = []
  let isTaking = false
  const take = async (piece: Uint8Array) => {
    expect(isTaking).toBe(false)
    isTaking = true
    await file.stat()
    pieces.push(Buffer.from(piece))
    isTaking = false
  }
  await pourFile(file, take, { path, ...range })
  return Buffer.concat(pieces)
}

describe('a file that is poured out', () => {
  it.each([
    ['from its beginning to its end', {}, 0, 600_000],
    ['from a byte on', { start: 262_145 }, 262_145, 600_000],
    ['from its end on', { start: 600_000 }, 600_000, 600_000],
    ['from one byte to another', { start: 7, end: 524_295 }, 7, 524_296],
    ['up to a byte that it does not have', { end: 700_000 }, 0, 600_000],
  ])('%s comes piece by piece', async (_, range, start, end) => {
    expect((await poured(range)).equals(bytes.subarray(start, end))).toBe(true)
  })

  it('takes no more memory than its bytes where it is small', async () => {
    await using folder = await makeTempDir()
    const path = join(folder.path, 'file')
    await writeFile(path, 'small')
    await using file = await open(path)
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow')
    const pieces: string[] = []
    await pourFile(file, piece => void pieces.push(String(piece)), { path, start: 0, end: 4 })
    const allocated = allocate.mock.calls.map(([bytes]) => bytes)
    allocate.mockRestore()
    expect(pieces).toEqual(['small'])
    expect(allocated).toEqual([5])
  })

  it('ends when its taker fails', async () => {
    await using file = await open(import.meta.filename)
    let taken = 0
    const take = () => {
      taken++
      throw new Error('enough')
    }
    await expect(pourFile(file, take, { path: 'file' })).rejects.toThrow('enough')
    expect(taken).toBe(1)
  })

  it('fails by the name of what cannot be read', async () => {
    await using folder = await makeTempDir()
    await using file = await open(folder.path)
    const fault = { code: 'IO', message: 'the folder: it is a folder' }
    await expect(pourFile(file, () => undefined, { path: 'the folder' })).rejects.toMatchObject(fault)
  })
})

import { link, lutimes, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BlobStore } from '../../src/layout/blob-store.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { makeOld } from '../support/aged-files.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

vi.mock('node:fs/promises', async original => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, link: vi.fn(real.link), lutimes: vi.fn(real.lutimes) }
})

let folder: TempDir
let store: BlobStore
let other: BlobStore
beforeEach(async () => {
  folder = await makeTempDir()
  store = new BlobStore(join(folder.path, 'store'), 'store')
  other = new BlobStore(join(folder.path, 'other'), 'other')
})
afterEach(async () => {
  vi.mocked(link).mockReset()
  vi.mocked(lutimes).mockReset()
  await folder.remove()
})

const blob = sampleBlob('the content of a blob')
const { digest, size } = blob.descriptor
const pathIn = (name: string) => join(folder.path, name, 'sha256', hexOf(digest))
const write = (to: BlobStore) => to.write({ digest, size }, async () => chunksOf(blob.bytes))
const ageOf = async (path: string) => Date.now() - (await stat(path)).mtimeMs

async function writeOld(): Promise<void> {
  await write(store)
  await makeOld(pathIn('store'))
}

async function statusOf(from: BlobStore) {
  const status = await from.status(digest)
  if (status === undefined) throw new Error('the blob is not there')
  return status
}

/** What the system answers to a call. */
const refusal = (code: string) => Object.assign(new Error(code), { code, syscall: 'test' })

describe('to use a blob', () => {
  it('tells its size and makes its file look new', async () => {
    await writeOld()
    expect(await store.use(digest)).toBe(size)
    expect(await ageOf(pathIn('store'))).toBeLessThan(60_000)
  })

  it('does not write anew what was used a moment ago', async () => {
    await write(store)
    expect(await store.use(digest)).toBe(size)
    expect(lutimes).not.toHaveBeenCalled()
  })

  it('finds nothing where there is nothing, or a symbolic link', async () => {
    expect(await store.use(digest)).toBeUndefined()
    await write(other)
    await writeOld()
    await makeOld(pathIn('other'))
    await rename(pathIn('other'), `${pathIn('other')}.target`)
    await symlink(`${pathIn('other')}.target`, pathIn('other'))
    expect(await other.use(digest)).toBeUndefined()
    expect(await ageOf(`${pathIn('other')}.target`)).toBeGreaterThan(60_000)
  })

  it('finds nothing when the blob goes while it is marked', async () => {
    await writeOld()
    const gone = await statusOf(store)
    vi.mocked(lutimes).mockImplementationOnce(async () => {
      await store.deleteUnused(gone)
      throw refusal('ENOENT')
    })
    expect(await store.use(digest)).toBeUndefined()
  })

  it.each(['EROFS', 'EPERM', 'EACCES', 'ENOSYS'])(
    'is no failure where it cannot be marked: %s',
    async code => {
      await writeOld()
      vi.mocked(lutimes).mockRejectedValueOnce(refusal(code))
      expect(await store.use(digest)).toBe(size)
    },
  )

  it('fails where the disk does', async () => {
    await writeOld()
    vi.mocked(lutimes).mockRejectedValueOnce(refusal('EIO'))
    await expect(store.use(digest)).rejects.toMatchObject({ code: 'IO' })
  })
})

describe('an unused blob', () => {
  it('is deleted', async () => {
    await writeOld()
    expect(await store.deleteUnused(await statusOf(store))).toMatchObject({ digest, size, links: 1 })
    expect(await store.use(digest)).toBeUndefined()
    expect(await readdir(join(folder.path, 'store/sha256'))).toEqual([])
  })

  it('stays when it was used after it was seen', async () => {
    await writeOld()
    const status = await statusOf(store)
    expect(await store.use(digest)).toBe(size)
    expect(await store.deleteUnused(status)).toBeUndefined()
    expect(await store.size(digest)).toBe(size)
    expect(await readdir(join(folder.path, 'store/sha256'))).toEqual([hexOf(digest)])
  })

  it('stays when it came anew after it was seen', async () => {
    await writeOld()
    const status = await statusOf(store)
    await write(store)
    expect(await store.deleteUnused(status)).toBeUndefined()
    expect(await store.size(digest)).toBe(size)
  })

  it('that is gone is none', async () => {
    await writeOld()
    const status = await statusOf(store)
    await store.delete(digest)
    expect(await store.deleteUnused(status)).toBeUndefined()
  })

  it('that is set aside is not listed as a blob, and comes back', async () => {
    await write(store)
    const aside = join(folder.path, 'store/sha256', `.${hexOf(digest)}.unused`)
    await rename(pathIn('store'), aside)
    expect(await store.list()).toEqual([])
    expect(await store.listAside()).toEqual([digest])
    await store.putBack(digest)
    expect(await store.size(digest)).toBe(size)
    await store.putBack(digest) // by two at the same time
    expect(await store.listAside()).toEqual([])
  })

  it('that is set aside goes when it has come anew', async () => {
    await write(store)
    await writeFile(join(folder.path, 'store/sha256', `.${hexOf(digest)}.unused`), 'what was here before')
    await store.putBack(digest)
    expect(await readdir(join(folder.path, 'store/sha256'))).toEqual([hexOf(digest)])
    expect(await store.size(digest)).toBe(size)
  })
})

describe('a blob of another store', () => {
  const inodes = async () => [(await stat(pathIn('store'))).ino, (await stat(pathIn('other'))).ino]

  it('is shared as one file', async () => {
    await write(store)
    expect(await other.share(store, digest)).toBe(true)
    const [one, another] = await inodes()
    expect(one).toBe(another)
    expect((await statusOf(store)).links).toBe(2)
  })

  it('takes the place of what is there, and sharing it again changes nothing', async () => {
    await write(store)
    await write(other)
    for (const _ of [1, 2]) {
      expect(await other.share(store, digest)).toBe(true)
      const [one, another] = await inodes()
      expect(one).toBe(another)
      expect(await readdir(join(folder.path, 'other/sha256'))).toEqual([hexOf(digest)])
      expect((await statusOf(store)).links).toBe(2)
    }
  })

  it.each(['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP'])('is not shared where that cannot be: %s', async code => {
    await write(store)
    vi.mocked(link).mockRejectedValue(refusal(code))
    expect(await other.share(store, digest)).toBe(false)
    expect(await other.share(other, digest)).toBe(false)
  })

  it('is linked, or copied where that cannot be, and then counts as used', async () => {
    await writeOld()
    await other.link(store, digest)
    expect(await ageOf(pathIn('other'))).toBeLessThan(60_000)
    await other.delete(digest)
    vi.mocked(link).mockRejectedValue(refusal('EXDEV'))
    await other.link(store, digest)
    expect((await statusOf(other)).links).toBe(1)
    expect(await other.size(digest)).toBe(size)
  })

  it('that is not there is not found', async () => {
    await expect(other.link(store, digest)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await other.share(store, digest)).toBe(false)
  })
})

it('a file that is adopted counts as used just now, however old it is', async () => {
  const file = join(folder.path, 'file')
  await writeFile(file, blob.bytes)
  await makeOld(file)
  await store.adopt(file, digest)
  expect(await ageOf(pathIn('store'))).toBeLessThan(60_000)
})

import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyIndex, formatIndex, maxIndexBytes } from '../../src/layout/index-document.ts'
import { type IndexEntry, listManifest, removeTag } from '../../src/layout/index-entries.ts'
import { IndexFile } from '../../src/layout/index-file.ts'
import { KeyedLock } from '../../src/layout/keyed-lock.ts'
import { LayoutCache } from '../../src/layout/layout-cache.ts'
import { refNameKey } from '../../src/layout/ref-name.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

let folder: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'index.json')
  await writeFile(path, formatIndex(emptyIndex))
})
afterEach(() => folder.remove())

const digestOfNumber = (number: number) => `sha256:${String(number).padStart(64, '0')}`
const entry = (number: number): IndexEntry => ({
  mediaType: 'x/y',
  digest: digestOfNumber(number),
  size: 1,
  annotations: { [refNameKey]: `v${number}` },
})

describe('index.json that is opened with a cache', () => {
  it('is not parsed again by the process that wrote it', async () => {
    const file = new IndexFile(folder.path, new KeyedLock(), new LayoutCache())
    const seen: (readonly IndexEntry[])[] = []
    for (const number of [1, 2, 3]) {
      await file.update(entries => {
        seen.push(entries)
        return [...entries, entry(number)]
      })
    }
    // The same objects, so they cannot come from the file.
    expect(seen[2]?.[0]).toBe(seen[1]?.[0])
    expect(await file.read()).toBe(await file.read())
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(await file.read())
  })

  it('is changed on top of what another process wrote, however soon', async () => {
    const own = new IndexFile(folder.path, new KeyedLock(), new LayoutCache())
    const other = new IndexFile(folder.path, new KeyedLock(), new LayoutCache())
    for (let number = 0; number < 20; number += 1) {
      await (number % 2 === 0 ? own : other).update(entries => [...entries, entry(number)])
    }
    for (const file of [own, other]) {
      const { manifests } = await file.read()
      expect(manifests?.map(({ digest }) => digest)).toEqual(
        Array.from({ length: 20 }, (_, at) => digestOfNumber(at)),
      )
    }
  })
})

it('index.json does not grow beyond what can be read, and stays what it was', {
  timeout: 20_000,
}, async () => {
  const large = { ...emptyIndex, annotations: { x: 'x'.repeat(maxIndexBytes - 1000) } }
  await writeFile(path, formatIndex(large))
  const { size } = await stat(path)
  const file = new IndexFile(folder.path, new KeyedLock())
  const grow = file.update(() => Array.from({ length: 10 }, (_, number) => entry(number)))
  await expect(grow).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining(path) })
  expect((await stat(path)).size).toBe(size)
})

describe('a tag among many', () => {
  it.each([
    [
      'is listed',
      (entries: IndexEntry[]) =>
        listManifest(entries, descriptorOf(sampleImage('new').manifest), {
          tags: ['new'],
          keepUntagged: true,
        }),
    ],
    [
      'is moved',
      (entries: IndexEntry[]) =>
        listManifest(entries, descriptorOf(sampleImage('new').manifest), {
          tags: ['v7'],
          keepUntagged: true,
        }),
    ],
    ['is removed', (entries: IndexEntry[]) => removeTag(entries, 'v7', { keepUntagged: true })],
  ])('%s by looking at each entry a few times', (_, change) => {
    const count = 1000
    let looks = 0
    const entries = Array.from({ length: count }, (_, number): IndexEntry => {
      const { digest, ...others } = entry(number)
      return {
        ...others,
        get digest() {
          looks += 1
          return digest
        },
      }
    })
    const changed = change(entries)
    expect(looks).toBeLessThan(10 * count)
    expect(changed.length).toBeGreaterThanOrEqual(count)
  })
})

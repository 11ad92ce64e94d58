import { statSync } from 'node:fs'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
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

describe('changes of index.json that are made at the same time', () => {
  const add = (number: number) => (entries: readonly IndexEntry[]) => [...entries, entry(number)]
  const upTo = (count: number) => Array.from({ length: count }, (_, number) => number)
  const numbersIn = async () => {
    const { manifests } = await new IndexFile(folder.path, new KeyedLock()).read()
    return manifests?.map(({ digest }) => Number(digest.slice('sha256:'.length)))
  }
  const outcomes = async (changes: readonly Promise<void>[]) =>
    (await Promise.allSettled(changes)).map(outcome =>
      outcome.status === 'fulfilled' ? 'done' : outcome.reason,
    )

  it('share a writing, 64 of them at most, and are made in the order in which they came', async () => {
    const file = new IndexFile(folder.path, new KeyedLock(), new LayoutCache())
    const lengths: number[] = []
    const shared: { file: number; changes: number }[] = []
    await Promise.all(
      upTo(150).map(number =>
        file.update(entries => {
          lengths.push(entries.length)
          const { ino } = statSync(path)
          const last = shared.at(-1)
          if (last?.file === ino) last.changes += 1
          else shared.push({ file: ino, changes: 1 })
          return add(number)(entries)
        }),
      ),
    )
    expect(lengths).toEqual(upTo(150))
    expect(shared.map(({ changes }) => changes)).toEqual([64, 64, 22])
    expect(await numbersIn()).toEqual(upTo(150))
  })

  it('fail alone, with what they and their preparations throw', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    const [refused, unprepared] = [new Error('refused'), new Error('unprepared')]
    const refuse = (error: Error) => () => Promise.reject(error)
    const changes = [
      file.update(add(0)),
      file.update(refuse(refused)),
      file.update(add(1)),
      file.update(add(2), refuse(unprepared)),
      file.update(add(3)),
    ]
    expect(await outcomes(changes)).toEqual(['done', refused, 'done', unprepared, 'done'])
    expect(await numbersIn()).toEqual([0, 1, 3])
  })

  it('leave the file as it was where all of them fail', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    const { ino } = await stat(path)
    const refused = new Error('refused')
    const refuse = () => Promise.reject(refused)
    expect(await outcomes([file.update(refuse), file.update(refuse)])).toEqual([refused, refused])
    expect((await stat(path)).ino).toBe(ino)
    expect(await readdir(folder.path)).toEqual(['index.json'])
  })

  it('are prepared while nobody else can change the file, beside one another', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    let others = 0
    let release = () => {}
    const allHere = new Promise<void>(resolve => {
      release = resolve
    })
    const prepare = async () => {
      expect(await readdir(folder.path)).toContain('index.json.lock')
      others += 1
      if (others === 3) release()
      await allHere
    }
    await Promise.all(upTo(3).map(number => file.update(add(number), prepare)))
    expect(await numbersIn()).toEqual([0, 1, 2])
  })

  it('all fail when the file cannot be written, and the next one does not', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    const refused = new Error('refused')
    const tooMuch = entry(0)
    Object.assign(tooMuch, { x: 'x'.repeat(maxIndexBytes) })
    const changes = [
      file.update(add(1)),
      file.update(() => Promise.reject(refused)),
      file.update(entries => [...entries, tooMuch]),
      file.update(add(2)),
    ]
    const tooLarge = expect.objectContaining({ code: 'UNSUPPORTED' })
    expect(await outcomes(changes)).toEqual([tooLarge, refused, tooLarge, tooLarge])
    expect(await numbersIn()).toEqual([])
    await file.update(add(3))
    expect(await numbersIn()).toEqual([3])
  })

  it('all fail when the file cannot be read, after what they prepared has ended', async () => {
    await writeFile(path, 'no index')
    const file = new IndexFile(folder.path, new KeyedLock())
    const seen: string[][] = []
    const prepare = async () => {
      await readFile(path)
      await readFile(path)
      seen.push(await readdir(folder.path))
    }
    const malformed = expect.objectContaining({ code: 'INTEGRITY' })
    expect(await outcomes([file.update(add(1), prepare), file.update(add(2), prepare)])).toEqual([
      malformed,
      malformed,
    ])
    expect(seen).toHaveLength(2)
    for (const names of seen) expect(names).toContain('index.json.lock')
  })

  it('come before and after the work that has the file for itself, as they were asked for', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    const seen: number[] = []
    const alone = file.exclusively(async (entries, replace) => {
      seen.push(entries.length)
      await replace([entry(7)])
    })
    await Promise.all([alone, file.update(add(8)), file.update(add(9))])
    expect(seen).toEqual([0])
    expect(await numbersIn()).toEqual([7, 8, 9])
    await Promise.all([
      file.update(add(1)),
      file.update(add(2)),
      file.exclusively(async (entries, replace) => {
        seen.push(entries.length)
        await replace([])
      }),
      file.update(add(3)),
      file.update(add(4)),
    ])
    expect(seen).toEqual([0, 5])
    expect(await numbersIn()).toEqual([3, 4])
  })

  it('by two that do not know of one another are all made', async () => {
    const files = [0, 1].map(() => new IndexFile(folder.path, new KeyedLock(), new LayoutCache()))
    await Promise.all(
      upTo(200).map(async number => {
        // Some wait for others, so that there are groups of many sizes.
        if (number % 3 === 0) await files[(number + 1) % 2]?.read()
        await files[number % 2]?.update(add(number))
      }),
    )
    expect((await numbersIn())?.sort((a, b) => a - b)).toEqual(upTo(200))
  })
})

describe('a change of index.json that stood still until another process took its lock', () => {
  const add = (number: number) => (entries: readonly IndexEntry[]) => [...entries, entry(number)]
  const lost = { code: 'TIMEOUT', message: expect.stringContaining('index.json.lock') }
  /** What the others do meanwhile: they break the lock and make a change. */
  const overtake = async () => {
    await rm(`${path}.lock`)
    await new IndexFile(folder.path, new KeyedLock()).update(add(2))
  }

  it.each([
    ['shared with others', (file: IndexFile) => file.update(add(1), overtake)],
    [
      'alone',
      (file: IndexFile) =>
        file.exclusively(async (entries, replace) => {
          await overtake()
          await replace(add(1)(entries))
        }),
    ],
  ])('fails and changes nothing, %s', async (_, change) => {
    const file = new IndexFile(folder.path, new KeyedLock(), new LayoutCache())
    await expect(change(file)).rejects.toMatchObject(lost)
    expect((await file.read()).manifests).toEqual([entry(2)])
    expect(await readdir(folder.path)).toEqual(['index.json'])
    await file.update(add(3))
    expect((await file.read()).manifests).toEqual([entry(2), entry(3)])
  })

  it('leaves the lock to the other', async () => {
    const file = new IndexFile(folder.path, new KeyedLock())
    const change = file.update(add(1), async () => {
      await rm(`${path}.lock`)
      await writeFile(`${path}.lock`, 'the other')
    })
    await expect(change).rejects.toMatchObject(lost)
    expect(await readFile(`${path}.lock`, 'utf8')).toBe('the other')
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

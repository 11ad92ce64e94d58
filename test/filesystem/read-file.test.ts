import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type FileContentOptions, fileContent } from '../../src/filesystem/read-file.ts'
import { flow } from '../../src/flow.ts'
import { bytesOf, imageOf, imageOfTexts, layerOf, type TestImage } from './layers.ts'

async function content({ image }: TestImage, path: string, options?: FileContentOptions): Promise<string> {
  return (await bytesOf(fileContent(image, path, options))).toString()
}

/** The numbers of the layers that were read, in order. */
function readLayers({ store, blobs }: TestImage): readonly number[] {
  const digests = blobs.map(({ descriptor }) => descriptor.digest)
  return store.callsOf('getBlob').map(call => digests.findIndex(digest => call.includes(digest)) + 1)
}

const base = [
  'bin -> usr/bin',
  'usr/',
  'usr/bin/',
  'usr/bin/busybox = box',
  'usr/bin/sh => usr/bin/busybox',
  'usr/bin/ls -> busybox',
  'usr/bin/up -> ../../../../etc/motd',
  'usr/bin/absolute -> /etc/motd',
  'usr/bin/through -> ../../deep/../motd',
  'deep -> etc/conf.d',
  'etc/',
  'etc/conf.d/x = y',
  'etc/motd = hello',
  'loop -> loop2',
  'loop2 -> loop',
  'dangling -> nowhere/at/all',
  'shy => usr/bin/ls',
  'pipe | fifo',
  'empty = ',
]

describe('a file', () => {
  it.each([
    ['etc/motd', 'hello'],
    ['/etc/motd', 'hello'],
    ['./etc//./motd', 'hello'],
    ['../../etc/conf.d/../motd', 'hello'],
    ['/bin/busybox', 'box'],
    ['/bin/sh', 'box'],
    ['/bin/ls', 'box'],
    ['bin/up', 'hello'],
    ['bin/absolute', 'hello'],
    ['bin/through', 'hello'],
    ['deep/x', 'y'],
    ['empty', ''],
  ])('is found at %s', async (path, expected) => {
    for (const options of [{}, { verify: true }]) {
      expect(await content(await imageOfTexts(base), path, options)).toBe(expected)
      expect(await content(await imageOfTexts(base, ['opt/'], []), path, options)).toBe(expected)
    }
  })

  it.each<[string, string[][], string, string]>([
    ['the newest layer', [['a = 1'], ['a = 2'], ['b = 3']], 'a', '2'],
    ['where a newer symlink leads', [['etc/a = 1', 'opt/a = 2'], ['etc -> opt']], 'etc/a', '2'],
    ['where a symlink leads into a newer layer', [['l -> r', 'r/a = 1'], ['r/a = 2']], 'l/a', '2'],
    ['a folder that took the place of a symlink', [['l -> r', 'r/a = 1'], ['l/a = 2']], 'l/a', '2'],
    ['a link to a file that was deleted', [['a = 1', 'b => a'], ['.wh.a']], 'b', '1'],
    ['a link to a file of an older layer', [['a = 1'], ['b => a'], ['a = 3']], 'b', '1'],
    [
      'a link to a symlink',
      [
        ['d/a = 1', 'd/s -> a', 'd/h => d/s'],
        ['.wh.d', 'd/h -> b', 'd/b = 2'],
      ],
      'd/h',
      '2',
    ],
  ])('comes from %s', async (_, layers, path, expected) => {
    for (const options of [{}, { verify: true }]) {
      expect(await content(await imageOfTexts(...layers), path, options)).toBe(expected)
    }
  })

  it.each<[string, string, RegExp, RegExp?]>([
    ['nope', 'NOT_FOUND', /"nope" is not in the image/],
    ['etc/nope', 'NOT_FOUND', /"etc\/nope" is not in the image/],
    ['/bin/nope', 'NOT_FOUND', /"\/bin\/nope" is not in the image/, /there is no "usr\/bin\/nope"/],
    ['etc/motd/', 'NOT_FOUND', /"etc\/motd\/" is not in the image/, /"etc\/motd" is no folder/],
    ['etc/motd/x', 'NOT_FOUND', /is not in the image/, /"etc\/motd" is no folder/],
    ['dangling', 'NOT_FOUND', /"dangling" is not in the image/, /there is no "nowhere"/],
    ['loop', 'NOT_FOUND', /"loop" is not in the image/, /leads in a circle/],
    ['loop/x', 'NOT_FOUND', /is not in the image/, /leads in a circle/],
    ['etc', 'UNSUPPORTED', /"etc" is a folder, not a file/, /ls-files/],
    ['bin', 'UNSUPPORTED', /"bin" is a folder/],
    ['', 'UNSUPPORTED', /is a folder/],
    ['/', 'UNSUPPORTED', /is a folder/],
    ['pipe', 'UNSUPPORTED', /"pipe" is a fifo/],
  ])('that is none is told of: %s', async (path, code, message, hint) => {
    for (const options of [{}, { verify: true }]) {
      const image = await imageOfTexts(base, ['opt/'])
      const shown = expect.objectContaining({ code, message: expect.stringMatching(message) })
      const fault = await content(image, path, options).catch(error => error)
      expect(fault).toEqual(shown)
      if (hint !== undefined) expect(fault.hint).toMatch(hint)
      expect(image.store.openStreams).toBe(0)
    }
  })
})

describe('layers are read', () => {
  it.each<[string, string[][], string, number[]]>([
    ['until the file is found', [['a = 1'], ['b = 2'], ['a = 3'], ['c = 4']], 'a', [4, 3]],
    ['until a whiteout hides all below', [['a = 1'], ['b = 2'], ['.wh.a'], ['c = 4']], 'a', [4, 3]],
    ['until a folder above is hidden', [['d/e/a = 1'], ['.wh.d'], ['c = 4']], 'd/e/a', [3, 2]],
    ['until a folder above is emptied', [['d/e/a = 1'], ['d/.wh..wh..opq'], ['c = 4']], 'd/e/a', [3, 2]],
    ['until a folder above is a file', [['d/e/a = 1'], ['d = 2'], ['c = 4']], 'd/e/a', [3, 2]],
    ['until the path is a folder', [['a = 1'], ['a/b = 2'], ['c = 4']], 'a', [3, 2]],
    ['to the last when nothing is found', [['a = 1'], ['b = 2']], 'c', [2, 1]],
    [
      'once more for a file that had passed before a symlink led to it',
      [['a = 1'], ['b = 2'], ['a = 3', 'c -> a']],
      'c',
      [3, 3],
    ],
    [
      'once more for the newer layer that an older symlink leads to',
      [['c -> a'], ['a = 2'], ['d = 3']],
      'c',
      [3, 2, 1, 2],
    ],
    ['once more for what a hard link leads to', [['a = 1', 'b => a']], 'b', [1, 1]],
  ])('newest first %s', async (_, layers, path, expected) => {
    const image = await imageOfTexts(...layers)
    await content(image, path).catch(() => undefined)
    expect(readLayers(image)).toEqual(expected)
    expect(image.store.openStreams).toBe(0)
  })

  it('no further than to the file, and not again for what is behind it', async () => {
    const layer = await layerOf('a = 1', { name: 'large', content: randomBytes(8_000_000) })
    const image = await imageOf([layer], { compress: bytes => bytes })
    let given = 0
    image.store.faults.getBlob = async function* (chunks) {
      for await (const piece of chunks) {
        given += piece.length
        yield piece
      }
    }
    expect(await content(image, 'a')).toBe('1')
    expect(given).toBeLessThan(10_000)
    expect(await content(image, 'a', { verify: true })).toBe('1')
    expect(given).toBeGreaterThan(layer.length)
  })

  it('for a file of any size, before it or behind it', async () => {
    const large = randomBytes(1_000_000)
    const image = await imageOfTexts([{ name: 'large', content: large }, 'l -> large'])
    for (const path of ['large', 'l']) {
      for (const options of [{}, { verify: true }]) {
        const bytes = await bytesOf(
          flow(take =>
            fileContent(image.image, path, options).pour(async piece => {
              await new Promise(setImmediate)
              await take(piece)
            }),
          ),
        )
        expect(bytes.equals(large)).toBe(true)
      }
    }
  })

  it('without waiting for a transfer that hangs behind the file', async () => {
    const image = await imageOf([await layerOf('a = 1', { name: 'large', content: 'x'.repeat(100_000) })], {
      compress: bytes => bytes,
    })
    image.store.faults.getBlob = async function* (chunks, _, { signal }) {
      let given = 0
      for await (const piece of chunks) {
        given += piece.length
        yield piece
        if (given < 8192) continue
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      }
    }
    expect(await content(image, 'a')).toBe('1')
    expect(image.store.openStreams).toBe(0)
  })
})

describe('what is verified', () => {
  /** A layer with another byte behind the file. */
  async function spoiled(): Promise<TestImage> {
    const tar = await layerOf('a = 1', { name: 'b', content: 'x'.repeat(100_000) })
    const image = await imageOf([tar], { compress: bytes => bytes })
    const other = Buffer.from(tar)
    other.write('y', 90_000)
    for (const { descriptor } of image.blobs) image.store.blobs.set(descriptor.digest, other)
    return image
  }

  it('is nothing of a layer that is not read to its end', async () => {
    expect(await content(await spoiled(), 'a')).toBe('1')
  })

  it('is with verify the whole layer, before a byte is given out', async () => {
    const given: Uint8Array[] = []
    const { image } = await spoiled()
    const reading = fileContent(image, 'a', { verify: true }).pour(piece => {
      given.push(piece)
      return undefined
    })
    await expect(reading).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(given).toEqual([])
  })

  it('may have a name twice: then the last counts, as in a container, and without verify the first is taken', async () => {
    const image = await imageOfTexts(['a = 1', 'a = 2'])
    expect(await content(image, 'a')).toBe('1')
    expect(await content(image, 'a', { verify: true })).toBe('2')
  })

  it('may have 64 MiB', async () => {
    const image = await imageOf([await layerOf({ name: 'a', content: Buffer.alloc(64 * 1024 ** 2 + 1) })])
    await expect(content(image, 'a', { verify: true })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('67108865 bytes'),
    })
  })
})

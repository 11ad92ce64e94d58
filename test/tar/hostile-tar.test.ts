import { describe, expect, it } from 'vitest'
import { formatPax } from '../../src/tar/pax-records.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import { realContent } from '../../src/tar/real-content.ts'
import {
  bytesOf,
  endBlocks,
  handmadeBlock,
  itemsOf,
  longHeader,
  padded,
  piecesOf,
  sampleTar,
  withChecksum,
} from './sample-tar.ts'

const magic = 'ustar\x0000'
const fault = (message: string | RegExp) => ({
  code: 'INTEGRITY',
  message: typeof message === 'string' ? `sample.tar: ${message}` : expect.stringMatching(message),
})
const pax = (key: string, value: string) => longHeader('x', formatPax([{ key, value: Buffer.from(value) }]))
const refused = (bytes: Buffer, message: string | RegExp, options = {}) =>
  expect(itemsOf(bytes, options)).rejects.toMatchObject(fault(message))

describe('an archive that is cut off', () => {
  it('is refused wherever it is cut, but where an entry has just ended', async () => {
    const long = 'long-'.repeat(30)
    const entries = [{ name: 'a', text: 'x'.repeat(1300) }, { name: long, text: 'long' }, { name: 'c' }]
    const bytes = await sampleTar(...entries)
    // A head and three blocks; a PAX header of two, a head and a block; a head.
    const ends = [0, 4, 8, 9].map(block => block * 512)
    expect(bytes.length).toBe(9 * 512 + 1024)
    for (let length = 0; length <= bytes.length; length += 256) {
      for (const cut of [length, length + 1, length + 511].filter(cut => cut < bytes.length)) {
        const oddities: string[] = []
        const reading = itemsOf(bytes.subarray(0, cut), { onOddity: text => oddities.push(text) })
        if (cut >= 10 * 512 || ends.includes(cut)) {
          expect(await reading).toHaveLength(cut >= 10 * 512 ? 3 : ends.indexOf(cut))
          expect(oddities).toEqual(['the two blocks of zeros that end an archive are missing'])
        } else {
          await expect(reading, `at byte ${cut}`).rejects.toMatchObject(fault(/cut off/))
        }
      }
    }
  })

  it('is said to be by the content too, with the name of its entry', async () => {
    const bytes = await sampleTar({ name: 'a\nb', text: 'x'.repeat(1000) })
    await refused(bytes.subarray(0, 700), 'entry "a\\u{a}b" is cut off, the archive ends at byte 700')
  })
})

describe('what is behind the end of an archive', () => {
  it.each([
    ['zeros', async () => Buffer.alloc(9216), []],
    ['zeros that fill no block', async () => Buffer.alloc(100), []],
    ['another archive', () => sampleTar({ name: 'hidden' }), ['something is behind the end of the archive']],
  ])('is no entry, and told of where it is not zeros: %s', async (_, behind, expected) => {
    const oddities: string[] = []
    const bytes = Buffer.concat([await sampleTar({ name: 'a' }), await behind()])
    const items = await itemsOf(bytes, { onOddity: text => oddities.push(text) })
    expect(items.map(item => item.name)).toEqual(['a'])
    expect(oddities).toEqual(expected)
  })
})

describe('what is no archive', () => {
  it.each([
    ['a text', Buffer.from('no archive, but a text that is longer than one block. '.repeat(20))],
    ['random bytes', Buffer.from(Array.from({ length: 2048 }, (_, index) => (index * 7919 + 13) % 251))],
  ])('is refused: %s', (_, bytes) => refused(bytes, 'not a tar archive'))

  it('is refused where it begins', async () => {
    const bytes = await sampleTar({ name: 'a' }, { name: 'b' })
    bytes[512] = 0x63
    await refused(bytes, 'the header at byte 512 is damaged')
  })

  it('is a single block of zeros between two entries', async () => {
    const entry = handmadeBlock({ 0: 'a', 156: '0', 257: magic })
    await refused(
      Buffer.concat([entry, Buffer.alloc(512), entry]),
      'a single block of zeros before byte 1536',
    )
  })

  it('is refused for each bit that is not as it was in a header', async () => {
    const bytes = await sampleTar({ name: 'a' })
    for (let bit = 0; bit < 512 * 8; bit += 37) {
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8((damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3)
      await expect(itemsOf(damaged), `bit ${bit}`).rejects.toMatchObject({ code: 'INTEGRITY' })
    }
  })
})

describe('an entry that cannot be is refused', () => {
  const block = (fields: Record<number, string | Uint8Array>) =>
    handmadeBlock({ 0: 'evil', 156: '0', 257: magic, ...fields })
  const minusOne = Buffer.alloc(12, 0xff)
  const huge = Buffer.concat([Buffer.of(0x80), Buffer.alloc(11, 0x7f)])

  it.each([
    ['a negative size', block({ 124: minusOne })],
    ['a huge size', block({ 124: huge })],
    ['a size that is none', Buffer.concat([pax('size', '12x'), block({})])],
    ['a negative size in a record', Buffer.concat([pax('size', '-1'), block({})])],
    ['a huge size in a record', Buffer.concat([pax('size', '9'.repeat(30)), block({})])],
    ['a user that is none', Buffer.concat([pax('uid', 'root'), block({})])],
    ['a time that is none', Buffer.concat([pax('mtime', '1e9'), block({})])],
    ['a NUL in its name', Buffer.concat([pax('path', 'a\0b'), block({})])],
    ['a NUL in its target', Buffer.concat([pax('linkpath', 'a\0b'), block({ 156: '2' })])],
    ['a link to nothing', block({ 156: '1' })],
    ['a symlink to nothing that claims to have content', block({ 124: '7', 156: '2' })],
    ['an unknown type', block({ 156: 'V' })],
    ['a map that goes back', Buffer.concat([pax('GNU.sparse.map', '5,1,3,1'), block({})])],
    [
      'a map that goes beyond the file',
      block({ 156: 'S', 257: 'ustar  \0', 386: '00000000000 00000000100 ', 483: '10' }),
    ],
  ])('for %s', async (_, bytes) => {
    await refused(
      Buffer.concat([bytes, endBlocks]),
      /^sample\.tar: (?:entry "|the header at byte 0 is damaged)/,
    )
  })

  it.each([
    ['a negative size', withChecksum(Buffer.concat([block({ 156: 'x' })]).fill(0xff, 124, 136))],
    ['a huge size', block({ 156: 'x', 124: huge })],
    ['a size of several gigabytes', block({ 156: 'L', 124: '77777777777' })],
    ['no record', longHeader('x', 'this is no record')],
    ['a record that is longer than the header', longHeader('x', '99 path=a\n')],
    ['a record without an end', longHeader('x', '9 path=ab')],
    ['a record of no length', longHeader('x', '0 path=a\n')],
  ])('for a long header with %s', async (_, header) => {
    await refused(Buffer.concat([header, block({}), endBlocks]), /^sample\.tar: .*header/)
  })

  it('for a long header at the end', async () => {
    const header = pax('path', 'a')
    await refused(header, 'cut off at byte 1024')
    await refused(Buffer.concat([header, endBlocks]), 'the header at byte 0 belongs to no entry')
  })
})

describe('an archive that goes on and on is refused', () => {
  it('for its entries', async () => {
    const bytes = await sampleTar({ name: 'a' }, { name: 'b' }, { name: 'c' })
    expect(await itemsOf(bytes, { maxEntries: 3 })).toHaveLength(3)
    await refused(bytes, 'more than 2 entries, which is the limit', { maxEntries: 2 })
  })

  it.each([
    ['long names', 'L'],
    ['PAX headers', 'x'],
    ['headers for all entries', 'g'],
  ])('for %s without an entry', async (_, flag) => {
    const one = flag === 'L' ? longHeader('L', 'a'.repeat(400)) : longHeader(flag, '8 a=bcd\n')
    let given = 0
    const chunks = (async function* () {
      for (;;) {
        given += one.length
        yield one
      }
    })()
    await expect(itemsOf(chunks)).rejects.toMatchObject(fault(/headers .*of more than \d+ bytes/))
    expect(given).toBeLessThan(2 ** 21)
  })

  it('for one header that is too long, before it is read', async () => {
    const start = longHeader('x', 'x'.repeat(2000)).subarray(0, 512)
    await refused(start, 'headers of more than 1000 bytes, which is the limit', { maxHeadBytes: 1000 })
  })

  it('for headers for all entries that come one between two entries', async () => {
    const entry = handmadeBlock({ 0: 'a', 156: '0', 257: magic })
    const pairs = Array.from({ length: 40 }, (_, index) => [
      longHeader('g', `512 k${index}=${'v'.repeat(505 - `${index}`.length)}\n`),
      entry,
    ])
    await refused(Buffer.concat(pairs.flat()), /headers for all entries of more than 16384 bytes/)
  })
})

it('a name that occurs again is read again, and nothing is refused for its name', async () => {
  const names = ['a', 'a', '/etc/passwd', '../../out', '.']
  const items = await itemsOf(await sampleTar(...names.map(name => ({ name }))))
  expect(items.map(item => item.name)).toEqual(names)
})

it('a sparse file whose map does not fit its content is refused when it is unpacked', async () => {
  const contents = ['1\n0\n100\n', '2\n0\n1\n', '1\nx\n1\n', '99999999999\n', '1\n0\n1\n']
  for (const content of contents) {
    const records = {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.realsize': '50',
      size: '515',
    }
    const header = longHeader(
      'x',
      formatPax(Object.entries(records).map(([key, value]) => ({ key, value: Buffer.from(value) }))),
    )
    const entry = handmadeBlock({ 0: 'sparse', 156: '0', 257: magic })
    const bytes = Buffer.concat([header, entry, padded(content), padded('abc'), endBlocks])
    for await (const item of readTar(piecesOf(bytes), { name: 'sample.tar' })) {
      await expect(bytesOf(realContent(item, 'sample.tar')), content).rejects.toMatchObject(
        fault('entry "sparse" has a map of its holes that does not fit its content'),
      )
    }
  }
})

import { describe, expect, it } from 'vitest'
import { exportImage, exportLayer } from '../../src/filesystem/export-image.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import type { TarHeader } from '../../src/tar/tar-header.ts'
import { run } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { bytesOf, chunksOf, type Entry, entriesOf, imageOf, imageOfTexts, layerOf } from './layers.ts'

/** The headers of the entries as they stand in an archive. */
async function headsOf(tar: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const heads = new Map<string, Buffer>()
  for await (const { name, head } of readTar(chunksOf(tar), { name: 'tar' }))
    heads.set(name, Buffer.from(head))
  return heads
}

describe('an exported entry', () => {
  const xattrs = new Map([['security.capability', Buffer.from([1, 0, 0, 2, 255, 10, 61])]])
  const odd: readonly Entry[] = [
    {
      name: 'dir',
      type: 'directory',
      mode: 0o1777,
      uid: 3_000_000,
      gid: 7,
      uname: 'jörg',
      gname: 'g',
      mtime: 1.5,
      xattrs,
    },
    { name: `dir/${'long'.repeat(60)}`, content: 'long', mtime: -5, xattrs },
    { name: 'symlink', type: 'symlink', linkname: `/${'far/'.repeat(40)}`, uid: 1 },
    { name: 'tty', type: 'character-device', devmajor: 5, devminor: 1, mode: 0o620 },
    { name: 'disk', type: 'block-device', devmajor: 8, devminor: 300 },
    { name: 'pipe', type: 'fifo', mtime: 12 },
    { name: 'ä\udcff\u{1f433}', content: 'name of bytes' },
  ]

  it('has all that the layer tells of it, whatever its type and however long its name', async () => {
    const tar = await layerOf(...odd)
    const { image } = await imageOf([tar])
    expect(await entriesOf(exportImage(image))).toEqual(await entriesOf(chunksOf(tar)))
  })

  it('has it too where it is written anew, because its name was in another form', async () => {
    const { image } = await imageOf([await layerOf(...odd.map(one => ({ ...one, name: `./${one.name}` })))])
    const plain = await entriesOf(chunksOf(await layerOf(...odd)))
    const comparable = ({ storedSize: _, ...one }: TarHeader) => one
    expect((await entriesOf(exportImage(image))).map(comparable)).toEqual(plain.map(comparable))
  })

  it('that is a file is passed on byte for byte', async () => {
    const tar = await layerOf({ name: 'a', content: 'x', mtime: 1.25, xattrs })
    // A record that we know nothing of.
    const marked = Buffer.from(tar.toString('latin1').replace('SCHILY.xattr.', 'UNKNOWN.attr.'), 'latin1')
    const { image } = await imageOf([marked])
    expect(await headsOf(await bytesOf(exportImage(image)))).toEqual(await headsOf(marked))
  })

  it('that is no file claims no content, so that all readers find the next one', async () => {
    const tar = await layerOf({ name: 'a', type: 'symlink', linkname: 'b' }, { name: 'hidden', content: 'x' })
    tar.write('00000001000', 124)
    const sum =
      tar.subarray(0, 148).reduce((all, byte) => all + byte, 8 * 32) +
      tar.subarray(156, 512).reduce((all, byte) => all + byte, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const { image } = await imageOf([tar])
    const { stdout } = await run('tar', ['-t'], { input: await bytesOf(exportImage(image)) })
    expect(stdout).toBe('a\nhidden\n')
  })

  it('keeps its holes, and is filled up where it is written anew', async () => {
    await using folder = await makeTempDir()
    const make = 'truncate -s 3M sparse; printf end >> sparse; tar -c --sparse --format=pax -f - "$@" sparse'
    const { stdoutBytes: tar } = await run('sh', ['-c', make, 'sh'], { cwd: folder.path })
    const named = await run('sh', ['-c', make, 'sh', '--transform', 's,^,./,'], { cwd: folder.path })
    expect(tar.length).toBeLessThan(50_000)
    for (const [layer, most] of [
      [tar, 50_000],
      [named.stdoutBytes, 4_000_000],
    ] as const) {
      const out = await bytesOf(exportImage((await imageOf([layer])).image))
      const [entry] = await entriesOf(chunksOf(out))
      expect(entry?.name).toBe('sparse')
      expect(entry?.bytes.equals(Buffer.concat([Buffer.alloc(3 * 1024 ** 2), Buffer.from('end')]))).toBe(true)
      expect(out.length).toBeLessThan(most)
    }
  })
})

describe('an exported archive', () => {
  it('is the same each time', async () => {
    const texts = [
      ['a/', 'a/x = 1', 'b => a/x'],
      ['.wh.a', 'c = 2'],
    ]
    const [one, two] = [await imageOfTexts(...texts), await imageOfTexts(...texts)]
    expect(await bytesOf(exportImage(one.image))).toEqual(await bytesOf(exportImage(two.image)))
  })

  it('reads each layer once, the newest first, and one again only for links whose target is hidden', async () => {
    const { image, store, blobs } = await imageOfTexts(['a = 1', 'b => a'], ['c = 1'], ['a = 2'])
    await bytesOf(exportImage(image))
    const [base, middle, top] = blobs.map(({ descriptor }) => `getBlob ${descriptor.digest} 0`)
    expect(store.calls).toEqual([top, middle, base, base])
    expect(store.openStreams).toBe(0)
  })

  it('of one layer is its uncompressed bytes', async () => {
    const tar = await layerOf('.wh.a', 'b => nowhere', '/c = 1')
    const { image } = await imageOf([tar])
    const [layer] = image.layers
    expect(layer && (await bytesOf(exportLayer(image, layer)))).toEqual(tar)
  })
})

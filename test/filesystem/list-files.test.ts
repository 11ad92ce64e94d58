import { describe, expect, it } from 'vitest'
import { type FileRow, listFiles, listLayer } from '../../src/filesystem/list-files.ts'
import { type Entry, imageOfTexts } from './layers.ts'

/** A row in short: type, size, layer, path and target. */
function shortOf({ type, size, layer, path, target }: FileRow): string {
  return `${type} ${size} ${layer} ${path}${target === null ? '' : ` -> ${target}`}`
}

async function listed(layers: readonly (readonly (string | Entry)[])[], path?: string): Promise<string[]> {
  const { image } = await imageOfTexts(...layers)
  return (await listFiles(image, path)).map(shortOf)
}

const layers = [
  ['./', 'lib -> usr/lib', 'usr/', 'usr/lib/', 'usr/lib/a = 123', 'usr/lib-x = 1', 'usr/lib/b => usr/lib/a'],
  ['usr/lib/c = 12', 'etc/.wh..wh..opq', 'etc/z -> y', '.wh.gone'],
  ['usr/lib/b = 1234'],
]

describe('the files of an image', () => {
  it('are listed by their names, each with the layer that it comes from', async () => {
    expect(await listed(layers)).toEqual([
      'directory 0 1 .',
      'symlink 0 2 etc/z -> y',
      'symlink 0 1 lib -> usr/lib',
      'directory 0 1 usr',
      'directory 0 1 usr/lib',
      'file 3 1 usr/lib/a',
      'file 4 3 usr/lib/b',
      'file 2 2 usr/lib/c',
      'file 1 1 usr/lib-x',
    ])
  })

  it('have all that a layer says of them', async () => {
    const entry: Entry = { name: 'a', content: 'x', mode: 0o4755, uid: 1, gid: 2, uname: 'root', mtime: 1.5 }
    const { image, blobs } = await imageOfTexts([entry, { name: 'far', mtime: 8e14 }])
    const layerDigest = blobs[0]?.descriptor.digest
    const rest = { type: 'file', target: null, layer: 1, layerDigest }
    expect(await listFiles(image)).toEqual([
      {
        ...rest,
        path: 'a',
        mode: '4755',
        uid: 1,
        gid: 2,
        user: 'root',
        group: null,
        size: 1,
        mtime: '1970-01-01T00:00:01.500Z',
      },
      { ...rest, path: 'far', mode: '0644', uid: 0, gid: 0, user: null, group: null, size: 0, mtime: null },
    ])
  })

  it('that are hard links have the size of what they lead to', async () => {
    expect(await listed([['a = 123', 'b => a', 'c => a'], ['.wh.a']])).toEqual([
      'file 3 1 b',
      'link 3 1 c -> b',
    ])
  })

  it('of which a layer has several are listed once', async () => {
    expect(await listed([['a = 1', 'a = 12']])).toEqual(['file 2 1 a'])
  })

  it.each([
    ['usr/lib', ['directory 0 1 usr/lib', 'file 3 1 usr/lib/a', 'file 4 3 usr/lib/b', 'file 2 2 usr/lib/c']],
    ['/usr/lib/a', ['file 3 1 usr/lib/a']],
    ['/lib/a', ['file 3 1 usr/lib/a']],
    ['/lib', ['symlink 0 1 lib -> usr/lib']],
    [
      '/lib/../lib/',
      ['directory 0 1 usr/lib', 'file 3 1 usr/lib/a', 'file 4 3 usr/lib/b', 'file 2 2 usr/lib/c'],
    ],
    ['etc', ['symlink 0 2 etc/z -> y']],
  ])('at and below %s', async (path, expected) => expect(await listed(layers, path)).toEqual(expected))

  it.each(['nope', 'gone', 'etc/z/x', 'usr/lib/a/b'])('that are not there are not found: %s', async path => {
    await expect(listed(layers, path)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it.each<[string, string[][], string, number]>([
    ['a file', [['a = 1'], ['b = 1'], ['c = 1']], 'b', 2],
    ['what was taken away', [['a = 1'], ['.wh.a'], ['c = 1']], 'a', 2],
    ['a folder that was emptied', [['d/a = 1'], ['d/.wh..wh..opq', 'd/b = 1'], ['d/c = 1']], 'd', 2],
    ['a folder that came anew', [['d/a = 1'], ['.wh.d', 'd/b = 1'], ['d/c = 1']], 'd', 2],
    ['a folder that may have more', [['d/a = 1'], ['d/b = 1'], ['d/c = 1']], 'd', 3],
  ])('are looked for in no more layers than it takes: %s', async (_, texts, path, count) => {
    const { image, store } = await imageOfTexts(...texts)
    await listFiles(image, path).catch(() => undefined)
    expect(store.callsOf('getBlob')).toHaveLength(count)
    expect(store.openStreams).toBe(0)
  })
})

describe('the entries of a layer', () => {
  it('are listed as they stand, whiteouts among them', async () => {
    const { image } = await imageOfTexts(
      ['a = 1'],
      ['./b/', 'b/.wh.c => x', '/b/.wh..wh..opq', 'a = 2', 'a = 34'],
    )
    const [, layer] = image.layers
    if (layer === undefined) throw new Error('no layer')
    expect((await listLayer(image, layer)).map(shortOf)).toEqual([
      'directory 0 2 b',
      'whiteout 0 2 b/.wh.c',
      'opaque 0 2 b/.wh..wh..opq',
      'file 1 2 a',
      'file 2 2 a',
    ])
    expect((await listLayer(image, layer, '/b/')).map(({ path }) => path)).toEqual([
      'b',
      'b/.wh.c',
      'b/.wh..wh..opq',
    ])
    await expect(listLayer(image, layer, 'z')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

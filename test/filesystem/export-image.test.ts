import { describe, expect, it } from 'vitest'
import { exportImage } from '../../src/filesystem/export-image.ts'
import { entriesOf, imageOfTexts, shortOf } from './layers.ts'

/** What is exported of layers, the oldest first, in the order of the archive. */
async function exported(...layers: readonly (readonly string[])[]): Promise<readonly string[]> {
  const { image } = await imageOfTexts(...layers)
  return (await entriesOf(exportImage(image))).map(shortOf)
}

describe('layers that are put on one another', () => {
  it.each<[string, string[][], string[]]>([
    [
      'one layer comes as it is',
      [['a/', 'a/x = 1', 'b -> a/x', 'c | fifo']],
      ['a/', 'a/x = 1', 'b -> a/x', 'c | fifo'],
    ],
    [
      'the newest of several files comes first and alone',
      [['a = 1', 'b = 1'], ['a = 2']],
      ['a = 2', 'b = 1'],
    ],
    ['an image without layers is empty', [], []],
    ['a layer without entries adds nothing', [['a = 1'], []], ['a = 1']],
    [
      'folders merge, with what the newest says of them',
      [
        ['a/ 0700', 'a/x = 1'],
        ['a/', 'a/y = 2'],
      ],
      ['a/', 'a/y = 2', 'a/x = 1'],
    ],
    [
      'a folder that a newer layer only implies is described by the older',
      [['a/', 'a/x = 1'], ['a/y = 2']],
      ['a/y = 2', 'a/', 'a/x = 1'],
    ],
    ['a file takes the place of a folder and all in it', [['a/', 'a/x/', 'a/x/y = 1'], ['a = 2']], ['a = 2']],
    ['a folder takes the place of a file', [['a = 1'], ['a/', 'a/x = 2']], ['a/', 'a/x = 2']],
    ['so does one that is only implied', [['a = 1'], ['a/x = 2']], ['a/x = 2']],
    [
      'what a file had hidden stays hidden when a folder comes in its place',
      [['a/ 0700', 'a/old = 1'], ['a = 2'], ['a/new = 3']],
      ['a/new = 3'],
    ],
    ['a symlink takes the place of a folder', [['a/', 'a/x = 1', 'b/'], ['a -> b']], ['a -> b', 'b/']],
    [
      'a folder below a symlink of an older layer takes its place, as in an overlay',
      [['lib -> usr/lib', 'usr/lib/old = 1'], ['lib/new = 2']],
      ['lib/new = 2', 'usr/lib/old = 1'],
    ],
  ])('%s', async (_, layers, expected) => expect(await exported(...layers)).toEqual(expected))
})

describe('whiteouts', () => {
  it.each<[string, string[][], string[]]>([
    ['take a file of an older layer away', [['a = 1', 'b = 1'], ['.wh.a']], ['b = 1']],
    ['take a folder away with all in it', [['a/', 'a/x/', 'a/x/y = 1', 'ab = 1'], ['.wh.a']], ['ab = 1']],
    [
      'leave their own layer alone, before them and behind',
      [
        ['a = 1', 'b = 1'],
        ['a = 2', '.wh.a', '.wh.b', 'b = 2'],
      ],
      ['a = 2', 'b = 2'],
    ],
    ['leave newer layers alone', [['a = 1'], ['.wh.a'], ['a = 3']], ['a = 3']],
    [
      'give a folder that comes anew nothing of the old one',
      [
        ['a/ 0700', 'a/old = 1'],
        ['.wh.a', 'a/', 'a/new = 2'],
      ],
      ['a/', 'a/new = 2'],
    ],
    ['of something that is not there do nothing', [['a = 1'], ['.wh.b', 'c/.wh.d']], ['a = 1']],
    [
      'are never exported, be they links or folders',
      [
        ['a = 1', 'b = 1'],
        ['.wh.a => .wh..wh.plnk/1', '.wh.b/'],
      ],
      [],
    ],
    [
      'of a name that begins like one take that away',
      [['.wh = 1', 'x.wh.y = 1'], ['.wh..wh']],
      ['x.wh.y = 1'],
    ],
    [
      'that are opaque hide what older layers have in a folder',
      [
        ['a/ 0700', 'a/x = 1', 'a/b/', 'a/b/c = 1', 'b = 1'],
        ['a/.wh..wh..opq', 'a/y = 2'],
      ],
      ['a/y = 2', 'a/ 0700', 'b = 1'],
    ],
    [
      'that are opaque leave their own layer alone wherever they stand',
      [
        ['a/', 'a/x = 1'],
        ['a/', 'a/b/', 'a/b/c = 2', 'a/.wh..wh..opq', 'a/y = 2'],
      ],
      ['a/', 'a/b/', 'a/b/c = 2', 'a/y = 2'],
    ],
    [
      'that are opaque hide the layers below, not those above',
      [
        ['a/', 'a/1 = 1'],
        ['a/', 'a/2 = 2', 'a/.wh..wh..opq'],
        ['a/', 'a/3 = 3'],
      ],
      ['a/', 'a/3 = 3', 'a/2 = 2'],
    ],
    [
      'that are opaque at the root hide all older layers',
      [
        ['a = 1', 'b/', 'b/c = 1'],
        ['.wh..wh..opq', 'd = 2'],
      ],
      ['d = 2'],
    ],
    [
      "of AUFS's own are left out",
      [['a = 1'], ['.wh..wh.aufs = x', '.wh..wh.orph/', '.wh..wh.plnk/']],
      ['a = 1'],
    ],
    [
      'below a symlink of their own layer are where it leads',
      [
        ['r/', 'r/x = 1', 'r/y = 1'],
        ['s -> r', 's/.wh.x'],
      ],
      ['s -> r', 'r/', 'r/y = 1'],
    ],
  ])('%s', async (_, layers, expected) => {
    expect(await exported(...layers)).toEqual(expected.map(text => text.split(' 0')[0]))
  })
})

describe('hard links', () => {
  it.each<[string, string[][], string[]]>([
    ['come behind what they lead to', [['a = 1', 'b => a', 'c => b']], ['a = 1', 'b => a', 'c => a']],
    [
      'lead to another name when the first is hidden, and have the content still',
      [['a = 1', 'b => a', 'c => a'], ['a = 2']],
      ['a = 2', 'b = 1', 'c => b'],
    ],
    [
      'have the content when what they lead to was deleted',
      [['a = 1', 'b => a', 'c = x'], ['.wh.a']],
      ['c = x', 'b = 1'],
    ],
    [
      'that are hidden carry on to those that lead to them',
      [
        ['a = 1', 'b => a', 'c => b'],
        ['.wh.b', 'a = 2'],
      ],
      ['a = 2', 'c = 1'],
    ],
    ['that are hidden are left out', [['a = 1', 'b => a'], ['b = 2']], ['b = 2', 'a = 1']],
    ['lead to files of older layers', [['a = 1'], ['b => a', 'c => b']], ['a = 1', 'b => a', 'c => a']],
    [
      'to a file of an older layer have its content when it is hidden by a newer one',
      [['a = 1', 'z = 1'], ['b => a', 'c => a'], ['.wh.a']],
      ['z = 1', 'b = 1', 'c => b'],
    ],
    [
      'to an older layer share the version that their own layer saw',
      [['a = 1'], ['a = 2'], ['b => a'], ['a = 4']],
      ['a = 4', 'b = 2'],
    ],
    [
      'to an older layer pass by what their own layer has later',
      [['a = 1'], ['b => a', 'a = 2']],
      ['a = 2', 'b = 1'],
    ],
    [
      'go through the links of older layers',
      [['a = 1', 'b => a'], ['c => b'], ['d => c', '.wh.a', '.wh.b', '.wh.c']],
      ['d = 1'],
    ],
    [
      'from several layers meet at one file',
      [['a = 1'], ['b => a'], ['c => a']],
      ['a = 1', 'c => a', 'b => a'],
    ],
    [
      'to symlinks and devices are such too',
      [
        ['s -> x', 'h => s', 'p | fifo', 'q => p'],
        ['.wh.s', '.wh.p'],
      ],
      ['h -> x', 'q | fifo'],
    ],
    [
      "to AUFS's hidden files have their content",
      [['.wh..wh.plnk/1.2 = 1', 'a => .wh..wh.plnk/1.2', 'b => .wh..wh.plnk/1.2']],
      ['a = 1', 'b => a'],
    ],
    [
      'may be written with ./ and slashes',
      [['./a = 1', './b => ./a', '/c => /a']],
      ['a = 1', 'b => a', 'c => a'],
    ],
    [
      'below a symlink of their own layer are where it leads',
      [['r/a = 1', 's -> r', 'b => s/a']],
      ['r/a = 1', 's -> r', 'b => r/a'],
    ],
  ])('%s', async (_, layers, expected) => expect(await exported(...layers)).toEqual(expected))
})

describe('within one layer', () => {
  it.each<[string, string[], string[]]>([
    ['the last of several files counts, when unpacked', ['a = 1', 'a = 2'], ['a = 1', 'a = 2']],
    ['the last of several folders counts', ['a/', 'a/x = 1', 'a/'], ['a/', 'a/x = 1', 'a/']],
    [
      'a link keeps what it led to when that name comes again',
      ['a = 1', 'b => a', 'a = 2', 'c => b', 'd => a'],
      ['a = 1', 'b => a', 'a = 2', 'c => b', 'd => a'],
    ],
    ['an empty folder gives way to a file', ['a/', 'a = 1'], ['a/', 'a = 1']],
    ['a file gives way to a folder', ['a = 1', 'a/', 'a/x = 2'], ['a = 1', 'a/', 'a/x = 2']],
    [
      'symlinks are followed on the way, from the root of the image',
      ['u/l/', 'l -> u/l', 'l/x = 1', 'm -> /l', 'm/y = 2', 'n -> ../../l/../l', 'n/z = 3'],
      ['u/l/', 'l -> u/l', 'u/l/x = 1', 'm -> /l', 'u/l/y = 2', 'n -> ../../l/../l', 'u/l/z = 3'],
    ],
    [
      'names are brought into one form',
      ['./', './a/', './/a/./b = 1', '/c = 2', 'd/../e = 3'],
      ['./', 'a/', 'a/b = 1', 'c = 2', 'e = 3'],
    ],
    [
      'the index and landmarks of eStargz are kept, as an engine without it keeps them',
      ['.prefetch.landmark = x', 'a = 1', 'stargz.index.json = {}'],
      ['.prefetch.landmark = x', 'a = 1', 'stargz.index.json = {}'],
    ],
  ])('%s', async (_, layer, expected) => expect(await exported(layer)).toEqual(expected))
})

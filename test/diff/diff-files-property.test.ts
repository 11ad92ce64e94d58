import fc from 'fast-check'
import { expect, test } from 'vitest'
import { diffImages } from '../../src/diff/diff-images.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { tag } from '../transfer/images.ts'
import { addLayered, layerOf, type TestEntry } from '../validate/layered-image.ts'

const folders = ['', 'd/', 'e/', 'd/f/']
const folder = fc.constantFrom(...folders)
const base = fc.constantFrom('x', 'y')

/** Names of folders are never those of files, so that every layer makes a filesystem. */
const entry: fc.Arbitrary<TestEntry> = fc.oneof(
  fc.record({
    name: fc.tuple(folder, base).map(parts => parts.join('')),
    text: fc.constantFrom('', 'a', 'b'),
    mode: fc.constantFrom(0o644, 0o755),
    uid: fc.constantFrom(0, 1),
  }),
  fc.record({
    name: fc.tuple(folder, base).map(parts => parts.join('')),
    type: fc.constant('symlink' as const),
    linkname: fc.constantFrom('a', '../b'),
  }),
  fc.record({
    name: fc.constantFrom('d/', 'e/', 'd/f/'),
    type: fc.constant('directory' as const),
    mode: fc.constantFrom(0o755, 0o700),
  }),
  fc.constantFrom('x', 'd/y', 'd', 'd/f', 'e/x').map(path => ({ name: path.replace(/([^/]+)$/, '.wh.$1') })),
  fc.constantFrom('d/', 'd/f/').map(path => ({ name: `${path}.wh..wh..opq` })),
)
const layer = fc.array(entry, { maxLength: 6 })
const layers = fc.array(layer, { maxLength: 3 })

type Tree = Map<string, string>

/** The filesystem as the specification says it in words: each layer's whiteouts first, then its entries, oldest layer first. */
function treeOf(image: readonly (readonly TestEntry[])[]): Tree {
  const tree: Tree = new Map()
  const removeBelow = (prefix: string) => {
    for (const path of [...tree.keys()]) if (path.startsWith(prefix)) tree.delete(path)
  }
  for (const entries of image) {
    for (const { name } of entries) {
      const [, parent = '', hidden] = /^(.*?)\.wh\.(.+)$/.exec(name) ?? []
      if (hidden === undefined) continue
      if (hidden === '.wh..opq') removeBelow(parent)
      else {
        tree.delete(parent + hidden)
        removeBelow(`${parent}${hidden}/`)
      }
    }
    for (const { name, text = '', type = 'file', mode, uid = 0, linkname = '' } of entries) {
      if (name.includes('.wh.')) continue
      tree.set(name.replace(/\/$/, ''), JSON.stringify({ type, text, linkname, uid, mode }))
    }
  }
  return tree
}

function expectedChanges(from: Tree, to: Tree): string[] {
  const paths = [...new Set([...from.keys(), ...to.keys()])].toSorted()
  return paths.flatMap(path => {
    if (!from.has(path)) return `added ${path}`
    if (!to.has(path)) return `removed ${path}`
    return from.get(path) === to.get(path) ? [] : `changed ${path}`
  })
}

test('the files that differ are those of two trees made by the words of the specification', async () => {
  const check = async (shared: TestEntry[][], ...own: [TestEntry[][], TestEntry[][]]) => {
    const source = new MemoryStore('any.test/app')
    for (const [at, upper] of own.entries()) {
      const packed = await Promise.all([...shared, ...upper].map(entries => layerOf(...entries)))
      tag(source, `${at}`, addLayered(source, { layers: packed, config: { author: `${at}` } }))
    }
    const [from, to] = [treeOf([...shared, ...own[0]]), treeOf([...shared, ...own[1]])]
    const { files } = await diffImages({
      from: { source, reference: '0' },
      to: { source, reference: '1' },
      files: true,
    })
    expect(files?.map(({ kind, name }) => `${kind} ${name}`)).toEqual(expectedChanges(from, to))
    for (const { name, to: info } of files ?? []) {
      if (info?.type !== 'file') continue
      const { text } = JSON.parse(to.get(name) ?? '{}') as { text: string }
      expect(info).toMatchObject({ size: text.length, digest: digestOf(text) })
    }
  }
  await fc.assert(fc.asyncProperty(layers, layers, layers, check), { numRuns: 300 })
}, 60_000)

import { lstat, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exportImage } from '../../src/filesystem/export-image.ts'
import type { ImageLayers } from '../../src/filesystem/image-layers.ts'
import { listFiles } from '../../src/filesystem/list-files.ts'
import { fileContent } from '../../src/filesystem/read-file.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { bytesOf, type Entry, imageOf, layerOf } from './layers.ts'
import { makeRoom, namesIn, prune, treeOf, typeOf, unpack } from './unpacked.ts'

/** Few names, so that layers meet; one of them too long for a plain header, one of bytes above 127. */
const parts = ['a', 'b', 'ç', 'd'.repeat(120)]
const anyPath = fc
  .array(fc.constantFrom(...parts), { minLength: 1, maxLength: 3 })
  .map(path => path.join('/'))

const anyEntry: fc.Arbitrary<Entry> = fc
  .record({
    path: anyPath,
    kind: fc.constantFrom(
      'file',
      'file',
      'directory',
      'symlink',
      'link',
      'link',
      'fifo',
      'whiteout',
      'opaque',
    ),
    target: anyPath,
    content: fc.string({ maxLength: 3 }),
    mode: fc.constantFrom(0o644, 0o4755, 0o700),
    mtime: fc.integer({ min: 1, max: 1_700_000_000 }),
  })
  .map(({ path, kind, target, content, mode, mtime }): Entry => {
    const at = path.lastIndexOf('/') + 1
    const meta = { mode, mtime, uid: mtime % 7, gid: mode % 5 }
    if (kind === 'whiteout') return { name: `${path.slice(0, at)}.wh.${path.slice(at)}` }
    if (kind === 'opaque') return { name: `${path}/.wh..wh..opq` }
    if (kind === 'symlink') return { ...meta, mode: 0o777, name: path, type: 'symlink', linkname: target }
    if (kind === 'link') return { ...meta, name: path, type: 'link', linkname: target }
    if (kind === 'directory') return { ...meta, name: path, type: 'directory' }
    if (kind === 'fifo') return { ...meta, name: path, type: 'fifo' }
    return { ...meta, name: path, content }
  })

const isWhiteout = ({ name }: Entry) => name.includes('.wh.')
const isBelow = (path: string, top: string) => path.startsWith(`${top}/`)

/**
 * What a builder could have written of these: nothing below what is no folder in the same layer, links only to what is
 * there, and no link to what the same layer takes away from older ones.
 */
async function sensible(entries: readonly Entry[], folder: string): Promise<readonly Entry[]> {
  const kept: Entry[] = []
  for (const entry of entries) {
    const { name, type, linkname = '' } = entry
    const others = kept.filter(one => one.type !== 'directory' && !isWhiteout(one))
    if (others.some(one => isBelow(name, one.name))) continue
    if (type !== 'directory' && !isWhiteout(entry) && kept.some(one => isBelow(one.name, name))) continue
    if (type === 'directory' && others.some(one => one.name === name)) continue
    if (kept.some(one => one.name === name && (one.type === 'directory') !== (type === 'directory'))) continue
    const isOwn = others.some(one => one.name === linkname)
    const isOlder = await isThere(linkname, folder)
    if (type === 'link' && (linkname === name || !(isOwn || isOlder))) continue
    kept.push(entry)
  }
  const sound = kept.filter(one => one.type !== 'link' || leadsWell(one, kept))
  // What led to a link that is gone leads nowhere now.
  return sound.length === kept.length ? kept : sensible(sound, folder)
}

/** True where something that is no folder is in the folder, behind no symlink. */
async function isThere(path: string, folder: string): Promise<boolean> {
  const above = path.split('/').slice(0, -1)
  for (const [at] of above.entries()) {
    if ((await typeOf(join(folder, ...above.slice(0, at + 1)))) !== 'folder') return false
  }
  return (await typeOf(join(folder, path))) === 'other'
}

/** True for a link to an entry before it, or to an older file whose way is not touched by this layer. */
function leadsWell(link: Entry, kept: readonly Entry[]): boolean {
  const { linkname = '' } = link
  const at = kept.findIndex(one => one.name === linkname && one.type !== 'directory')
  if (at >= 0) return at < kept.indexOf(link)
  return !kept.some(({ name }) => {
    const gone = name.replace(/\.wh\.(?:\.wh\.\.opq)?/, '').replace(/\/$/, '')
    return gone === linkname || isBelow(linkname, gone) || isBelow(gone, linkname)
  })
}

/** What is listed and printed of an image is what lies in its unpacked tree. */
async function expectSameFiles(image: ImageLayers, folder: string): Promise<void> {
  const files: string[] = []
  for (const path of await namesIn(folder)) {
    if ((await typeOf(join(folder, path))) === 'other') files.push(path)
  }
  const rows = (await listFiles(image)).filter(({ type }) => type !== 'directory')
  expect(rows.map(({ path }) => path).sort()).toEqual(files.sort())
  for (const path of files) {
    const stats = await lstat(join(folder, path))
    if (!stats.isFile()) continue
    const content = await bytesOf(fileContent(image, path, { verify: true }))
    expect({ path, content }).toEqual({ path, content: await readFile(join(folder, path)) })
  }
}

describe('what is exported of an image', () => {
  it('is, when GNU tar unpacks it, what GNU tar makes of the layers one after the other', {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyEntry, { maxLength: 8 }), { minLength: 1, maxLength: 4 }),
        async layers => {
          await using temp = await makeTempDir()
          const [stepwise, atOnce] = [join(temp.path, 'stepwise'), join(temp.path, 'at-once')]
          await Promise.all([mkdir(stepwise), mkdir(atOnce)])
          const described = new Set<string>()
          const tars: Buffer[] = []
          for (const entries of layers) {
            const kept = await sensible(entries, stepwise)
            await makeRoom(kept, stepwise, described)
            await unpack(await layerOf(...kept.filter(entry => !isWhiteout(entry))), stepwise)
            for (const { name, type } of kept) if (type === 'directory') described.add(name)
            tars.push(await layerOf(...kept))
          }
          await prune(stepwise, described)
          const { image } = await imageOf(tars)
          await unpack(await bytesOf(exportImage(image)), atOnce)
          expect(await treeOf(atOnce)).toEqual(await treeOf(stepwise))
          await expectSameFiles(image, atOnce)
        },
      ),
      { numRuns: 100 },
    )
  })
})

import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { configFor, type Files, imageFiles, layoutFiles, writeArchive } from './sample-archive.ts'

let folder: TempDir
let path: string
beforeEach(async () => {
  folder = await makeTempDir()
  path = join(folder.path, 'a.tar')
})
afterEach(() => folder.remove())

/** Opens an archive and resolves its first image. */
async function read(files: Files): Promise<void> {
  await writeArchive(path, files)
  await using archive = await openDockerArchive(path, { tmpDir: folder.path })
  await archive.resolve('@0')
}

const listing = (item: object): Files => ({
  ...imageFiles(['layer']),
  'manifest.json': JSON.stringify([item]),
})
const large = 17 * 1024 * 1024

describe('refuses with INTEGRITY', () => {
  it.each<[string, Files]>([
    ['a manifest.json that is no JSON', { 'manifest.json': '[{' }],
    ['a manifest.json that is no list', { 'manifest.json': '{}' }],
    ['a manifest.json that is null', { 'manifest.json': 'null' }],
    ['an item without a config', listing({ RepoTags: [], Layers: [] })],
    ['an item with names that are none', listing({ Config: 'config.json', RepoTags: [1] })],
    ['a manifest.json nested a million deep', { 'manifest.json': '['.repeat(1_000_000) }],
    ['a manifest.json that is too large', { 'manifest.json': `[${' '.repeat(large)}]` }],
    ['a manifest.json that leads out of the archive', { 'manifest.json': { link: '/etc/hostname' } }],
    ['a manifest.json that is a folder', { 'manifest.json/': '' }],
    ['a config that is not there', listing({ Config: 'none.json', Layers: [] })],
    ['a config outside of the archive', listing({ Config: '../../../etc/passwd', Layers: [] })],
    ['a config with an absolute name', listing({ Config: '/etc/passwd', Layers: [] })],
    ['a config that is a folder', { ...listing({ Config: 'x', Layers: [] }), 'x/': '' }],
    ['a config that links to itself', { ...listing({ Config: 'x', Layers: [] }), x: { link: 'x' } }],
    [
      'a config that links in a circle',
      { ...listing({ Config: 'x', Layers: [] }), x: { link: 'y' }, y: { link: 'x' } },
    ],
    ['a config that links out', { ...listing({ Config: 'x', Layers: [] }), x: { link: '../../etc/passwd' } }],
    ['a config that is no JSON', { ...imageFiles(['layer']), 'config.json': 'none' }],
    [
      'a config that is too large',
      { ...imageFiles(['layer']), 'config.json': `{"a":"${'a'.repeat(large)}"}` },
    ],
    ['a config with too few diff ids', { ...imageFiles(['layer']), 'config.json': configFor([]) }],
    [
      'a diff id that is no digest',
      { ...imageFiles(['layer']), 'config.json': JSON.stringify({ rootfs: { diff_ids: ['../x'] } }) },
    ],
    ['a layer that is not there', listing({ Config: 'config.json', Layers: ['none.tar'] })],
    ['a layer outside of the archive', listing({ Config: 'config.json', Layers: ['../../etc/passwd'] })],
    ['a layer that is a folder', { ...listing({ Config: 'config.json', Layers: ['x'] }), 'x/': '' }],
    [
      'a compressed layer that is cut off',
      { ...imageFiles([gzipSync('layer').subarray(0, -9)]), 'config.json': configFor(['layer']) },
    ],
  ])('%s', async (_, files) => {
    await expect(read(files)).rejects.toMatchObject({
      name: 'DrayError',
      code: 'INTEGRITY',
      message: expect.stringContaining('a.tar'),
    })
  })

  it('an archive that is cut off', async () => {
    await writeArchive(path, imageFiles(['layer']))
    await truncate(path, 3 * 512 + 100)
    await expect(openDockerArchive(path, { tmpDir: folder.path })).rejects.toMatchObject({
      code: 'INTEGRITY',
    })
  })
})

describe('of an archive from before docker 1.10, refuses with INTEGRITY', () => {
  const [one, two] = [hexOf(digestOf('one')), hexOf(digestOf('two'))]
  const layer = (id: string, json: object): Files => ({
    [`${id}/json`]: JSON.stringify({ id, ...json }),
    [`${id}/layer.tar`]: 'layer',
  })
  const named = (id: string) => ({ repositories: JSON.stringify({ hello: { '1.0': id } }) })

  it.each<[string, Files]>([
    [
      'layers that are one another’s parents',
      { ...named(one), ...layer(one, { parent: two }), ...layer(two, { parent: one }) },
    ],
    ['a parent that is not there', { ...named(one), ...layer(one, { parent: two }) }],
    ['a parent outside of the archive', { ...named(one), ...layer(one, { parent: '../../etc' }) }],
    ['a name for what is not there', { ...named(two), ...layer(one, {}) }],
    ['repositories that are no object', { repositories: '[]', ...layer(one, {}) }],
    ['a layer without its tar', { ...named(one), [`${one}/json`]: '{}' }],
    ['a layer whose json is none', { ...named(one), [`${one}/json`]: 'none' }],
    ['a parent that is no text', { ...named(one), ...layer(one, { parent: 1 }) }],
  ])('%s', async (_, files) => {
    await expect(read(files)).rejects.toMatchObject({ name: 'DrayError', code: 'INTEGRITY' })
  })

  it('but takes an image that was saved without a name: the layer that is no parent', async () => {
    await writeArchive(path, { ...layer(one, {}), ...layer(two, { parent: one }) })
    await using archive = await openDockerArchive(path, { tmpDir: folder.path })
    expect(archive.list()).toEqual([{ reference: '@0', names: [] }])
    const manifest = await archive.getManifest(await archive.resolve('@0'))
    expect(manifest.content).toMatchObject({ layers: [{}, {}] })
  })
})

describe('of a layout beside manifest.json, refuses', () => {
  const files = imageFiles(['layer'])

  it.each<[string, string, Files]>([
    [
      'INTEGRITY',
      'an index.json that is no JSON',
      { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': '{' },
    ],
    ['INTEGRITY', 'one without index.json', { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' }],
    [
      'UNSUPPORTED',
      'another version',
      { 'oci-layout': '{"imageLayoutVersion":"9"}', 'index.json': '{"manifests":[]}' },
    ],
    ['INTEGRITY', 'indexes that stand ten deep in one another', nestedIndexes(10)],
    ['INTEGRITY', 'a manifest that is none', layoutFiles(['{}'], [entry('{}')])],
  ])('with %s %s', async (code, _, layout) => {
    await expect(read({ ...files, ...layout })).rejects.toMatchObject({ name: 'DrayError', code })
  })

  function entry(text: string): object {
    return { mediaType: mediaTypes.ociIndex, digest: digestOf(text), size: text.length }
  }

  function nestedIndexes(depth: number): Files {
    const indexes = ['{"manifests":[]}']
    for (let level = 0; level < depth; level++) {
      indexes.push(JSON.stringify({ manifests: [entry(indexes.at(-1) ?? '')] }))
    }
    return layoutFiles(indexes, [entry(indexes.at(-1) ?? '')])
  }
})

it('lists ten thousand images, and reads one of them without the others', async () => {
  const item = (at: number) => ({
    Config: at === 7 ? 'config.json' : 'none',
    RepoTags: [`hello:${at}`],
    Layers: ['0/layer.tar'],
  })
  const items = Array.from({ length: 10_000 }, (_, at) => item(at))
  await writeArchive(path, { ...imageFiles(['layer']), 'manifest.json': JSON.stringify(items) })
  await using archive = await openDockerArchive(path, { tmpDir: folder.path })
  expect(archive.list()).toHaveLength(10_000)
  expect(await archive.resolve('hello:7')).toEqual(await archive.resolve('@7'))
  expect(() => archive.soleReference()).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

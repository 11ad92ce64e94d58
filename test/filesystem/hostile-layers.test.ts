import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { exportImage } from '../../src/filesystem/export-image.ts'
import { layersOf, oneLayer, withDiffIds } from '../../src/filesystem/image-layers.ts'
import { mergedEntries } from '../../src/filesystem/merge-layers.ts'
import { NameTree, type NameTreeLimits } from '../../src/filesystem/name-tree.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { sampleBlob, sampleIndex, sampleManifest } from '../support/sample-image.ts'
import { bytesOf, entriesOf, imageOf, imageOfTexts, layerOf, shortOf, type TestImage } from './layers.ts'

const exported = ({ image }: TestImage) => bytesOf(exportImage(image))

describe('a layer is refused', () => {
  it.each<[string, string[][], RegExp]>([
    [
      'with a name that leads out of the image',
      [['a/../../b = 1']],
      /"a\/\.\.\/\.\.\/b" leads out of the tree/,
    ],
    [
      'with a hard link that leads out of the image',
      [['a => ../etc/passwd']],
      /"\.\.\/etc\/passwd" leads out of the tree/,
    ],
    ['with a hard link to what is not there', [['a => b']], /"a" is a hard link to "b", which is not there/],
    ['with a hard link to what comes behind it', [['a => b', 'b = 1']], /"a" is a hard link to "b"/],
    [
      'with a hard link to what a layer between has taken away',
      [['b = 1'], ['.wh.b'], ['a => b']],
      /"a" is a hard link to "b"/,
    ],
    [
      'with a hard link to what a layer between has emptied',
      [['d/b = 1'], ['d/.wh..wh..opq'], ['a => d/b']],
      /"a" is a hard link to "d\/b"/,
    ],
    ['with a hard link to a folder', [['d/'], ['a => d']], /"a" is a hard link to "d"/],
    ['with a hard link to itself', [['a = 1'], ['a => a']], /"a" is a hard link to a folder or to itself/],
    ['with a hard link to the root', [['a => ./']], /"a" is a hard link to a folder/],
    ['with something below a file', [['a = 1', 'a/b = 2']], /"a\/b" lies below something that is no folder/],
    [
      'with something below a link',
      [['a = 1', 'b => a', 'b/c = 2']],
      /"b\/c" lies below something that is no folder/,
    ],
    [
      'with something below symlinks in a circle',
      [['a -> b', 'b -> a', 'a/x = 1']],
      /"a\/x" lies below symbolic links that lead in a circle/,
    ],
    [
      'with a file in the place of a folder with content of the same layer',
      [['a/x = 1', 'a = 2']],
      /"a" is no folder, but other entries lie below it/,
    ],
    ['with a file as the root', [['. = 1']], /"" is no folder/],
    ['with a whiteout of nothing', [['a/.wh. = ']], /takes away nothing/],
    ['with a whiteout of the folder above', [['a/.wh... = ']], /takes away nothing/],
    ['with a whiteout of its own folder', [['a/.wh.. = ']], /takes away nothing/],
    ['with a name that is too long', [[`${'x/'.repeat(2100)}y = 1`]], /has a name that is too long/],
    ['with a symlink that is too long', [[`a -> ${'x/'.repeat(2100)}y`]], /leads to a name that is too long/],
  ])('%s', async (_, layers, message) => {
    await expect(imageOfTexts(...layers).then(exported)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringMatching(message),
    })
  })

  it('that is no tar', async () => {
    const image = await imageOf([Buffer.from('not a tar archive, by no means')])
    await expect(exported(image)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('that is cut off', async () => {
    const tar = await layerOf({ name: 'a', content: 'x'.repeat(2000) })
    await expect(exported(await imageOf([tar.subarray(0, 1200)]))).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining('"a" is cut off'),
    })
  })

  it('when the image has more names than is bearable, or longer ones', async () => {
    const { image } = await imageOfTexts(['a/b/c = 1'], ['d = 1'])
    const all = async (limits: NameTreeLimits) => {
      const paths: string[] = []
      for await (const { path } of mergedEntries(image, { tree: new NameTree(limits) })) paths.push(path)
      return paths
    }
    expect(await all({ maxNames: 4, maxCharacters: 4 })).toEqual(['d', 'a/b/c'])
    for (const limits of [{ maxNames: 3 }, { maxCharacters: 3 }]) {
      await expect(all(limits)).rejects.toMatchObject({ code: 'INTEGRITY' })
    }
  })
})

describe('content that is not what it should be', () => {
  it('is found by the digest of the blob', async () => {
    const image = await imageOfTexts(['a = 1'], ['b = 2'])
    const [{ descriptor, bytes } = sampleBlob('')] = image.blobs
    const other = Buffer.from(bytes)
    other.writeUInt8(1, 4) // the time in the head of gzip, which changes nothing of what is inside
    image.store.blobs.set(descriptor.digest, other)
    await expect(exported(image)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`not ${descriptor.digest}`),
    })
  })

  it('is found by the diff id, though the digest of the blob is right', async () => {
    const wrong = digestOf('other')
    const image = await imageOf([await layerOf('a = 1')], { diffIds: [wrong] })
    await expect(exported(image)).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringMatching(`^memory@sha256:.*not ${wrong}$`),
    })
  })

  it.each([
    ['fewer', []],
    ['malformed', ['sha256:1234']],
  ])('is suspected where the config has %s diff ids', async (_, diffIds) => {
    await expect(imageOf([await layerOf('a = 1')], { diffIds })).rejects.toMatchObject({ code: 'INTEGRITY' })
  })
})

describe('absolute names', () => {
  it('begin at the root of the image, as for every engine, and are written without a slash', async () => {
    const { image } = await imageOfTexts(
      ['etc/passwd = old', '/ '],
      ['/etc/passwd = new', '//x = 1', '/y => /x'],
    )
    const short = (await entriesOf(exportImage(image))).map(shortOf)
    expect(short).toEqual(['etc/passwd = new', 'x = 1', 'y => x', './'])
  })
})

describe('layers', () => {
  const tar = layerOf('a = 1')
  it.each([
    ['gzip', undefined],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
    ['nothing', (bytes: Buffer) => bytes],
  ])('are read when compressed by %s, whatever their media type says', async (_, compress) => {
    for (const mediaType of [
      'application/vnd.oci.image.layer.v1.tar',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ]) {
      const { image } = await imageOf([await tar], { mediaType, ...(compress && { compress }) })
      expect((await entriesOf(exportImage(image))).map(shortOf)).toEqual(['a = 1'])
    }
  })

  it('that are foreign may be missing, and the message says so', async () => {
    const image = await imageOf([await tar], {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    })
    image.store.blobs.clear()
    await expect(exported(image)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('a foreign layer'),
    })
  })

  it('are chosen by number, by digest and by its beginning', async () => {
    const { image } = await imageOfTexts(['a = 1'], ['b = 2'])
    const digest = image.layers[1]?.descriptor.digest ?? ''
    for (const wanted of ['2', digest, digest.slice(7), digest.slice(7, 19), digest.slice(0, 13)]) {
      expect(oneLayer(image, wanted).layers).toEqual([image.layers[1]])
    }
    for (const wanted of ['0', '3', 'sha256', '', 'abcdefabcdef', digest.slice(7, 12)]) {
      const isAmbiguous = wanted === 'sha256'
      expect(() => oneLayer(image, wanted)).toThrow(isAmbiguous ? /several layers/ : /has no layer/)
    }
  })
})

describe('what is no container image', () => {
  const source = { name: 'memory' } as TestImage['store']
  const config = sampleBlob('{}', 'application/vnd.oci.image.config.v1+json').descriptor
  const chart = sampleBlob('x', 'application/vnd.cncf.helm.chart.content.v1.tar+gzip').descriptor
  const document = sampleBlob('x', 'application/vnd.in-toto+json').descriptor
  it.each([
    ['an index without images', sampleIndex([])],
    [
      'an artifact',
      sampleManifest({ mediaType: 'application/vnd.oci.artifact.manifest.v1+json', blobs: [] }),
    ],
    ['an attestation', sampleManifest({ schemaVersion: 2, config, layers: [document] })],
    [
      'a chart',
      sampleManifest({
        schemaVersion: 2,
        config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
        layers: [chart],
      }),
    ],
  ])('has no filesystem: %s', (_, manifest) => {
    expect(() => layersOf(source, manifest)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.any(String) }),
    )
  })

  it('has no diff ids either', async () => {
    const { image } = await imageOfTexts(['a = 1'])
    expect(await withDiffIds(image, sampleIndex([]))).toBe(image)
  })
})

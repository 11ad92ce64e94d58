import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listImages, storedImages } from '../../src/bundle/contents.ts'
import { platformsOf, sizeOf } from '../../src/bundle/describe-image.ts'
import { findNamed, soleImage } from '../../src/bundle/find-image.ts'
import { formatImageName } from '../../src/bundle/image-name.ts'
import type { Layout } from '../../src/layout/layout.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { childBlobs } from '../../src/oci/manifest.ts'
import { putSample, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { newLayout, putReferrer } from './layouts.ts'

const one = sampleImage('one')
const two = sampleImage('two')
const index = sampleIndex([one.manifest, two.manifest])

describe('what a layout holds', () => {
  let folder: TempDir
  let layout: Layout
  beforeEach(async () => {
    folder = await makeTempDir()
    layout = await newLayout(folder.path)
  })
  afterEach(() => folder.remove())

  const stored = async () => storedImages(layout, await listImages(layout))
  /** Names, with the digests of what belongs to each. */
  const shown = async () =>
    (await stored()).map(({ name, descriptor, referrers }) => [
      formatImageName(name) ?? descriptor.digest,
      referrers.map(({ digest }) => digest),
    ])
  const changeIndex = async (change: (text: string) => string) => {
    const path = join(layout.dir, 'index.json')
    await writeFile(path, change(await readFile(path, 'utf8')))
  }

  it('is each image by each of its names', async () => {
    await putSample(layout, one, ['ghcr.io/a/b:1', 'ghcr.io/a/b:latest'])
    await putSample(layout, two, ['2'])
    expect(await shown()).toEqual([
      ['ghcr.io/a/b:1', []],
      ['ghcr.io/a/b:latest', []],
      ['2', []],
    ])
  })

  it('is what has no name, once', async () => {
    await putSample(layout, one, [])
    expect(await shown()).toEqual([[one.manifest.digest, []]])
  })

  it('is of a name that occurs twice the last image', async () => {
    await putSample(layout, one, ['1'])
    await putSample(layout, two, ['x'])
    await changeIndex(text => text.replace('"x"', '"1"'))
    const [image, ...others] = await stored()
    expect(image?.descriptor.digest).toBe(two.manifest.digest)
    expect(others).toEqual([])
  })

  it('shows what refers to an image, to a part of it, or to that, with the image', async () => {
    for (const image of [one, two]) await putSample(layout, image)
    await layout.putManifest(index, ['1'])
    const signature = await putReferrer(layout, index, 'signature')
    const sbom = await putReferrer(layout, two.manifest, 'sbom')
    const signed = await putReferrer(layout, sbom, 'signed-sbom')
    const [image, ...others] = await shown()
    expect(others).toEqual([])
    expect(image?.[0]).toBe('1')
    expect(new Set(image?.[1])).toEqual(new Set([signature, sbom, signed].map(({ digest }) => digest)))
  })

  it('shows what refers to nothing that is there as an image', async () => {
    await putSample(layout, one, ['1'])
    const lost = await putReferrer(layout, two.manifest, 'lost')
    expect(await shown()).toEqual([
      ['1', []],
      [lost.digest, []],
    ])
  })

  it('can be listed though a part of an index is not there', async () => {
    await putSample(layout, one)
    await layout.putManifest(index, ['1'])
    const [image] = await stored()
    expect(image?.manifests.map(({ digest }) => digest)).toEqual([index.digest, one.manifest.digest])
  })

  it('can be listed though a manifest that has no name is not there', async () => {
    await putSample(layout, one, [])
    await rm(join(layout.dir, 'blobs/sha256', hexOf(one.manifest.digest)))
    expect((await stored()).map(({ manifests }) => manifests)).toEqual([[]])
  })

  it('counts what is shared once in its size', async () => {
    for (const image of [one, two]) await putSample(layout, image)
    await layout.putManifest(index, ['1'])
    await layout.putManifest(one.manifest, ['2'])
    const manifests = (await stored()).flatMap(image => image.manifests)
    const blobs = [one, two].flatMap(({ manifest }) => childBlobs(manifest))
    const bytes = [index, one.manifest, two.manifest].reduce((sum, each) => sum + each.bytes.length, 0)
    expect(sizeOf(manifests)).toBe(blobs.reduce((sum, { size }) => sum + size, bytes))
  })

  it('tells the platform of an image that stands alone by its config', async () => {
    await putSample(layout, one, ['1'])
    const [image] = await stored()
    expect(image && (await platformsOf(layout, image))).toEqual(['linux/amd64'])
  })

  describe('is found', () => {
    it.each([
      ['docker.io/library/app:1', 'docker.io/library/app:1'],
      ['app:1', 'docker.io/library/app:1'],
      ['2', 'ghcr.io/a/app:2'],
      ['bare', 'bare'],
    ])('by %s', async (name, own) => {
      await putSample(layout, one, ['docker.io/library/app:1', 'ghcr.io/a/app:1', 'bare'])
      await putSample(layout, two, ['ghcr.io/a/app:2'])
      expect(await findNamed(layout, name)).toBe(own)
    })

    it("by containerd's name where the layout's own names are tags alone", async () => {
      await putSample(layout, one, ['ghcr.io/a/app:1'])
      await putSample(layout, two, ['ghcr.io/b/app:1'])
      await changeIndex(text => text.replaceAll(/(ref\.name":")[^"]*:1"/g, '$11"'))
      expect(await findNamed(layout, 'ghcr.io/a/app:1')).toBe(one.manifest.digest)
      await expect(findNamed(layout, '1')).resolves.toBe('1')
    })

    it('by a tag that several images have not at all, and the error names them', async () => {
      await putSample(layout, one, ['ghcr.io/a/app:1'])
      await putSample(layout, two, ['ghcr.io/b/app:1'])
      await expect(findNamed(layout, '1')).rejects.toMatchObject({
        code: 'USAGE',
        hint: 'name one of them: "ghcr.io/a/app:1", "ghcr.io/b/app:1"',
      })
    })

    it.each(['none', 'ghcr.io/a/none:1', 'UPPER/x'])(
      'not by %s, and the error tells what there is',
      async name => {
        await putSample(layout, one, ['ghcr.io/a/app:1'])
        await expect(findNamed(layout, name)).rejects.toMatchObject({
          code: 'NOT_FOUND',
          hint: 'there is "ghcr.io/a/app:1"',
        })
      },
    )

    it('without a name where it is the only one, with its names and what refers to it beside it', async () => {
      await putSample(layout, one, ['1', 'ghcr.io/a/app:1'])
      await putReferrer(layout, one.manifest, 'signature')
      await putSample(layout, two, [`ghcr.io/a/app:${one.manifest.digest.replace(':', '-')}.sig`])
      expect(await soleImage(layout)).toBe(one.manifest.digest)
    })

    it('not without a name where there are several', async () => {
      await putSample(layout, one, ['1'])
      await putSample(layout, two, ['2'])
      await expect(soleImage(layout)).rejects.toMatchObject({ code: 'USAGE', hint: /1, 2/ })
    })
  })
})

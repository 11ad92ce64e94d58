import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NamedDestination } from '../../src/bundle/named-destination.ts'
import type { Layout } from '../../src/layout/layout.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { putSample, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { newLayout } from './layouts.ts'

const one = sampleImage('one')
const two = sampleImage('two')

describe("one repository's images in a layout of many", () => {
  let folder: TempDir
  let layout: Layout
  beforeEach(async () => {
    folder = await makeTempDir()
    layout = await newLayout(folder.path)
  })
  afterEach(() => folder.remove())

  it('have names in full, for skopeo and for containerd', async () => {
    await putSample(new NamedDestination(layout, 'ghcr.io/a/my__app'), one, ['1.0'])
    const { manifests } = JSON.parse(await readFile(join(layout.dir, 'index.json'), 'utf8'))
    expect(manifests).toEqual([
      {
        ...descriptorOf(one.manifest),
        annotations: {
          'io.containerd.image.name': 'ghcr.io/a/my__app:1.0',
          'org.opencontainers.image.ref.name': 'ghcr.io/a/my__app:1.0',
        },
      },
    ])
  })

  it('share blobs and not tags with those of others', async () => {
    const app = new NamedDestination(layout, 'ghcr.io/a/app')
    const other = new NamedDestination(layout, 'ghcr.io/a/other')
    await putSample(app, one, ['1'])
    expect(await other.find('1')).toBeUndefined()
    expect(await app.find('1')).toEqual(descriptorOf(one.manifest))
    expect(await other.find(one.manifest.digest)).toEqual(descriptorOf(one.manifest))
    expect(await other.hasBlob(one.layer.descriptor)).toBe(true)
    await putSample(other, two, ['1'])
    expect(await layout.listTags()).toEqual(['ghcr.io/a/app:1', 'ghcr.io/a/other:1'])
  })

  it('are named by their digests where they have no tag', async () => {
    await putSample(new NamedDestination(layout, 'ghcr.io/a/app'), one, [])
    expect(await layout.listTags()).toEqual([`ghcr.io/a/app@${one.manifest.digest}`])
  })

  it('lose both names when a tag moves', async () => {
    const app = new NamedDestination(layout, 'ghcr.io/a/app')
    await putSample(app, one, ['1', '2'])
    await putSample(app, two, ['1'])
    expect(await layout.tagsOf(one.manifest.digest)).toEqual(['ghcr.io/a/app:2'])
    expect(JSON.stringify(await layout.listEntries()).match(/ghcr.io\/a\/app:1/g)).toHaveLength(2)
  })

  it('are called as a location says it', () => {
    expect(new NamedDestination(layout, 'ghcr.io/a/app').name).toBe(`oci:${layout.dir}:ghcr.io/a/app`)
  })
})

import { describe, expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { addAttestation, addImage, addIndex, addManifest, copyFrom, platforms, stores } from './images.ts'

function textAt(store: MemoryStore, digest: string): string {
  const bytes = [...store.manifests].find(([key]) => key === digest)?.[1].bytes
  return new TextDecoder().decode(bytes)
}

/** An entry as an index lists it, with its keys in an order that no code of ours would choose. */
function entryJson({ digest, size, mediaType }: Descriptor, platform: string): string {
  const [os, architecture, variant] = platform.split('/')
  return `{"x-before":[1,2],"size":${size},"digest":"${digest}","platform":{"os":"${os}","variant":${JSON.stringify(variant ?? '')},"architecture":"${architecture}","x":null},"mediaType":"${mediaType}"}`
}

describe('a subset of the platforms', () => {
  test("is the source's own JSON with fewer entries, in the same order, under a new digest", async () => {
    const { source } = stores()
    const [s390x, arm64, amd64] = ['s390x', 'arm64', 'amd64'].map(name =>
      addImage(source, { layers: [name] }),
    )
    if (s390x === undefined || arm64 === undefined || amd64 === undefined) throw new Error('no images')
    const [first, second, third] = [
      entryJson(s390x, 'linux/s390x'),
      entryJson(arm64, 'linux/arm64/v8'),
      entryJson(amd64, 'linux/amd64'),
    ]
    const index = (...entries: string[]) =>
      `{"x-first":{"b":1,"a":"ü"},"manifests":[${entries.join(',')}],"mediaType":"${mediaTypes.dockerList}","schemaVersion":2,"annotations":{"k":"v"}}`
    const root = addManifest(source, index(first ?? '', second ?? '', third ?? ''))

    const { destination, copied } = copyFrom(source, root, { only: ['linux/amd64', 'linux/arm64'] })
    const result = await copied
    const expected = index(second ?? '', third ?? '')
    expect(textAt(destination, result.digest)).toBe(expected)
    expect(result).toMatchObject({
      digest: digestOf(expected),
      sourceDigest: root.digest,
      changed: true,
      mediaType: mediaTypes.dockerList,
      size: Buffer.byteLength(expected),
      platforms: ['linux/arm64', 'linux/amd64'],
      manifests: { copied: 3, present: 0 },
    })
    expect(destination.tags.get('1.0')).toBe(result.digest)
    expect(source.calls.some(call => call.includes(s390x.digest))).toBe(false)
    expect(new Set(destination.manifests.keys())).toEqual(
      new Set([arm64.digest, amd64.digest, result.digest]),
    )
  })

  test('keeps the attestations of the images that stay, and drops the others', async () => {
    const { source } = stores()
    const [amd64, arm64] = ['linux/amd64', 'linux/arm64'].map(platform => addImage(source, { platform }))
    if (amd64 === undefined || arm64 === undefined) throw new Error('no images')
    const [ofAmd64, ofArm64] = [addAttestation(source, amd64), addAttestation(source, arm64)]
    // An attestation may stand before its image.
    const root = addIndex(source, [ofAmd64, amd64, arm64, ofArm64])
    const { destination, copied } = copyFrom(source, root, { only: ['linux/amd64'] })
    const { digest, platforms: kept } = await copied
    expect(JSON.parse(textAt(destination, digest)).manifests).toEqual([ofAmd64, amd64])
    expect(kept).toEqual(['linux/amd64'])
    expect([...destination.manifests.keys()]).not.toContain(ofArm64.digest)
  })

  test('that leaves nothing out changes nothing', async () => {
    const { source } = stores()
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const root = addManifest(
      source,
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [amd64] }, undefined, 3),
    )
    const result = await copyFrom(source, root, { only: ['linux/amd64'] }).copied
    expect(result).toMatchObject({ digest: root.digest, changed: false })
  })

  test('has all variants that the wish leaves open', async () => {
    const { source } = stores()
    const names = ['linux/arm/v6', 'linux/arm/v7', 'linux/arm64']
    const root = addIndex(
      source,
      names.map(platform => addImage(source, { platform })),
    )
    expect((await copyFrom(source, root, { only: ['linux/arm'] }).copied).platforms).toEqual(
      names.slice(0, 2),
    )
    expect((await copyFrom(source, root, { only: ['linux/arm/v7'] }).copied).platforms).toEqual([
      'linux/arm/v7',
    ])
  })

  test('copies from a sparse index what is there', async () => {
    const { source } = stores()
    const missing = addImage(source, { platform: 'linux/s390x' })
    const root = addIndex(source, [addImage(source, { platform: 'linux/amd64' }), missing])
    source.manifests.delete(missing.digest)
    const result = await copyFrom(source, root, { only: ['linux/amd64'] }).copied
    expect(result.platforms).toEqual(['linux/amd64'])
  })

  test('lists what there is when a platform is missing, and writes nothing', async () => {
    const { source } = stores()
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const root = addIndex(source, [
      amd64,
      addImage(source, { platform: 'linux/arm/v7' }),
      addAttestation(source, amd64),
    ])
    const { destination, copied } = copyFrom(source, root, { only: ['linux/amd64', 'linux/riscv64'] })
    await expect(copied).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `from.test/app@${root.digest}: there is no image for linux/riscv64; there is linux/amd64, linux/arm/v7`,
    })
    expect(destination.callsOf()).toEqual([])
  })

  test('filters an index within the index, and says its new digest above', async () => {
    const { source } = stores()
    const [amd64, arm64] = ['linux/amd64', 'linux/arm64'].map(platform => addImage(source, { platform }))
    if (amd64 === undefined || arm64 === undefined) throw new Error('no images')
    const inner = addIndex(source, [amd64, arm64], { annotations: { name: 'inner' } })
    const other = addIndex(source, [addImage(source, { platform: 'linux/s390x' })])
    const entry = { ...inner, annotations: { kept: 'yes' }, data: 'b2xk' }
    const root = addIndex(source, [other, entry])
    const { destination, copied } = copyFrom(source, root, { only: ['linux/arm64'] })
    const { digest, manifests } = await copied
    const smaller = JSON.stringify({ ...JSON.parse(textAt(source, inner.digest)), manifests: [arm64] })
    expect(JSON.parse(textAt(destination, digest)).manifests).toEqual([
      {
        mediaType: mediaTypes.ociIndex,
        digest: digestOf(smaller),
        size: smaller.length,
        annotations: { kept: 'yes' },
      },
    ])
    expect(textAt(destination, digestOf(smaller))).toBe(smaller)
    expect(manifests.copied).toBe(3)
  })

  test('leaves an index within the index as it is written when all of it stays', async () => {
    const { source } = stores()
    const inner = addIndex(source, [addImage(source, { platform: 'linux/amd64' })])
    const root = addIndex(source, [{ ...inner, data: 'aW5uZXI=' }])
    const result = await copyFrom(source, root, { only: ['linux/amd64'] }).copied
    expect(result).toMatchObject({ digest: root.digest, changed: false })
  })

  test('keeps an index within the index whole when its own entry names the platform', async () => {
    const { source } = stores()
    const inner = addIndex(source, [addImage(source), addImage(source, { layers: ['debug'] })])
    const [platform] = platforms('linux/amd64')
    const root = addIndex(source, [{ ...inner, platform }, addImage(source, { platform: 'linux/arm64' })])
    const { destination, copied } = copyFrom(source, root, { only: ['linux/amd64'] })
    await copied
    expect(destination.manifests.get(inner.digest)).toEqual(source.manifests.get(inner.digest))
    expect(destination.manifests.size).toBe(4)
  })

  test('reads an index that is listed very often only once', async () => {
    const { source } = stores()
    let index = addIndex(source, [
      addImage(source, { platform: 'linux/amd64' }),
      addImage(source, { platform: 'linux/arm64' }),
    ])
    for (let depth = 0; depth < 7; depth++) index = addIndex(source, Array(50).fill(index))
    const { copied } = copyFrom(source, index, { only: ['linux/amd64'] })
    expect((await copied).manifests.copied).toBe(9)
    expect(source.callsOf('getManifest')).toHaveLength(9)
  })

  test('is not made anew when the tag stands for it already', async () => {
    const { source, destination } = stores()
    const root = addIndex(source, [
      addImage(source, { platform: 'linux/amd64' }),
      addImage(source, { platform: 'linux/arm64' }),
    ])
    const options = {
      source,
      from: root.digest,
      destination,
      tags: ['1'],
      platforms: platforms('linux/amd64'),
    }
    const { digest } = await copyImage(options)
    destination.calls.length = 0
    const again = await copyImage(options)
    expect(destination.calls).toEqual(['find 1'])
    expect(again).toMatchObject({ digest, changed: true, manifests: { copied: 0, present: 1 } })
  })

  test('must have the digest that the destination names', async () => {
    const { source, destination } = stores()
    const amd64 = addImage(source, { platform: 'linux/amd64' })
    const root = addIndex(source, [amd64, addImage(source, { platform: 'linux/arm64' })])
    const options = { source, from: root.digest, destination, tags: [], platforms: platforms('linux/amd64') }
    const failed = copyImage({ ...options, expectedResult: root.digest })
    await expect(failed).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(destination.callsOf()).toEqual([])
    const { digest } = await copyImage({ ...options, dryRun: true })
    expect((await copyImage({ ...options, expectedResult: digest })).digest).toBe(digest)
    const whole = { source, from: root.digest, destination, tags: [] }
    await expect(copyImage({ ...whole, expectedResult: amd64.digest })).rejects.toMatchObject({
      code: 'INTEGRITY',
    })
  })
})

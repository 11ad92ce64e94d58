import { describe, expect, test } from 'vitest'
import { copyImage } from '../../src/transfer/copy.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import { addImage, addIndex, bytesOf, give, stores, tag, twoPlatforms } from './images.ts'

describe('what is there already', () => {
  test('costs one question at each side when the tag stands for the same', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    give(source, destination, index)
    tag(destination, '1.0', index)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    expect(source.calls).toEqual(['resolve 1.0'])
    expect(destination.calls).toEqual(['find 1.0'])
    expect(result).toMatchObject({
      digest: index.digest,
      manifests: { copied: 0, present: 1 },
      blobs: { copied: 0, mounted: 0, present: 0, foreign: 0 },
      bytes: 0,
    })
  })

  test('is asked for at both sides at the same time', async () => {
    const { source, destination } = stores()
    twoPlatforms(source)
    const asked: string[] = []
    let answer = () => {}
    const both = new Promise<void>(resolve => {
      answer = resolve
    })
    source.faults.ask = destination.faults.ask = async call => {
      if (asked.push(call) === 2) answer()
      await both
    }
    await copyImage({ source, from: '1.0', destination, tags: ['new'] })
    expect(asked.slice(0, 2).toSorted()).toEqual(['find new', 'resolve 1.0'])
  })

  test('needs only the tag when the image is there under another', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64 } = twoPlatforms(source)
    for (const manifest of [amd64, arm64, index]) give(source, destination, manifest)
    tag(destination, 'old', index)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['old', 'new'] })
    const read = [index, amd64, arm64].map(({ digest }) => `getManifest ${digest}`)
    expect(source.calls).toEqual(['resolve 1.0', ...read])
    expect(destination.calls).toEqual([
      'find old',
      'find new',
      `find ${amd64.digest}`,
      `find ${arm64.digest}`,
      `putManifest ${index.digest} new`,
    ])
    expect(result).toMatchObject({ tags: ['old', 'new'], manifests: { copied: 1, present: 2 }, bytes: 0 })
  })

  test('is completed before it gets a tag where it is an index without all that it lists', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64 } = twoPlatforms(source)
    for (const manifest of [amd64, index]) give(source, destination, manifest)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['new'] })
    expect(destination.callsOf().slice(-2)).toEqual([
      `putManifest ${arm64.digest}`,
      `putManifest ${index.digest} new`,
    ])
    expect(result.manifests).toEqual({ copied: 2, present: 1 })
  })

  test('is skipped with all that is below it: a child manifest', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64 } = twoPlatforms(source)
    give(source, destination, amd64)
    const events: TransferEvent[] = []
    const result = await copyImage({
      source,
      from: '1.0',
      destination,
      tags: ['1.0'],
      onEvent: event => void events.push(event),
    })
    expect(source.callsOf('getManifest')).toEqual([
      `getManifest ${index.digest}`,
      `getManifest ${amd64.digest}`,
      `getManifest ${arm64.digest}`,
    ])
    expect(destination.callsOf('putManifest')).toEqual([
      `putManifest ${arm64.digest}`,
      `putManifest ${index.digest} 1.0`,
    ])
    expect(result.manifests).toEqual({ copied: 2, present: 1 })
    expect(result.blobs.copied).toBe(3)
    expect(events).toContainEqual({ type: 'manifest-done', descriptor: amd64, how: 'present', tags: [] })
  })

  test('is asked for once, however often it is listed', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { platform: 'linux/amd64' })
    const root = addIndex(source, [image, addIndex(source, [image])])
    give(source, destination, image)
    await copyImage({ source, from: root.digest, destination, tags: ['1'] })
    expect(destination.calls.filter(call => call === `find ${image.digest}`)).toHaveLength(1)
  })

  test('is not sent: a blob', async () => {
    const { source, destination } = stores()
    const { shared } = twoPlatforms(source)
    tag(destination, '1.0', addImage(destination))
    destination.blobs.set(shared.digest, bytesOf(5000))
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    expect(source.calls).not.toContain(`getBlob ${shared.digest} 0`)
    expect(result.blobs).toEqual({ copied: 4, mounted: 0, present: 1, foreign: 0 })
    expect(result.bytes).toBe([...source.blobs.values()].reduce((sum, blob) => sum + blob.length, -5000))
  })

  test('is written again with force: every manifest and tag, but no blob', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    destination.calls.length = 0
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'], force: true })
    expect(destination.callsOf('putManifest')).toHaveLength(3)
    expect(destination.callsOf('putManifest').at(-1)).toBe(`putManifest ${index.digest} 1.0`)
    expect(result.manifests).toEqual({ copied: 3, present: 0 })
    expect(result.blobs).toEqual({ copied: 0, mounted: 0, present: 5, foreign: 0 })
  })
})

import { describe, expect, test } from 'vitest'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import {
  addBlob,
  addImage,
  addIndex,
  addManifest,
  blobsOf,
  bytesOf,
  settle,
  stores,
  tag,
  twoPlatforms,
} from './images.ts'

describe('copying an index', () => {
  test('brings all manifests and blobs over byte for byte and tells what it did', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    let clock = 1000
    const result = await copyImage({
      source,
      from: '1.0',
      destination,
      tags: ['1.0', 'latest'],
      now: () => {
        clock += 1250
        return clock
      },
    })
    expect(destination.manifests).toEqual(source.manifests)
    expect(destination.blobs).toEqual(source.blobs)
    expect([...destination.tags]).toEqual([
      ['1.0', index.digest],
      ['latest', index.digest],
    ])
    expect(result).toEqual({
      source: 'from.test/app',
      destination: 'to.test/app',
      sourceDigest: index.digest,
      digest: index.digest,
      mediaType: mediaTypes.ociIndex,
      size: index.size,
      changed: false,
      tags: ['1.0', 'latest'],
      platforms: ['linux/amd64', 'linux/arm64'],
      manifests: { copied: 3, present: 0 },
      blobs: { copied: 5, mounted: 0, present: 0, foreign: 0 },
      bytes: [...source.blobs.values()].reduce((sum, blob) => sum + blob.length, 0),
      seconds: 1.25,
      dryRun: false,
    })
    expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  })

  test('writes every blob before any manifest, children before the index, the tag last', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64 } = twoPlatforms(source)
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    const writes = destination.callsOf()
    expect(writes.slice(0, 5).every(call => call.startsWith('putBlob'))).toBe(true)
    expect(writes.slice(5, 7).toSorted()).toEqual(
      [`putManifest ${amd64.digest}`, `putManifest ${arm64.digest}`].toSorted(),
    )
    expect(writes.slice(7)).toEqual([`putManifest ${index.digest} 1.0`])
  })

  test('sends blobs biggest first over all platforms, and one that two list only once', async () => {
    const { source, destination } = stores()
    twoPlatforms(source)
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'], jobs: 1 })
    const digests = destination.callsOf('putBlob').map(call => call.split(' ')[1] ?? '')
    const sizes = digests.map(digest => [...source.blobs].find(([key]) => key === digest)?.[1].length)
    expect(sizes.slice(0, 3)).toEqual([9000, 5000, 700])
    expect(new Set(digests).size).toBe(digests.length)
    expect(source.callsOf('getBlob')).toHaveLength(5)
  })

  test('keeps as many transfers going as jobs says, and never more', async () => {
    const { source, destination } = stores()
    const layers = Array.from({ length: 9 }, (_, at) => bytesOf(100 + at))
    tag(source, '1.0', addImage(source, { layers }))
    destination.faults.putBlob = async () => {
      await settle()
      return undefined
    }
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'], jobs: 3 })
    expect(destination.mostRunningPuts).toBe(3)
    expect(destination.blobs.size).toBe(10)
  })

  test('copies indexes inside indexes from the bottom up', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { platform: 'linux/amd64' })
    const deepest = addIndex(source, [image])
    const middle = addIndex(source, [deepest, addImage(source, { platform: 'linux/arm64' })])
    // Listed at the top as well as at the bottom: it must be there before the deeper of its parents.
    const root = addIndex(source, [image, middle])
    tag(source, 'deep', root)
    const result = await copyImage({ source, from: 'deep', destination, tags: ['deep'] })
    expect(destination.manifests).toEqual(source.manifests)
    const order = destination.callsOf('putManifest').map(call => call.split(' ')[1])
    const places = [image, deepest, middle, root].map(({ digest }) => order.indexOf(digest))
    expect(places).toEqual(places.toSorted((one, other) => one - other))
    expect(new Set(order).size).toBe(5)
    expect(result.manifests.copied).toBe(5)
  })

  test('keeps manifests and blobs of media types that nobody knows', async () => {
    const { source, destination } = stores()
    const blob = addBlob(source, 'what is this', 'application/x.layer')
    const config = addBlob(source, '{}', 'application/x.config')
    const child = addManifest(
      source,
      `{ "mediaType": "application/x.thing", "config": ${JSON.stringify(config)}, "layers": [${JSON.stringify(blob)}] }`,
    )
    const root = addManifest(source, { mediaType: 'application/x.things', manifests: [child] })
    const result = await copyImage({ source, from: root.digest, destination, tags: ['x'] })
    expect(destination.manifests).toEqual(source.manifests)
    expect(destination.blobs).toEqual(source.blobs)
    expect(result.mediaType).toBe('application/x.things')
  })

  test('does not follow a subject', async () => {
    const { source, destination } = stores()
    const subject = addImage(source)
    const signature = addImage(source, { layers: ['signature'], more: { subject } })
    await copyImage({ source, from: signature.digest, destination, tags: ['s'] })
    expect(destination.manifests.has(subject.digest)).toBe(false)
  })

  test('copies an image without tags under its digest alone', async () => {
    const { source, destination } = stores()
    const image = addImage(source)
    const result = await copyImage({ source, from: image.digest, destination, tags: [] })
    expect(destination.callsOf('putManifest')).toEqual([`putManifest ${image.digest} `])
    expect(result).not.toHaveProperty('platforms')
  })

  test('tells of each step in the order in which it happens', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { layers: [bytesOf(2000)] })
    const [config, layer] = blobsOf(source, image)
    const events: TransferEvent[] = []
    const onEvent = (event: TransferEvent) => void events.push(event)
    await copyImage({ source, from: image.digest, destination, tags: ['1'], jobs: 1, onEvent })
    expect(events).toEqual([
      { type: 'planned', manifests: 1, blobs: 2, bytes: 2000 + (config?.size ?? 0) },
      { type: 'blob-started', descriptor: layer },
      { type: 'blob-progress', descriptor: layer, bytes: 1024 },
      { type: 'blob-progress', descriptor: layer, bytes: 976 },
      { type: 'blob-done', descriptor: layer, how: 'copied' },
      { type: 'blob-started', descriptor: config },
      { type: 'blob-progress', descriptor: config, bytes: config?.size },
      { type: 'blob-done', descriptor: config, how: 'copied' },
      { type: 'manifest-done', descriptor: image, how: 'copied', tags: ['1'] },
    ])
  })

  test('tells that an upload starts again, and reads the blob anew for it', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { layers: [bytesOf(3000)] })
    const [, layer] = blobsOf(source, image)
    destination.faults.putBlob = async ({ size }, open) => {
      if (size === 3000) for await (const _ of await open()) break
      return undefined
    }
    const events: TransferEvent[] = []
    const onEvent = (event: TransferEvent) => void events.push(event)
    await copyImage({ source, from: image.digest, destination, tags: ['1'], jobs: 1, onEvent })
    const ofLayer = events.filter(event => 'descriptor' in event && event.descriptor.digest === layer?.digest)
    expect(ofLayer.map(event => (event.type === 'blob-progress' ? event.bytes : event.type))).toEqual([
      'blob-started',
      1024,
      'blob-restarted',
      1024,
      1024,
      952,
      'blob-done',
    ])
    expect(source.openStreams).toBe(0)
  })
})

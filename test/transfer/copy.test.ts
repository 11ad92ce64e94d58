import { describe, expect, test } from 'vitest'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { childBlobs } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import {
  addBlob,
  addImage,
  addIndex,
  addManifest,
  bytesOf,
  instantSleep,
  settle,
  stores,
  tag,
} from './images.ts'

/** An index of two platforms that share one layer. */
function twoPlatforms(source: MemoryStore) {
  const shared = addBlob(source, bytesOf(5000))
  const amd64 = addImage(source, { platform: 'linux/amd64', layers: [shared, bytesOf(700)] })
  const arm64 = addImage(source, { platform: 'linux/arm64', layers: [shared, bytesOf(9000)] })
  const index = addIndex(source, [amd64, arm64])
  tag(source, '1.0', index)
  return { index, amd64, arm64, shared }
}

/** Puts an image's manifest, but not its blobs, to the destination. */
function give(from: MemoryStore, to: MemoryStore, { digest }: Descriptor): void {
  const manifest = from.manifests.get(digest)
  if (manifest !== undefined) to.manifests.set(digest, manifest)
}

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
    const { index } = twoPlatforms(source)
    give(source, destination, index)
    tag(destination, 'old', index)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['old', 'new'] })
    expect(source.calls).toEqual(['resolve 1.0', `getManifest ${index.digest}`])
    expect(destination.callsOf()).toEqual([`putManifest ${index.digest} new`])
    expect(result).toMatchObject({ tags: ['old', 'new'], manifests: { copied: 1, present: 0 }, bytes: 0 })
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

  test('is not sent: a blob', async () => {
    const { source, destination } = stores()
    const { shared } = twoPlatforms(source)
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

describe('blobs that need not travel', () => {
  test('are mounted without being asked for or read', async () => {
    const { source, destination } = stores()
    twoPlatforms(source)
    destination.mountable.add(source)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    expect(destination.callsOf('hasBlob')).toEqual([])
    expect(source.callsOf('getBlob')).toEqual([])
    expect(destination.blobs).toEqual(source.blobs)
    expect(result).toMatchObject({ blobs: { copied: 0, mounted: 5, present: 0, foreign: 0 }, bytes: 0 })
  })

  test('are counted as what the destination made of them', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { layers: [bytesOf(300), bytesOf(200)] })
    destination.mountable.add(source)
    destination.faults.putBlob = async ({ size, digest }, open) => {
      if (size === 300) return 'present'
      if (size !== 200) return undefined
      for await (const chunk of await open()) destination.blobs.set(digest, chunk)
      return 'copied'
    }
    const result = await copyImage({ source, from: image.digest, destination, tags: ['1'] })
    expect(result).toMatchObject({ blobs: { copied: 1, mounted: 1, present: 1, foreign: 0 }, bytes: 200 })
  })

  const foreignType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'

  test('are left where they are when they are foreign', async () => {
    const { source, destination } = stores()
    const foreign = { ...addBlob(source, bytesOf(4000), foreignType), urls: ['https://elsewhere.test/layer'] }
    const image = addImage(source, { layers: [foreign, 'ours'] })
    const result = await copyImage({ source, from: image.digest, destination, tags: ['1'] })
    expect(destination.calls.some(call => call.includes(foreign.digest))).toBe(false)
    expect(result.blobs).toEqual({ copied: 2, mounted: 0, present: 0, foreign: 1 })
  })

  test('are read from the source when they are foreign and wanted', async () => {
    const { source, destination } = stores()
    const image = addImage(source, { layers: [addBlob(source, bytesOf(4000), foreignType)] })
    const options = { source, from: image.digest, destination, tags: ['1'], includeForeign: true }
    expect((await copyImage(options)).blobs).toMatchObject({ copied: 2, foreign: 0 })
    expect(destination.blobs).toEqual(source.blobs)
  })

  test('travel when one image lists them as foreign and another as its own', async () => {
    const { source, destination } = stores()
    const foreign = addBlob(source, bytesOf(4000), foreignType)
    const own = addBlob(source, bytesOf(4000))
    const index = addIndex(source, [
      addImage(source, { platform: 'windows/amd64', layers: [foreign] }),
      addImage(source, { platform: 'linux/amd64', layers: [own] }),
    ])
    const result = await copyImage({ source, from: index.digest, destination, tags: ['1'] })
    expect(result.blobs.foreign).toBe(0)
    expect(destination.blobs.has(own.digest)).toBe(true)
  })
})

describe('a digest that must be', () => {
  test('lets the copy pass when the tag stands for it, also in another algorithm', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    const bytes = source.manifests.get(index.digest)?.bytes ?? new Uint8Array()
    const options = { source, from: '1.0', destination, tags: ['1.0'] }
    await copyImage({ ...options, expectedDigest: index.digest })
    await copyImage({ ...options, expectedDigest: digestOf(bytes, 'sha512') })
    expect(destination.tags.get('1.0')).toBe(index.digest)
  })

  test.each(['sha256', 'sha512'] as const)(
    'stops the copy before anything is written (%s)',
    async algorithm => {
      const { source, destination } = stores()
      twoPlatforms(source)
      const expectedDigest = digestOf('another', algorithm)
      const failed = copyImage({ source, from: '1.0', destination, tags: ['1.0'], expectedDigest })
      await expect(failed).rejects.toMatchObject({
        code: 'INTEGRITY',
        message: expect.stringContaining(expectedDigest),
      })
      expect(destination.callsOf()).toEqual([])
    },
  )

  test('is the one asked for: a source that answers with another is not believed', async () => {
    const { source, destination } = stores()
    const { index, amd64 } = twoPlatforms(source)
    source.resolve = async () => index
    const failed = copyImage({ source, from: amd64.digest, destination, tags: ['1.0'] })
    await expect(failed).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(destination.callsOf()).toEqual([])
  })
})

describe('a dry run', () => {
  test('says for each blob and manifest what would be done, and does none of it', async () => {
    const { source, destination } = stores()
    const { index, amd64, arm64, shared } = twoPlatforms(source)
    give(source, destination, amd64)
    destination.blobs.set(shared.digest, bytesOf(5000))
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'], dryRun: true })
    const [config, , own] = blobsOf(source, arm64)
    const facts = ({ digest, mediaType, size }: Descriptor) => ({ digest, mediaType, size })
    expect(result.plan).toEqual([
      { kind: 'blob', how: 'copied', digest: own?.digest, mediaType: own?.mediaType, size: 9000 },
      { kind: 'blob', how: 'present', ...facts(shared) },
      { kind: 'blob', how: 'copied', ...(config && facts(config)) },
      { kind: 'manifest', how: 'present', ...facts(amd64), tags: [] },
      { kind: 'manifest', how: 'copied', ...facts(arm64), tags: [] },
      { kind: 'manifest', how: 'copied', ...facts(index), tags: ['1.0'] },
    ])
    expect(result).toMatchObject({ dryRun: true, bytes: 9000 + (config?.size ?? 0) })
    expect(destination.callsOf()).toEqual([])
    expect(source.callsOf('getBlob')).toEqual([])
  })

  test('tells mounts and foreign layers apart', async () => {
    const { source, destination } = stores()
    const foreign = addBlob(source, 'away', 'application/vnd.oci.image.layer.nondistributable.v1.tar')
    const image = addImage(source, { layers: [foreign] })
    destination.mountable.add(source)
    const result = await copyImage({ source, from: image.digest, destination, tags: ['1'], dryRun: true })
    expect(result.blobs).toEqual({ copied: 0, mounted: 1, present: 0, foreign: 1 })
    expect(destination.callsOf('putBlob', 'putManifest', 'hasBlob')).toEqual([])
  })

  test('says that nothing would be done when nothing is missing', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'] })
    const result = await copyImage({ source, from: '1.0', destination, tags: ['1.0'], dryRun: true })
    expect(result.plan).toMatchObject([{ kind: 'manifest', how: 'present', digest: index.digest, tags: [] }])
  })
})

describe('options', () => {
  test.each([
    { options: { tags: ['not a tag'] }, code: 'INVALID_REFERENCE' },
    { options: { jobs: 0 }, code: 'USAGE' },
    { options: { retries: -1 }, code: 'USAGE' },
    { options: { unpack: true }, code: 'USAGE' },
  ])('that make no sense are refused before any request: $options', async ({ options, code }) => {
    const { source, destination } = stores()
    twoPlatforms(source)
    const { sleep } = instantSleep()
    const failed = copyImage({ source, from: '1.0', destination, tags: ['1.0'], sleep, ...options })
    await expect(failed).rejects.toMatchObject({ name: 'DrayError', code })
    expect([...source.calls, ...destination.calls]).toEqual([])
  })

  test('that name a tag twice write it once', async () => {
    const { source, destination } = stores()
    const { index } = twoPlatforms(source)
    const result = await copyImage({ source, from: '1.0', destination, tags: ['a', 'a'] })
    expect(result.tags).toEqual(['a'])
    expect(destination.callsOf('putManifest').at(-1)).toBe(`putManifest ${index.digest} a`)
  })
})

function blobsOf(store: MemoryStore, { digest }: Descriptor): readonly Descriptor[] {
  const manifest = store.manifests.get(digest)
  return manifest === undefined ? [] : childBlobs(manifest)
}

import { describe, expect, test } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { addImage, blobsOf, bytesOf, give, settle, stores, tag, twoPlatforms } from './images.ts'

/** A source as most registries are: a manifest is read by its tag, and that costs nothing. */
function registries() {
  const { source, destination } = stores()
  source.readsAtOnce()
  return { source, destination, options: { source, from: '1.0', destination, tags: ['1.0'] } }
}

/** Answers what begins so only after all of it was asked, and so shows that it is asked at the same time. */
function answerTogether(asked: readonly MemoryStore[], ...calls: readonly string[]): void {
  const left = new Set(calls)
  let answer = () => {}
  const all = new Promise<void>(resolve => {
    answer = resolve
  })
  for (const store of asked) {
    store.faults.ask = async call => {
      if (!calls.includes(call)) return
      left.delete(call)
      if (left.size === 0) answer()
      await all
    }
  }
}

describe('the requests of a copy', () => {
  test('are one at each side when the tag stands for the same', async () => {
    const { source, destination, options } = registries()
    const { index } = twoPlatforms(source)
    give(source, destination, index)
    tag(destination, '1.0', index)
    answerTogether([source, destination], 'readManifest 1.0', 'find 1.0')
    expect(await copyImage(options)).toMatchObject({ manifests: { copied: 0, present: 1 } })
    expect(source.calls).toEqual(['readManifest 1.0'])
    expect(destination.calls).toEqual(['find 1.0'])
  })

  test('are one at the source, which is no read, where reads are counted', async () => {
    const { source, destination, options } = registries()
    source.metersReads = true
    const { index } = twoPlatforms(source)
    give(source, destination, index)
    tag(destination, '1.0', index)
    answerTogether([source, destination], 'resolve 1.0', 'find 1.0')
    await copyImage(options)
    expect(source.calls).toEqual(['resolve 1.0'])
    expect(destination.calls).toEqual(['find 1.0'])
  })

  test('are for an image: its manifest, and for each blob one at each side', async () => {
    const { source, destination, options } = registries()
    const image = addImage(source, { layers: [bytesOf(300)] })
    tag(source, '1.0', image)
    await copyImage({ ...options, jobs: 1 })
    const [config, layer] = blobsOf(source, image)
    expect(source.calls).toEqual([
      'readManifest 1.0',
      `getBlob ${layer?.digest} 0`,
      `getBlob ${config?.digest} 0`,
    ])
    expect(destination.calls).toEqual([
      'find 1.0',
      `find ${image.digest}`,
      `putBlob ${layer?.digest}`,
      `putBlob ${config?.digest}`,
      `putManifest ${image.digest} 1.0`,
    ])
  })

  describe('for the content of a blob', () => {
    /** Which blobs the source was asked for before the destination: the largest first, one by one. */
    async function begunEarly(
      layerSizes: readonly number[],
      isThere: (position: number) => boolean,
      { isNew = false } = {},
    ) {
      const { source, destination, options } = registries()
      if (!isNew)
        tag(destination, '1.0', addImage(destination, { config: { variant: 'old' }, layers: ['old'] }))
      const image = addImage(source, { layers: layerSizes.map((size, at) => bytesOf(size, at)) })
      tag(source, '1.0', image)
      const [config, ...layers] = blobsOf(source, image)
      const bytesAt = (position: number) => source.blobs.get(layers[position]?.digest ?? image.digest)
      for (const [position, layer] of layers.entries()) {
        const bytes = bytesAt(position)
        if (isThere(position) && bytes !== undefined) destination.blobs.set(layer.digest, bytes)
      }
      const early: number[] = []
      destination.faults.putBlob = async descriptor => {
        await settle()
        const position = [...layers, config].findIndex(blob => blob?.digest === descriptor.digest)
        if (source.calls.includes(`getBlob ${descriptor.digest} 0`)) early.push(position)
        return undefined
      }
      await copyImage({ ...options, jobs: 1 })
      expect(source.openStreams).toBe(0)
      return { early, asked: source.callsOf('getBlob').length }
    }

    test('go out with those to the destination once a blob was missing there', async () => {
      expect(await begunEarly([900, 800, 700], () => false)).toEqual({ early: [1, 2, 3], asked: 4 })
    })

    test('wait for its answer again once a blob was there', async () => {
      expect(await begunEarly([900, 800, 700, 600], at => at === 1)).toEqual({ early: [1], asked: 5 })
    })

    test('wait for its answer as long as every blob was there', async () => {
      expect(await begunEarly([900, 800], at => at < 2)).toEqual({ early: [], asked: 1 })
    })

    test('go out at once where nothing of the image was found at the destination', async () => {
      const found = await begunEarly([900, 800], () => false, { isNew: true })
      expect(found).toEqual({ early: [0, 1, 2], asked: 3 })
    })

    test('wait for its answer where the blob is large, though nothing of the image was found', async () => {
      const found = await begunEarly([1024 * 1024, 800], () => false, { isNew: true })
      expect(found).toEqual({ early: [1, 2], asked: 3 })
    })

    test('go out in vain for one blob at the most, of those that come one by one', async () => {
      const found = await begunEarly([900, 800, 700], () => true, { isNew: true })
      expect(found).toEqual({ early: [0], asked: 2 })
    })
  })

  test('are for a new tag of an image that is there: one question, and the tag', async () => {
    const { source, destination, options } = registries()
    const image = addImage(source)
    tag(source, '1.0', image)
    give(source, destination, image)
    await copyImage(options)
    expect(source.calls).toEqual(['readManifest 1.0'])
    expect(destination.calls).toEqual(['find 1.0', `find ${image.digest}`, `putManifest ${image.digest} 1.0`])
  })

  test('for what an index lists go to both sides at the same time; for the index itself no question is left', async () => {
    const { source, destination, options } = registries()
    const { index, amd64, arm64 } = twoPlatforms(source)
    const reads = [amd64, arm64].map(({ digest }) => `getManifest ${digest}`)
    const questions = [amd64, arm64].map(({ digest }) => `find ${digest}`)
    answerTogether([source, destination], ...reads, ...questions)
    await copyImage(options)
    expect(source.callsOf('readManifest', 'getManifest')).toEqual(['readManifest 1.0', ...reads])
    expect(destination.callsOf('find')).toEqual(['find 1.0', ...questions])
    expect(destination.callsOf('hasBlob')).toEqual([])
    expect(destination.tags.get('1.0')).toBe(index.digest)
  })

  test('read nothing that is there where reads are counted', async () => {
    const { source, destination, options } = registries()
    source.metersReads = true
    const { index, amd64, arm64 } = twoPlatforms(source)
    give(source, destination, amd64)
    await copyImage(options)
    expect(source.callsOf('resolve', 'readManifest', 'getManifest')).toEqual([
      'resolve 1.0',
      `getManifest ${index.digest}`,
      `getManifest ${arm64.digest}`,
    ])
  })

  test('ask for nothing but the blobs where all is to be written again', async () => {
    const { source, destination, options } = registries()
    const { amd64, arm64 } = twoPlatforms(source)
    await copyImage(options)
    source.calls.length = destination.calls.length = 0
    await copyImage({ ...options, force: true })
    expect(source.callsOf('getManifest')).toEqual([amd64, arm64].map(({ digest }) => `getManifest ${digest}`))
    expect(source.callsOf('getBlob')).toEqual([])
    expect(destination.callsOf('find', 'hasBlob')).toEqual(['find 1.0'])
  })

  test('have all ended when it is over, also those whose answer is of no interest', async () => {
    const { source, destination, options } = registries()
    const { amd64, arm64 } = twoPlatforms(source)
    for (const image of [amd64, arm64]) give(source, destination, image)
    let answer = () => {}
    source.faults.ask = call =>
      call === `getManifest ${amd64.digest}`
        ? new Promise(resolve => {
            answer = resolve
          })
        : Promise.resolve()
    let isOver = false
    const copied = copyImage(options).finally(() => {
      isOver = true
    })
    await settle()
    expect(isOver).toBe(false)
    answer()
    expect(await copied).toMatchObject({ manifests: { copied: 1, present: 2 } })
  })

  test('do not mind what the source cannot give of what is there', async () => {
    const { source, destination, options } = registries()
    const { amd64, arm64 } = twoPlatforms(source)
    for (const image of [amd64, arm64]) give(source, destination, image)
    source.faults.ask = async call => {
      if (call.startsWith('getManifest')) throw new DrayError('NOT_FOUND', 'a sparse index')
    }
    expect(await copyImage(options)).toMatchObject({ manifests: { copied: 1, present: 2 } })
  })

  test('of a dry run ask for each blob, and write nothing', async () => {
    const { source, destination, options } = registries()
    const image = addImage(source, { layers: [bytesOf(300)] })
    tag(source, '1.0', image)
    await copyImage({ ...options, dryRun: true })
    expect(destination.callsOf('hasBlob')).toHaveLength(2)
    expect(destination.callsOf()).toEqual([])
  })
})

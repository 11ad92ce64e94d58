import { describe, expect, test } from 'vitest'
import { copyImage } from '../../src/transfer/copy.ts'
import { addBlob, addImage, addIndex, bytesOf, stores, twoPlatforms } from './images.ts'

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

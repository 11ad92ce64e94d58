import { describe, expect, test } from 'vitest'
import { findImage } from '../../src/transfer/find-image.ts'
import { addAttestation, addImage, addIndex, platforms, stores, tag } from './images.ts'

/** An index with an attestation in front, two variants of arm, and amd64 in an index within. */
function nested() {
  const { source } = stores()
  const [v6, v7, amd64] = ['linux/arm/v6', 'linux/arm/v7', 'linux/amd64'].map(platform =>
    addImage(source, { platform }),
  )
  if (v6 === undefined || v7 === undefined || amd64 === undefined) throw new Error('no images')
  const inner = { ...addIndex(source, [amd64]), platform: amd64.platform }
  const root = addIndex(source, [addAttestation(source, v6), v6, v7, inner])
  tag(source, '1', root)
  const find = async (options: Parameters<typeof findImage>[2]) => {
    const found = await findImage(source, '1', options)
    expect(found.root.digest).toBe(root.digest)
    return found.image.digest
  }
  return { source, find, v6, v7, amd64 }
}

describe('finding the image that a reference means', () => {
  test('gives an image that is no index as it is', async () => {
    const { source } = stores()
    const image = addImage(source)
    const { root, image: found } = await findImage(source, image.digest)
    expect([root.digest, found.digest]).toEqual([image.digest, image.digest])
  })

  test('takes the platform that must be, also from an index within the index', async () => {
    const { find, v7, amd64 } = nested()
    expect(await find({ platform: platforms('linux/arm/v7')[0] })).toBe(v7.digest)
    expect(await find({ platform: platforms('linux/amd64')[0] })).toBe(amd64.digest)
  })

  test('fails for a platform that must be and is not, or that could be several', async () => {
    const { find } = nested()
    const [s390x, arm] = platforms('linux/s390x', 'linux/arm')
    await expect(find({ platform: s390x })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(find({ platform: arm })).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('takes the preferred platform, or else the first image that is no attestation', async () => {
    const { find, v6, amd64 } = nested()
    expect(await find({ preferred: platforms('linux/amd64')[0] })).toBe(amd64.digest)
    expect(await find({ preferred: platforms('linux/s390x')[0] })).toBe(v6.digest)
    expect(await find({})).toBe(v6.digest)
  })

  test('lets an empty index stand for itself', async () => {
    const { source } = stores()
    const root = addIndex(source, [])
    expect((await findImage(source, root.digest)).image.digest).toBe(root.digest)
  })
})

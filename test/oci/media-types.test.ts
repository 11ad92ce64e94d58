import { describe, expect, it } from 'vitest'
import {
  essenceOf,
  isForeignLayerType,
  isGenericType,
  isIndexType,
  isSchema1Type,
  manifestAccept,
  mediaTypes,
} from '../../src/oci/media-types.ts'

const all = Object.values(mediaTypes)

describe('media types', () => {
  it('are sorted into indexes and schema 1', () => {
    expect(all.filter(isIndexType)).toEqual([mediaTypes.ociIndex, mediaTypes.dockerList])
    expect(all.filter(isSchema1Type)).toEqual([mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed])
  })

  it('are asked for in Accept, all four that are in use, and schema 1 never', () => {
    const asked = manifestAccept.split(', ')
    for (const type of [
      mediaTypes.ociIndex,
      mediaTypes.ociManifest,
      mediaTypes.dockerList,
      mediaTypes.dockerManifest,
    ]) {
      expect(asked).toContain(type)
    }
    expect(asked.some(isSchema1Type)).toBe(false)
  })

  it.each([
    ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', true],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar', true],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar', true],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', true],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', true],
    ['application/vnd.oci.image.layer.v1.tar+gzip', false],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', false],
    ['', false],
  ])('of foreign layers are told from others: %s is %s', (type, answer) => {
    expect(isForeignLayerType(type)).toBe(answer)
  })

  it.each([
    ['application/json', true],
    ['application/octet-stream', true],
    ['text/plain', true],
    ['application/vnd.acme+json', false],
    [mediaTypes.ociIndex, false],
    ['', false],
  ])('that say nothing are told from others: %s is %s', (type, answer) => {
    expect(isGenericType(type)).toBe(answer)
  })
})

describe('essenceOf', () => {
  it.each([
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    [' application/json ;charset=utf-8;x=";"', 'application/json'],
    ['', ''],
    [';', ''],
    [undefined, ''],
  ])('of %j is %j', (header, essence) => {
    expect(essenceOf(header)).toBe(essence)
  })
})

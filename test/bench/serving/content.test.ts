import { expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Body } from './connection.ts'
import { bigBlobs, pieceBytes, small } from './content.ts'

const bytesOf = ({ pieces }: Body) => Buffer.concat([...pieces])

it('big blobs have the size and the digest that they say, and are all different', () => {
  const next = bigBlobs(3 * pieceBytes)
  const blobs = [next(), next()]
  for (const blob of blobs) {
    expect(blob.bytes).toBe(3 * pieceBytes)
    expect(bytesOf(blob)).toHaveLength(blob.bytes)
    expect(digestOf(bytesOf(blob))).toBe(blob.digest)
  }
  expect(blobs[0]?.digest).not.toBe(blobs[1]?.digest)
})

it('the parts of a big blob make up the whole', () => {
  const blob = bigBlobs(3 * pieceBytes)()
  const parts = [blob.part(0, 2 * pieceBytes), blob.part(2 * pieceBytes, blob.bytes)]
  expect(parts.map(part => [part.bytes, bytesOf(part).length])).toEqual([
    [2 * pieceBytes, 2 * pieceBytes],
    [pieceBytes, pieceBytes],
  ])
  expect(Buffer.concat(parts.map(bytesOf)).equals(bytesOf(blob))).toBe(true)
})

it('a small one too is named by its digest', () => {
  const content = small('{}')
  expect(content.bytes).toBe(2)
  expect(content.digest).toBe(digestOf('{}'))
})

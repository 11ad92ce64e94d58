import { describe, expect, it } from 'vitest'
import {
  attachedTags,
  attachedTo,
  formatImageName,
  nameOfEntry,
  parseImageName,
} from '../../src/bundle/image-name.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { sampleBlob } from '../support/sample-image.ts'

const { descriptor } = sampleBlob('x')
const { digest } = descriptor

describe('the name of an image', () => {
  it.each([
    ['1.0', { tag: '1.0' }, '1.0'],
    ['alpine:3.20', { repository: 'docker.io/library/alpine', tag: '3.20' }, 'docker.io/library/alpine:3.20'],
    ['ghcr.io/a/b', { repository: 'ghcr.io/a/b', tag: 'latest' }, 'ghcr.io/a/b:latest'],
    [`ghcr.io/a/b@${digest}`, { repository: 'ghcr.io/a/b', digest }, `ghcr.io/a/b@${digest}`],
    ['a/UPPER:1', {}, undefined],
  ])('%s is read, and written in full', (text, name, full) => {
    expect(parseImageName(text)).toEqual(name)
    expect(formatImageName(parseImageName(text))).toBe(full)
  })

  it.each([
    [
      { 'io.containerd.image.name': 'ghcr.io/a/b:1', 'org.opencontainers.image.ref.name': '1' },
      'ghcr.io/a/b:1',
    ],
    [{ 'org.opencontainers.image.ref.name': '1' }, '1'],
    [{ 'io.containerd.image.name': '', 'org.opencontainers.image.ref.name': '1' }, '1'],
    [{ other: 'x' }, undefined],
  ])('is found in the annotations %j', (annotations, full) => {
    expect(formatImageName(nameOfEntry({ ...descriptor, annotations }))).toBe(full)
  })
})

describe("cosign's tags", () => {
  it.each(attachedTags(digest))('%s tells the image that it belongs to', tag => {
    expect(attachedTo(tag)).toBe(digest)
  })

  it.each([undefined, '1.0', `sha256-${'1'.repeat(64)}`, `sha256-${'1'.repeat(63)}.sig`, 'sha256-x.sig'])(
    '%s is none',
    tag => expect(attachedTo(tag)).toBeUndefined(),
  )

  it('are those of signatures, attestations and SBOMs', () => {
    const prefix = `sha256-${'0'.repeat(64)}`
    const tags = attachedTags(`sha256:${'0'.repeat(64)}` as Digest)
    expect(tags).toEqual([`${prefix}.sig`, `${prefix}.att`, `${prefix}.sbom`])
  })
})

import { describe, expect, it } from 'vitest'
import type { StoredImage } from '../../src/bundle/contents.ts'
import { parseImageName } from '../../src/bundle/image-name.ts'
import { type PushTargetsOptions, pushTargets } from '../../src/bundle/push-targets.ts'
import { sampleBlob } from '../support/sample-image.ts'

function image(name: string, content = name): StoredImage {
  const { descriptor } = sampleBlob(content)
  return { name: name === '' ? {} : parseImageName(name), descriptor, manifests: [], referrers: [] }
}

const placeOf = (name: string, prefix?: string, options?: PushTargetsOptions) =>
  pushTargets([image(name)], prefix, options)[0]

describe('where an image goes below a prefix', () => {
  it.each([
    ['docker.io/library/alpine:3.20', 'mirror', 'mirror/library/alpine'],
    ['ghcr.io/org/app:1', undefined, 'org/app'],
    ['localhost:5000/app:1', 'a/b', 'a/b/app'],
    ['1.0', 'mirror', 'mirror'],
  ])('%s to %s is %s', (name, prefix, repository) => {
    expect(placeOf(name, prefix)).toMatchObject({ name, repository })
  })

  it.each([
    ['docker.io/library/alpine:3.20', 'mirror/docker.io/library/alpine'],
    ['localhost:5000/app:1', 'mirror/localhost-5000/app'],
    ['1.0', 'mirror'],
  ])('%s keeps its registry if that is wanted: %s', (name, repository) => {
    expect(placeOf(name, 'mirror', { scoped: true })?.repository).toBe(repository)
  })

  it.each([
    ['', 'mirror', /no name.*belongs/],
    ['1.0', undefined, /no name.*belongs/],
    ['ghcr.io/org/app:1', 'x'.repeat(255), /longer than 255/],
  ])('is nowhere for "%s" below %s', (name, prefix, message) => {
    const target = placeOf(name, prefix)
    expect(target?.repository).toBeUndefined()
    expect(target?.fault?.message).toMatch(message)
  })

  it('is refused for all where two images would have one name', () => {
    const images = [image('ghcr.io/org/app:1'), image('quay.io/org/app:1')]
    expect(() => pushTargets(images, 'mirror')).toThrow(
      'ghcr.io/org/app:1 and quay.io/org/app:1 would both be mirror/org/app:1',
    )
    expect(pushTargets(images, 'mirror', { scoped: true })).toHaveLength(2)
  })

  it('may be the same for one image under two names', () => {
    const images = [image('ghcr.io/org/app:1', 'same'), image('quay.io/org/app:1', 'same')]
    expect(pushTargets(images, 'mirror').map(({ repository }) => repository)).toEqual([
      'mirror/org/app',
      'mirror/org/app',
    ])
  })
})

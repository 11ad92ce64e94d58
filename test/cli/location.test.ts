import { describe, expect, it } from 'vitest'
import { digestIn, isPath, nameIn, parseLocation } from '../../src/cli/location.ts'

const digest = `sha256:${'1'.repeat(64)}`

describe('a location', () => {
  it.each([
    ['oci:dir', 'oci', 'dir', undefined],
    ['oci:./dir:1.0', 'oci', './dir', '1.0'],
    ['oci:/a:b/dir', 'oci', '/a:b/dir', undefined],
    ['oci:./mirror/localhost:5000/app:1.0', 'oci', './mirror/localhost:5000/app', '1.0'],
    ['oci:./bundle:ghcr.io/org/app:1.0', 'oci', './bundle', 'ghcr.io/org/app:1.0'],
    ['oci:bundle:localhost:5000/app:1.0', 'oci', 'bundle', 'localhost:5000/app:1.0'],
    ['oci:bundle:registry:5000/app', 'oci', 'bundle', 'registry:5000/app'],
    ['oci:../x:1', 'oci', '../x', '1'],
    ['oci-archive:a.tar', 'oci-archive', 'a.tar', undefined],
    ['oci-archive:-:1.0', 'oci-archive', '-', '1.0'],
    ['oci-archive:a.tar:alpine:3.20', 'oci-archive', 'a.tar', 'alpine:3.20'],
    ['docker-archive:a.tar', 'docker-archive', 'a.tar', undefined],
    ['docker-archive:a.tar:ghcr.io/org/app:1', 'docker-archive', 'a.tar', 'ghcr.io/org/app:1'],
    ['docker-archive:a.tar:@12', 'docker-archive', 'a.tar', '@12'],
    ['dir:some:where', 'dir', 'some:where', undefined],
  ])('%s is read', (text, kind, path, name) => {
    expect(parseLocation(text)).toEqual({ kind, path, name, digest: undefined, text })
  })

  it.each([
    ['oci', undefined],
    ['oci', 'ghcr.io/org/app:1'],
    ['oci-archive', '1.0'],
    ['docker-archive', 'app:1'],
    ['dir', undefined],
  ])('of kind %s may have a digest, behind the name %s too', (kind, name) => {
    const text = `${kind}:path${name === undefined ? '' : `:${name}`}@${digest}`
    expect(parseLocation(text)).toMatchObject({ kind, path: 'path', name, digest })
    expect(digestIn(parseLocation(text))).toBe(digest)
  })

  it.each([
    ['alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['docker://ghcr.io/org/app', 'ghcr.io/org/app:latest'],
    ['oci:5000/app', 'oci:5000/app:latest'],
  ])('%s is a reference', (text, full) => {
    expect(parseLocation(text)).toMatchObject({ kind: 'registry', text: full })
  })

  it.each(['alpine:3.20', digest])('docker-daemon:%s is an image of the engine', image => {
    const location = { kind: 'docker-daemon', image, text: `docker-daemon:${image}` }
    expect(parseLocation(location.text)).toEqual(location)
  })

  it.each([
    ['oci:', 'the folder is empty'],
    ['oci::1', 'the folder is empty'],
    ['oci:dir:', 'the tag is empty'],
    ['oci-archive:', 'the file is empty'],
    ['docker-archive:a.tar:', 'the name is empty'],
    ['docker-daemon:', 'the image is missing'],
    ['dir:', 'the folder is empty'],
    ['oci:dir@sha256:12', 'sha256'],
    ['dir:a@b', 'sha256:<64 hex digits>'],
  ])('%s is refused, and why', (text, why) => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_REFERENCE' }))
    expect(() => parseLocation(text)).toThrow(why)
  })

  it.each(['containers-storage:x', 'ostree:x'])('%s is refused and not taken for a repository', text => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })

  it.each([
    ['alpine', { repository: 'docker.io/library/alpine', tag: 'latest' }],
    [`alpine@${digest}`, { repository: 'docker.io/library/alpine', digest }],
    ['oci:dir:1.0', { tag: '1.0' }],
    ['oci:dir', {}],
    ['oci-archive:a.tar:app:1', { repository: 'docker.io/library/app', tag: '1' }],
    ['docker-archive:a.tar:app', { repository: 'docker.io/library/app', tag: 'latest' }],
    ['docker-archive:a.tar:@0', {}],
    ['docker-daemon:app:1', { repository: 'docker.io/library/app', tag: '1' }],
    [`docker-daemon:${digest}`, {}],
    ['dir:d', {}],
  ])('%s tells the name %j', (text, name) => {
    expect(nameIn(parseLocation(text))).toEqual(name)
  })
})

describe('a path', () => {
  it.each(['-', './x', '../x', '/x', 'x.tar', 'a/b.tar.gz', 'x.TGZ', 'x.tar.zst', 'x.tzst'])('is %s', text =>
    expect(isPath(text)).toBe(true),
  )
  it.each(['alpine', 'ghcr.io/org/app:1.tar', 'docker-archive:x.tar', 'oci:./x', 'tar', 'x.gz'])(
    'is not %s',
    text => expect(isPath(text)).toBe(false),
  )
})

import { describe, expect, it } from 'vitest'
import { moved, parsePlace } from '../../src/config/place.ts'
import { inScope, matchScope, parseScope } from '../../src/config/scope.ts'
import type { ConfigTarget } from '../../src/config/settings.ts'
import { parseReference, parseRegistry } from '../../src/oci/reference.ts'

/** `host` alone is a registry as a whole. */
function targetOf(text: string): ConfigTarget {
  return text.includes('/') ? parseReference(text) : { registry: parseRegistry(text) }
}

const digest = `sha256:${'a'.repeat(64)}`

describe('a scope', () => {
  it.each<[string, string, string | undefined]>([
    ['docker.io', 'docker.io/library/alpine', 'library/alpine'],
    ['index.docker.io', 'docker.io/library/alpine', 'library/alpine'],
    ['docker.io/', 'docker.io/library/alpine', 'library/alpine'],
    ['docker.io/library', 'docker.io/library/alpine:3', 'alpine'],
    ['docker.io/library/alpine', 'docker.io/library/alpine:3', ''],
    ['docker.io/library/alpine:3', 'docker.io/library/alpine:3', ''],
    ['docker.io/library/alpine:3', `docker.io/library/alpine:3@${digest}`, ''],
    [`docker.io/library/alpine@${digest}`, `docker.io/library/alpine@${digest}`, ''],
    ['GHCR.io', 'ghcr.io/org/app', 'org/app'],
    ['localhost:5000', 'localhost:5000/app', 'app'],
    ['[::1]:5000/team', '[::1]:5000/team/app', 'app'],
    ['*.example.com', 'a.example.com/app', 'app'],
    ['*.example.com', 'a.b.example.com:5000/app', 'app'],
    ['*.example.com:5000', 'a.example.com:5000/app', 'app'],
    ['*.example.com/team', 'a.example.com/team/app', 'app'],
  ])('%s holds %s', (key, reference, rest) => {
    expect(matchScope(parseScope(key), targetOf(reference))?.rest).toBe(rest)
  })

  it.each([
    ['docker.io', 'ghcr.io/library/alpine'],
    ['docker.io/lib', 'docker.io/library/alpine'],
    ['docker.io/library/alpine:3', 'docker.io/library/alpine:3.1'],
    ['docker.io/library/alpine:3', 'docker.io/library/alpine/sub:3'],
    ['docker.io/library', 'docker.io'],
    ['example.com', 'a.example.com/app'],
    ['example.com', 'example.com:5000/app'],
    ['*.example.com', 'example.com/app'],
    ['*.example.com', 'badexample.com/app'],
    ['*.example.com', 'a.example.com.evil.test/app'],
    ['*.example.com:5000', 'a.example.com/app'],
    ['*.example.com', 'evil.test/a.example.com'],
  ])('%s does not hold %s', (key, reference) => {
    expect(matchScope(parseScope(key), targetOf(reference))).toBeUndefined()
  })

  it('holds a registry as a whole, of which there is no rest', () => {
    expect(matchScope(parseScope('ghcr.io'), { registry: 'ghcr.io' })).toMatchObject({ rest: undefined })
  })

  it.each(['', '*', '*.', '/app', 'a b', 'ghcr.io/Org', 'ghcr.io//app', 'a*.example.com', 'https://ghcr.io'])(
    'is not made of %j',
    key => expect(() => parseScope(key)).toThrow(/^invalid/),
  )

  it('that is more exact comes first', () => {
    const keys = [
      '*.example.com',
      'x.a.example.com',
      '*.a.example.com',
      'x.a.example.com/team',
      '*.example.com/team/app',
    ]
    const things = keys.map(key => ({ key, scope: parseScope(key) }))
    const found = inScope(things, targetOf('x.a.example.com/team/app'))
    expect(found.map(({ thing }) => thing.key)).toEqual([
      '*.example.com/team/app',
      'x.a.example.com/team',
      'x.a.example.com',
      '*.a.example.com',
      '*.example.com',
    ])
  })
})

describe('what is moved', () => {
  it.each([
    ['docker.io', 'mirror.test:5000', 'alpine/git:1', 'mirror.test:5000', 'alpine/git'],
    ['docker.io', 'cache.test/hub/', 'docker.io/library/alpine', 'cache.test', 'hub/library/alpine'],
    ['docker.io/library', 'cache.test/hub', 'docker.io/library/alpine', 'cache.test', 'hub/alpine'],
    ['docker.io/library', 'cache.test', 'docker.io/library/alpine', 'cache.test', 'alpine'],
    ['docker.io/library/alpine', 'cache.test/a', 'docker.io/library/alpine', 'cache.test', 'a'],
    ['*.example.com', 'cache.test/x', 'a.example.com:5000/app', 'cache.test', 'x/app'],
  ])('from %s to %s: %s is %s/%s', (key, location, reference, registry, repository) => {
    const target = targetOf(reference)
    const match = matchScope(parseScope(key), target) ?? expect.fail('no match')
    const tag = target.tag
    expect(moved(parsePlace(location), target, match)).toEqual({ registry, repository, tag })
  })

  it('keeps a repository', () => {
    const target = targetOf('docker.io/library/alpine')
    expect(() => moved(parsePlace('cache.test'), target, { rest: '', length: 1 })).toThrow('cache.test: ')
  })

  it.each([
    ['cache.test', undefined],
    ['https://cache.test', false],
    ['HTTP://cache.test/hub', true],
  ])('to %s is met by its scheme', (location, plainHttp) => {
    expect(parsePlace(location)).toMatchObject({ registry: 'cache.test', plainHttp })
  })

  it.each(['ftp://cache.test', 'cache.test/a:1', '*.cache.test', `cache.test/a@${digest}`, 'https://'])(
    'cannot go to %s',
    location => expect(() => parsePlace(location)).toThrow(/^invalid/),
  )
})

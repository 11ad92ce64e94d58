import { describe, expect, it } from 'vitest'
import { matchingKeys, sameRegistry, serverKey } from '../../src/credentials/server-key.ts'

describe('a key of a config file is meant for', () => {
  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.io', 'ghcr.io'],
    ['localhost:5000', 'localhost:5000'],
    ['[::1]:5000', '[::1]:5000'],
    ['https://ghcr.io', 'ghcr.io'],
    ['https://ghcr.io/', 'ghcr.io'],
    ['http://localhost:5000', 'localhost:5000'],
    ['https://ghcr.io/v1/', 'ghcr.io'],
    ['https://ghcr.io/v2/', 'ghcr.io'],
    ['https://ghcr.io/v2', 'ghcr.io'],
    ['ghcr.io/v1/', 'ghcr.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io/v1/', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['docker.io', 'index.docker.io'],
  ])('the whole registry: %s is for %s', (key, registry) => {
    expect(matchingKeys([key], { registry })).toEqual([key])
    expect(matchingKeys([key], { registry, repository: 'any/thing' })).toEqual([key])
  })

  it.each([
    ['ghcr.io', 'ghcr.io:443'],
    ['localhost:5000', 'localhost'],
    ['localhost:5000', 'localhost:5001'],
    ['ghcr.io', 'evil-ghcr.io'],
    ['ghcr.io', 'ghcr.io.evil.example'],
    ['ghcr.io', 'io'],
    ['https://index.docker.io/v1/', 'ghcr.io'],
    ['docker.io.evil.example', 'docker.io'],
    ['https://user@ghcr.io', 'ghcr.io'],
    ['', 'ghcr.io'],
  ])('no other registry: %s is not for %s', (key, registry) => {
    expect(matchingKeys([key], { registry, repository: 'org/app' })).toEqual([])
  })

  it.each([
    ['quay.io/org', 'org/app', true],
    ['quay.io/org/', 'org/app', true],
    ['quay.io/org/app', 'org/app', true],
    ['https://quay.io/org', 'org/app', true],
    ['quay.io/v2', 'v2/app', true],
    ['quay.io/org/app', 'org/app/part', true],
    ['quay.io/org/ap', 'org/app', false],
    ['quay.io/org/app', 'org/application', false],
    ['quay.io/org/app', 'org', false],
    ['quay.io/v2', 'org/app', false],
    ['https://quay.io/org', 'other/app', false],
    ['quay.io/org', undefined, false],
  ])('whole parts of a path only: %s for %s is %s', (key, repository, matches) => {
    expect(matchingKeys([key], { registry: 'quay.io', repository })).toEqual(matches ? [key] : [])
  })

  it('one repository of Docker Hub', () => {
    const target = { registry: 'docker.io', repository: 'library/alpine' }
    expect(matchingKeys(['docker.io/library', 'docker.io/alpine'], target)).toEqual(['docker.io/library'])
  })
})

it('the longest path comes first, then the usual spelling, then the order of the file', () => {
  const keys = ['https://quay.io', 'quay.io/a', 'quay.io', 'quay.io/a/b', 'http://quay.io', 'quay.io/x']
  expect(matchingKeys(keys, { registry: 'quay.io', repository: 'a/b/c' })).toEqual([
    'quay.io/a/b',
    'quay.io/a',
    'quay.io',
    'https://quay.io',
    'http://quay.io',
  ])
})

it.each([
  ['docker.io', 'https://index.docker.io/v1/'],
  ['registry-1.docker.io', 'https://index.docker.io/v1/'],
  ['Localhost:5000', 'localhost:5000'],
])('the key of %s is %s', (registry, key) => {
  expect(serverKey(registry)).toBe(key)
})

it('the names of Docker Hub are one registry, and a port makes another', () => {
  expect(sameRegistry('index.docker.io', 'docker.io')).toBe(true)
  expect(sameRegistry('docker.io:443', 'docker.io')).toBe(false)
})

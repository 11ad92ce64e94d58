import { describe, expect, it } from 'vitest'
import {
  equalKeys,
  keyName,
  matchingKeys,
  narrowerKeys,
  sameRegistry,
  serverKey,
} from '../../src/credentials/server-key.ts'

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
  ['docker.io', undefined, 'https://index.docker.io/v1/'],
  ['registry-1.docker.io', undefined, 'https://index.docker.io/v1/'],
  ['docker.io', 'user', 'docker.io/user'],
  ['index.docker.io', 'user/app', 'docker.io/user/app'],
  ['Localhost:5000', undefined, 'localhost:5000'],
  ['quay.io', 'ns/app', 'quay.io/ns/app'],
])('the key of %s and %s is %s', (registry, repository, key) => {
  expect(serverKey({ registry, repository })).toBe(key)
})

it.each([
  ['https://index.docker.io/v1/', 'docker.io'],
  ['https://GHCR.io/org/', 'ghcr.io/org'],
  ['localhost:5000', 'localhost:5000'],
])('the key %s is called %s', (key, name) => expect(keyName(key)).toBe(name))

it('keys are for exactly a target, or for parts of it', () => {
  const keys = ['quay.io', 'https://quay.io/ns', 'quay.io/ns/app', 'quay.io/nsx', 'ghcr.io/ns/app']
  const whole = { registry: 'quay.io' }
  const part = { registry: 'quay.io', repository: 'ns' }
  expect(equalKeys(keys, whole)).toEqual(['quay.io'])
  expect(equalKeys(keys, part)).toEqual(['https://quay.io/ns'])
  expect(narrowerKeys(keys, whole)).toEqual(['https://quay.io/ns', 'quay.io/ns/app', 'quay.io/nsx'])
  expect(narrowerKeys(keys, part)).toEqual(['quay.io/ns/app'])
})

it('the names of Docker Hub are one registry, and a port makes another', () => {
  expect(sameRegistry('index.docker.io', 'docker.io')).toBe(true)
  expect(sameRegistry('docker.io:443', 'docker.io')).toBe(false)
})

import { describe, expect, it } from 'vitest'
import { formatLoginTarget, parseLoginTarget } from '../../src/credentials/login-target.ts'

describe('what a login is for', () => {
  it.each([
    ['ghcr.io', 'ghcr.io', undefined],
    ['https://ghcr.io/', 'ghcr.io', undefined],
    ['https://index.docker.io/v1/', 'docker.io', undefined],
    ['ghcr.io/v2', 'ghcr.io', undefined],
    ['ghcr.io/org', 'ghcr.io', 'org'],
    ['https://GHCR.io/org/', 'ghcr.io', 'org'],
    ['quay.io/ns/app', 'quay.io', 'ns/app'],
    ['index.docker.io/user', 'docker.io', 'user'],
    ['localhost/app', 'localhost', 'app'],
    ['[::1]:5000/app', '[::1]:5000', 'app'],
  ])('is read from %s', (text, registry, repository) => {
    const target = parseLoginTarget(text)
    expect(target).toEqual({ registry, repository })
    expect(formatLoginTarget(target)).toBe(repository === undefined ? registry : `${registry}/${repository}`)
  })

  it.each([
    ['ghcr.io/Org', 'must be lower case'],
    ['ghcr.io/org/app:1.0', '"app:1.0"'],
    ['ghcr.io//a//b', 'an empty part'],
    ['org/app', 'docker.io/org/app'],
    ['/org', 'the registry is empty'],
    ['', 'the registry is empty'],
    ['user@ghcr.io/org', 'not a host name'],
  ])('is not read from %j', (text, why) => {
    expect(() => parseLoginTarget(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_REFERENCE', message: expect.stringContaining(why) }),
    )
  })
})

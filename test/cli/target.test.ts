import { describe, expect, it } from 'vitest'
import { formatTarget, parseTarget } from '../../src/cli/target.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('a target', () => {
  it.each([
    ['quay.io', { registry: 'quay.io' }, 'quay.io'],
    ['docker.io', { registry: 'docker.io' }, 'docker.io'],
    ['localhost:5000', { registry: 'localhost:5000' }, 'localhost:5000'],
    ['https://[::1]:5000/', { registry: '[::1]:5000' }, '[::1]:5000'],
    ['alpine', { registry: 'docker.io', repository: 'library/alpine' }, 'docker.io/library/alpine'],
    [
      'docker://alpine:latest',
      { registry: 'docker.io', repository: 'library/alpine', tag: 'latest' },
      'docker.io/library/alpine:latest',
    ],
    [
      'localhost:5000/team/app',
      { registry: 'localhost:5000', repository: 'team/app' },
      'localhost:5000/team/app',
    ],
    [
      `ghcr.io/org/app:1.0@${digest}`,
      { registry: 'ghcr.io', repository: 'org/app', tag: '1.0', digest },
      `ghcr.io/org/app:1.0@${digest}`,
    ],
  ])('is read from %s as far as it is written', (text, target, formatted) => {
    expect(parseTarget(text)).toEqual(target)
    expect(formatTarget(parseTarget(text))).toBe(formatted)
  })

  it.each(['oci:app:1.0', 'docker-archive:app.tar', 'dir:app'])('is none in %s', text => {
    expect(() => parseTarget(text)).toThrow('is in no registry')
  })

  it('must be one', () => expect(() => parseTarget('A b')).toThrow('invalid reference'))
})

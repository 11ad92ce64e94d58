import { describe, expect, it } from 'vitest'
import { environmentCredential, unusedEnvironmentCredential } from '../../src/credentials/environment.ts'
import { errorOf, everythingSaid } from './sandbox.ts'

const login = { DRAY_USERNAME: 'ci', DRAY_PASSWORD: 'hunter2' }

describe('DRAY_USERNAME and DRAY_PASSWORD', () => {
  it.each<[string, Record<string, string>, string | undefined, boolean]>([
    ['the only registry of the command', login, 'ghcr.io', true],
    ['the registry that DRAY_REGISTRY names', { ...login, DRAY_REGISTRY: 'ghcr.io' }, undefined, true],
    ['that registry as a URL', { ...login, DRAY_REGISTRY: 'https://GHCR.io/' }, undefined, true],
    ['not a second registry', login, 'quay.io', false],
    ['not a registry of several', login, undefined, false],
    [
      'not a registry that DRAY_REGISTRY does not name',
      { ...login, DRAY_REGISTRY: 'quay.io' },
      'ghcr.io',
      false,
    ],
    ['not another port', { ...login, DRAY_REGISTRY: 'ghcr.io:5000' }, 'ghcr.io', false],
    ['nothing when they are empty', { DRAY_USERNAME: '', DRAY_PASSWORD: '' }, 'ghcr.io', false],
  ])('are used for %s', (_what, env, soleRegistry, used) => {
    expect(environmentCredential({ env, soleRegistry }, 'ghcr.io')).toEqual(
      used ? { kind: 'basic', username: 'ci', password: 'hunter2' } : undefined,
    )
  })

  it('are used for Docker Hub under each of its names', () => {
    const env = { ...login, DRAY_REGISTRY: 'index.docker.io' }
    expect(environmentCredential({ env }, 'docker.io')).toMatchObject({ username: 'ci' })
  })

  it.each([
    [{ DRAY_PASSWORD: 'hunter2' }, 'DRAY_PASSWORD is set, but DRAY_USERNAME is not'],
    [{ DRAY_USERNAME: 'ci' }, 'DRAY_USERNAME is set, but DRAY_PASSWORD is not'],
    [{ ...login, DRAY_REGISTRY: 'a/b' }, /^DRAY_REGISTRY: invalid reference "a\/b"/],
  ])('are a wrong use where a part is missing or malformed: %o', async (env, message) => {
    const ask = async () => environmentCredential({ env, soleRegistry: 'ghcr.io' }, 'ghcr.io')
    const error = await errorOf(ask())
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })

  it('that go nowhere are spoken of', () => {
    expect(unusedEnvironmentCredential({ env: login })).toMatch(/are not used: .* DRAY_REGISTRY/)
    expect(unusedEnvironmentCredential({ env: login, soleRegistry: 'ghcr.io' })).toBeUndefined()
    expect(unusedEnvironmentCredential({ env: { ...login, DRAY_REGISTRY: 'ghcr.io' } })).toBeUndefined()
    expect(unusedEnvironmentCredential({ env: {} })).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { openPlaces } from './places.ts'

describe('a job of GitHub Actions', () => {
  it.each([
    [{ GITHUB_TOKEN: 'ghs_secret', GITHUB_ACTOR: 'octocat' }, 'octocat'],
    [{ GITHUB_TOKEN: 'ghs_secret', GITHUB_SERVER_URL: 'https://github.com' }, 'github-actions'],
  ])('has its login for ghcr.io in %o', async (env, username) => {
    expect(await openPlaces(env).find('ghcr.io')).toEqual({
      credential: { kind: 'basic', username, password: 'ghs_secret' },
      origin: 'GITHUB_TOKEN',
    })
  })

  it.each([{}, { GITHUB_TOKEN: '' }, { GITHUB_ACTOR: 'octocat' }, { GH_TOKEN: 'gho_secret' }])(
    'has none in %o',
    async env => expect(await openPlaces(env).find('ghcr.io')).toBeUndefined(),
  )
})

describe('a job of GitLab CI', () => {
  const job = {
    CI_REGISTRY: 'registry.gitlab.com',
    CI_REGISTRY_USER: 'gitlab-ci-token',
    CI_REGISTRY_PASSWORD: 'registry-secret',
    CI_JOB_TOKEN: 'job-secret',
    CI_DEPENDENCY_PROXY_SERVER: 'gitlab.com:443',
    CI_DEPENDENCY_PROXY_USER: 'proxy-user',
    CI_DEPENDENCY_PROXY_PASSWORD: 'proxy-secret',
  }

  it.each<[string, string, Record<string, string>, string, string, string]>([
    [
      'its registry',
      'registry.gitlab.com',
      {},
      'gitlab-ci-token',
      'registry-secret',
      'CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD',
    ],
    [
      'its registry, by a deploy token',
      'registry.gitlab.com',
      { CI_REGISTRY_USER: 'deploy' },
      'deploy',
      'registry-secret',
      'CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD',
    ],
    [
      'its registry, by the job token alone',
      'registry.gitlab.com',
      { CI_REGISTRY_PASSWORD: '' },
      'gitlab-ci-token',
      'job-secret',
      'CI_REGISTRY and CI_JOB_TOKEN',
    ],
    [
      'the dependency proxy, written without its port',
      'gitlab.com',
      {},
      'proxy-user',
      'proxy-secret',
      'CI_DEPENDENCY_PROXY_SERVER, CI_DEPENDENCY_PROXY_USER and CI_DEPENDENCY_PROXY_PASSWORD',
    ],
    [
      'the dependency proxy, by the job token alone',
      'gitlab.com:443',
      { CI_DEPENDENCY_PROXY_USER: '' },
      'gitlab-ci-token',
      'job-secret',
      'CI_DEPENDENCY_PROXY_SERVER and CI_JOB_TOKEN',
    ],
  ])('has a login for %s', async (_what, registry, env, username, password, origin) => {
    expect(await openPlaces({ ...job, ...env }).find(registry)).toEqual({
      credential: { kind: 'basic', username, password },
      origin,
    })
  })

  it('has none where nothing but the host is set', async () => {
    expect(await openPlaces({ CI_REGISTRY: 'registry.gitlab.com' }).find('registry.gitlab.com')).toBe(
      undefined,
    )
  })
})

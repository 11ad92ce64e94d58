import { describe, expect, it } from 'vitest'
import { openCredentials } from '../../src/credentials/credentials.ts'
import { base64, makeKeychainSandbox, makeSandbox } from './sandbox.ts'

const target = { registry: 'ghcr.io', repository: 'org/app' }
const entry = (username: string) => ({ auth: base64(`${username}:hunter2`) })

describe('the way to a credential', () => {
  it('names all places in order: without an entry, with one, and not asked', async () => {
    await using sandbox = await makeKeychainSandbox()
    const { home, dockerConfig } = sandbox
    await sandbox.write('.docker/config.json', { auths: { 'quay.io': entry('u') } })
    const runtime = await sandbox.write('run/containers/auth.json', { auths: { 'ghcr.io': entry('u') } })
    const steps = await openCredentials(sandbox.context).explainSearch({ registry: 'ghcr.io' })
    expect(steps.slice(0, 5)).toEqual([
      { place: 'DRAY_USERNAME and DRAY_PASSWORD', result: 'no entry' },
      { place: dockerConfig, result: 'no entry' },
      {
        place: runtime,
        result: 'hit',
        entry: {
          credential: { kind: 'basic', username: 'u', password: 'hunter2' },
          origin: `auths in ${runtime}`,
          key: 'ghcr.io',
        },
      },
      { place: `${home}/.config/containers/auth.json`, result: 'skipped' },
      { place: 'keychain', result: 'skipped' },
    ])
    expect(steps.slice(5).every(({ result }) => result === 'skipped')).toBe(true)
  })

  it('puts the longest path first, and says which files are not there', async () => {
    await using sandbox = await makeKeychainSandbox()
    const credentials = openCredentials(sandbox.context)
    await credentials.storeCredential('ghcr.io/org', { kind: 'basic', username: 'u', password: 'hunter2' })
    expect((await credentials.explainSearch(target)).slice(1, 3)).toEqual([
      { place: 'keychain', result: 'hit', entry: expect.objectContaining({ key: 'ghcr.io/org' }) },
      { place: sandbox.dockerConfig, result: 'skipped' },
    ])
    expect((await credentials.explainSearch({ registry: 'quay.io' }))[1]).toEqual({
      place: sandbox.dockerConfig,
      result: 'no entry',
      why: 'there is no such file',
    })
  })

  it('ends where a place fails', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', 'broken')
    await sandbox.write('run/containers/auth.json', { auths: { 'ghcr.io': entry('u') } })
    const steps = await openCredentials(sandbox.context).explainSearch(target)
    expect(steps[1]).toMatchObject({
      place: sandbox.dockerConfig,
      result: 'failed',
      error: { code: 'INTEGRITY' },
    })
    expect(steps.slice(2).every(({ result }) => result === 'skipped')).toBe(true)
  })

  it('goes on to the variables of the provider of that registry, and of no other', async () => {
    await using sandbox = await makeSandbox({ env: { GITHUB_TOKEN: 'hunter2' } })
    const { explainSearch } = openCredentials(sandbox.context)
    expect((await explainSearch(target)).at(-1)).toMatchObject({
      place: 'GitHub Actions',
      result: 'hit',
      entry: { origin: expect.stringContaining('GITHUB_TOKEN') },
    })
    const elsewhere = await explainSearch({ registry: 'quay.io' })
    expect(elsewhere.map(({ place }) => place)).not.toContain('GitHub Actions')
    await using empty = await makeSandbox()
    expect((await openCredentials(empty.context).explainSearch(target)).at(-1)).toEqual({
      place: 'GitHub Actions',
      result: 'no entry',
      why: 'GITHUB_TOKEN not set',
    })
  })
})

describe('the list of logins', () => {
  it('holds those of all places with user and kind, and no secret', async () => {
    const env = {
      DRAY_USERNAME: 'ci',
      DRAY_PASSWORD: 'hunter2',
      DRAY_REGISTRY: 'quay.io',
      DOCKER_AUTH_CONFIG: JSON.stringify({
        auths: { 'https://index.docker.io/v1/': { identitytoken: 'hunter2' } },
      }),
    }
    await using sandbox = await makeSandbox({ env })
    await sandbox.write('.docker/config.json', {
      auths: { 'ghcr.io/org': entry('anna'), 'ghcr.io': {}, 'b.io': { registrytoken: 'hunter2' } },
    })
    const logins = await openCredentials(sandbox.context).listLogins()
    expect(logins).toEqual([
      { origin: 'DRAY_USERNAME and DRAY_PASSWORD', key: 'quay.io', user: 'ci', kind: 'basic' },
      { origin: 'auths in DOCKER_AUTH_CONFIG', key: 'docker.io', kind: 'identity-token' },
      { origin: `auths in ${sandbox.dockerConfig}`, key: 'ghcr.io/org', user: 'anna', kind: 'basic' },
      { origin: `auths in ${sandbox.dockerConfig}`, key: 'b.io', kind: 'registry-token' },
    ])
    expect(JSON.stringify(logins)).not.toContain('hunter2')
  })

  it('asks helpers for names only, and tells of one that cannot list', async () => {
    await using sandbox = await makeSandbox()
    const list = (json: string) => `[ "$1" = list ] || exit 9; echo '${json}'`
    await sandbox.addHelper(
      'all',
      list('{"https://index.docker.io/v1/":"hub","own.io":"not this","quay.io":"<token>"}'),
    )
    await sandbox.addHelper('own', list('{"own.io":"me","unasked.io":"x"}'))
    await sandbox.write('.docker/config.json', {
      credHelpers: { 'own.io': 'own', 'cloud.io': 'own', 'none.io': '', 'broken.io': 'not-installed' },
      credsStore: 'all',
    })
    await sandbox.write('run/containers/auth.json', { credsStore: 'not-installed' })
    const own = 'helper docker-credential-own'
    const all = 'helper docker-credential-all'
    const broken = 'helper docker-credential-not-installed'
    const fault = 'the credential helper docker-credential-not-installed is not installed'
    expect(await openCredentials(sandbox.context).listLogins()).toEqual([
      { origin: own, key: 'own.io', user: 'me', kind: 'basic' },
      { origin: own, key: 'cloud.io' },
      { origin: broken, key: 'broken.io', fault },
      { origin: all, key: 'docker.io', user: 'hub', kind: 'basic' },
      { origin: all, key: 'quay.io', kind: 'identity-token' },
      { origin: broken, fault },
    ])
  })

  it("holds what dray's own configuration has", async () => {
    const configured = {
      origin: 'registries["ghcr.io"]',
      key: 'ghcr.io',
      user: 'anna',
      kind: 'basic',
    } as const
    const findConfigured = async () => undefined
    await using sandbox = await makeSandbox({ findConfigured, listConfigured: async () => [configured] })
    expect(await openCredentials(sandbox.context).listLogins()).toEqual([configured])
    const { explainSearch } = openCredentials(sandbox.context)
    expect((await explainSearch(target))[1]).toEqual({ place: "dray's configuration", result: 'no entry' })
  })

  it.each([
    [{ GITHUB_TOKEN: 'hunter2' }, /^GitHub Actions \(GITHUB_TOKEN\)$/, 'ghcr.io'],
    [
      { CI_REGISTRY: 'gitlab.example:5050', CI_JOB_TOKEN: 'hunter2' },
      /\(CI_REGISTRY, CI_JOB_TOKEN\)$/,
      'gitlab.example:5050',
    ],
    [
      { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'hunter2' },
      /\(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\)$/,
    ],
    [{ GOOGLE_OAUTH_ACCESS_TOKEN: 'hunter2' }, /\(GOOGLE_OAUTH_ACCESS_TOKEN\)$/],
    [
      { AZURE_CLIENT_ID: 'c', AZURE_TENANT_ID: 't', AZURE_CLIENT_SECRET: 'hunter2' },
      /\(AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET\)$/,
    ],
  ])(
    'names the variables of a CI job or a cloud that are set, and asks nobody: %o',
    async (env, origin, key?) => {
      const askWebService = () => Promise.reject(new Error('it was asked'))
      await using sandbox = await makeSandbox({ env, askWebService })
      const logins = await openCredentials(sandbox.context).listLogins()
      expect(logins).toEqual([{ origin: expect.stringMatching(origin), key }])
      expect(JSON.stringify(logins)).not.toContain('hunter2')
    },
  )

  it('tells of a place that cannot be read, and of an entry, and goes on', async () => {
    await using sandbox = await makeSandbox()
    await sandbox.write('.docker/config.json', {
      auths: { 'ghcr.io': { auth: 'hunter2!' }, 'a.io': entry('u') },
    })
    const broken = await sandbox.write('run/containers/auth.json', '{"auths": hunter2')
    const logins = await openCredentials(sandbox.context).listLogins()
    const origin = `auths in ${sandbox.dockerConfig}`
    expect(logins).toEqual([
      { origin, key: 'ghcr.io', fault: expect.stringContaining('auths["ghcr.io"]') },
      { origin, key: 'a.io', user: 'u', kind: 'basic' },
      { origin: broken, fault: `${broken}: not valid JSON` },
    ])
    expect(JSON.stringify(logins)).not.toContain('hunter2')
  })
})

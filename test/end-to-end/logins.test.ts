import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { startTokenService, type TokenService } from '../support/token-service.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const password = 'pa$$ wörd:+"1'
// Not the keychain of the machine that the tests run on.
const user = ['--store', 'docker', '--username', 'anna', '--password-stdin']

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('a login', patience, () => {
  const opened = new AsyncDisposableStack()
  let basic: DockerRegistry
  let bearer: DockerRegistry
  let service: TokenService

  beforeAll(async () => {
    const folder = opened.use(await makeTempDir())
    const authority = await makeAuthority(folder.path)
    basic = opened.use(await startDockerRegistry({ auth: { htpasswd: { anna: password } } }))
    service = opened.use(await startTokenService({ authority, users: { anna: password } }))
    bearer = opened.use(await startDockerRegistry({ auth: { token: service.token } }))
  })
  afterAll(() => opened.disposeAsync())

  it.each([
    ['a registry with passwords', () => basic],
    ['a registry with tokens', () => bearer],
  ])('opens %s from then on, until the logout', async (_, registry) => {
    const { host } = registry()
    await using config = await makeTempDir()
    const env = { DOCKER_CONFIG: config.path }
    await drayFails(4, ['copy', '--progress', 'none', hello, `${host}/app/hello:1.0`], { env })

    const login = await dray(['login', ...user, host], { env, input: `${password}\n` })
    expect(login.stdout).toBe(`logged in to ${host} as anna\n`)
    expect(login.stderr).toContain(join(config.path, 'config.json'))

    await dray(['copy', hello, `${host}/app/hello:1.0`], { env })
    expect((await dray(['digest', `${host}/app/hello:1.0`], { env })).stdout).toBe(`${digest}\n`)
    expect((await dray(['ls', `${host}/app/hello`], { env })).stdout).toBe('1.0\n')
    const mounted = await drayJson(['copy', `${host}/app/hello:1.0`, `${host}/other/hello:1.0`], { env })
    expect(mounted).toMatchObject({ blobs: { mounted: 7, copied: 0 } })
    expect((await dray(['catalog', host], { env })).stdout).toBe('app/hello\nother/hello\n')
    await dray(['tag', `${host}/app/hello:1.0`, 'stable'], { env })
    await dray(['delete', '--force', `${host}/app/hello:stable`], { env })

    expect((await dray(['logout', '--dry-run', host], { env })).stdout).toContain(`would log out of ${host}`)
    expect((await dray(['digest', `${host}/other/hello:1.0`], { env })).stdout).toBe(`${digest}\n`)
    expect((await dray(['logout', host], { env })).stdout).toContain(`logged out of ${host}`)
    await drayFails(4, ['copy', '--progress', 'none', hello, `${host}/app/hello:2.0`], { env })
    await drayFails(3, ['logout', host], { env })
  })

  it.each([
    ['a registry with passwords', () => basic],
    ['a registry with tokens', () => bearer],
  ])('with a wrong password at %s is refused and not stored', async (_, registry) => {
    const { host } = registry()
    await using config = await makeTempDir()
    const env = { DOCKER_CONFIG: config.path }
    await drayFails(4, ['login', ...user, host], { env, input: 'wrong' })
    await drayFails(3, ['logout', host], { env })
  })

  it('is checked, but not stored, in a dry run', async () => {
    await using config = await makeTempDir()
    const env = { DOCKER_CONFIG: config.path }
    const { stdout } = await dray(['login', '--dry-run', ...user, basic.host], { env, input: password })
    expect(stdout).toBe(`would log in to ${basic.host} as anna\n`)
    await drayFails(3, ['logout', basic.host], { env })
  })

  it('without a password and a terminal is wrong usage, and asks nobody', async () => {
    expect(await drayFails(2, ['login', basic.host])).toContain('--password-stdin')
  })

  it('with an identity token gets access tokens by OAuth2', async () => {
    await using config = await makeTempDir()
    const env = { DOCKER_CONFIG: config.path }
    const token = service.issueRefreshToken('anna')
    await dray(['login', '--store', 'docker', '--identity-token', token, bearer.host], { env })
    await dray(['copy', hello, `${bearer.host}/oauth/hello:1.0`], { env })
    expect(service.requests.at(-1)).toMatchObject({ method: 'POST', user: 'anna' })
  })

  it('is fetched once for each repository of a copy, whatever the number of blobs', async () => {
    const seen = service.requests.length
    const flags = ['--to-username', 'anna', '--to-password-stdin']
    await dray(['copy', ...flags, hello, `${bearer.host}/once/hello:1.0`], { input: password })
    expect(service.requests.slice(seen).map(({ scopes }) => scopes)).toEqual([
      ['repository:once/hello:pull,push'],
    ])
  })

  it('is renewed when the tokens expire in the middle of the work', async () => {
    const seen = service.requests.length
    service.settings.expiresIn = 1
    try {
      const flags = ['--to-username', 'anna', '--to-password-stdin']
      await dray(['copy', ...flags, hello, `${bearer.host}/short/hello:1.0`], { input: password })
    } finally {
      service.settings.expiresIn = 300
    }
    expect(service.requests.length - seen).toBeGreaterThan(1)
  })
})

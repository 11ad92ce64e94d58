import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { type RunOptions, runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { startTokenService, type TokenService } from '../support/token-service.ts'
import { patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const password = 'Tr0ub4dor&3xyzzy'
const wrong = 'wr0ng-Tr0ub4dor'
const encoded = (secret: string) => Buffer.from(`anna:${secret}`).toString('base64')

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('no secret is printed', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let service: TokenService
  let basic: DockerRegistry
  let bearer: DockerRegistry
  let identityToken = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const authority = await makeAuthority(folder.path)
    basic = opened.use(await startDockerRegistry({ auth: { htpasswd: { anna: password } } }))
    service = opened.use(await startTokenService({ authority, users: { anna: password } }))
    bearer = opened.use(await startDockerRegistry({ auth: { token: service.token } }))
    identityToken = service.issueRefreshToken('anna')
  })
  afterAll(() => opened.disposeAsync())

  /** Runs with `--debug` and looks through all that was printed; the exit code shows that it came to the point. */
  async function expectNoSecret(code: number, args: readonly string[], options: RunOptions = {}) {
    const result = await runDray([...args, '--debug'], options)
    expect(result.code, result.stderr).toBe(code)
    for (const secret of [password, wrong, encoded(password), encoded(wrong), identityToken]) {
      expect(result.stdout + result.stderr).not.toContain(secret)
      expect(result.stdout + result.stderr).not.toContain(encodeURIComponent(secret))
    }
    expect(result.stdout + result.stderr).not.toMatch(/eyJ[\w-]{10}/) // a JWT
  }

  describe.each([
    ['basic', () => basic.host],
    ['bearer', () => bearer.host],
  ])('where the registry wants %s', (kind, host) => {
    const user = ['--username', 'anna', '--password-stdin']

    it('at a login, right or wrong, and when the stored login is used', async () => {
      const env = { DOCKER_CONFIG: join(folder.path, kind) }
      await expectNoSecret(4, ['login', ...user, host()], { env, input: wrong })
      await expectNoSecret(0, ['login', ...user, host()], { env, input: password })
      await expectNoSecret(0, ['copy', hello, `${host()}/app/hello:1.0`], { env })
      await expectNoSecret(0, ['inspect', `${host()}/app/hello:1.0`], { env })
      await expectNoSecret(3, ['ls', `${host()}/none`], { env })
      await expectNoSecret(0, ['logout', host()], { env })
    })

    it('from flags and the environment', async () => {
      const login = ['--to-username', 'anna', '--to-password', wrong]
      await expectNoSecret(4, ['copy', ...login, hello, `${host()}/app/hello:2.0`])
      await expectNoSecret(3, ['ls', '-u', 'anna', '-p', password, `${host()}/none`])
      const env = { DRAY_USERNAME: 'anna', DRAY_PASSWORD: password }
      await expectNoSecret(3, ['ls', `${host()}/none`], { env })
    })
  })

  it('of OAuth2', async () => {
    await expectNoSecret(3, ['ls', '--identity-token', identityToken, `${bearer.host}/none`])
  })

  it('when it was typed into a reference', async () => {
    await expectNoSecret(2, ['ls', `https://anna:${wrong}@${basic.host}/app`])
    await expectNoSecret(2, ['ls', `anna:${wrong}@${basic.host}/app`])
    await expectNoSecret(2, ['ls', '-u', 'anna', `--pasword=${wrong}`, `${basic.host}/app`])
  })

  it('when a config file is malformed', async () => {
    const dir = join(folder.path, 'malformed')
    await mkdir(dir)
    await writeFile(join(dir, 'config.json'), `{"auths":{"${basic.host}":{"auth":"${encoded(wrong)}",}}`)
    await expectNoSecret(6, ['ls', `${basic.host}/app`], { env: { DOCKER_CONFIG: dir } })
  })

  it('when the registry sends it back', async () => {
    await using proxy = await startFaultyProxy(basic.url)
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: `Basic ${encoded(wrong)} is wrong` }] })
    proxy.spoil({ fault: { kind: 'answer', status: 403, body } })
    await expectNoSecret(4, ['ls', `${proxy.host}/app`])
  })

  it('in a header of the user’s own', async () => {
    const line = `X-Api-Key: ${wrong}`
    await expectNoSecret(4, ['ls', '--header', line, `${basic.host}/app`])
    await expectNoSecret(2, ['ls', '--header', `Authorization ${wrong}`, `${basic.host}/app`])
  })
})

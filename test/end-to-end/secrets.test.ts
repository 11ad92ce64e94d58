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
    expectNone(result.stdout + result.stderr)
  }

  function expectNone(printed: string): void {
    for (const secret of [password, wrong, encoded(password), encoded(wrong), identityToken]) {
      expect(printed).not.toContain(secret)
      expect(printed).not.toContain(encodeURIComponent(secret))
    }
    expect(printed).not.toMatch(/eyJ[\w-]{10}/) // a JWT
  }

  describe.each([
    ['basic', () => basic.host],
    ['bearer', () => bearer.host],
  ])('where the registry wants %s', (kind, host) => {
    // Not the keychain of the machine that the tests run on.
    const user = ['--store', 'docker', '--username', 'anna', '--password-stdin']

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

  describe.each([['text'], ['json']])('in the format %s', format => {
    const as = ['--format', format]
    const stored = ['--username', 'anna', '--password-stdin', ...as]

    /** Docker's file, a helper that keeps everything and one that fails with what it was given, and a keychain's index. */
    async function homeWith(name: string, secret: string): Promise<Record<string, string>> {
      const HOME = join(folder.path, `${name}-${format}`)
      const bin = join(HOME, 'bin')
      await mkdir(join(HOME, '.docker'), { recursive: true })
      await mkdir(bin)
      const kept = join(HOME, 'kept')
      await writeFile(
        join(bin, 'docker-credential-kept'),
        `#!/bin/sh\ncase $1 in list) echo '{"kept.example":"anna"}';; store) cat >'${kept}';; get) cat '${kept}';; esac`,
        { mode: 0o755 },
      )
      await writeFile(join(bin, 'docker-credential-fails'), '#!/bin/sh\ncat; cat >&2; exit 1', {
        mode: 0o755,
      })
      const config = {
        auths: {
          [basic.host]: { auth: encoded(secret) },
          [`${bearer.host}/part`]: { identitytoken: identityToken },
          'token.example': { registrytoken: identityToken },
        },
        credHelpers: { 'fails.example': 'fails', 'kept.example': 'kept' },
      }
      await writeFile(join(HOME, '.docker/config.json'), JSON.stringify(config))
      return { HOME, PATH: `${bin}:${process.env.PATH}`, CI_REGISTRY: 'ci.example', CI_JOB_TOKEN: wrong }
    }

    it('by the verbs that show logins', async () => {
      const env = await homeWith('shown', password)
      await expectNoSecret(0, ['auth', 'list', ...as], { env })
      const ci = { DRAY_USERNAME: 'anna', DRAY_PASSWORD: password, DRAY_REGISTRY: 'dray.example' }
      await expectNoSecret(0, ['auth', 'list', ...as], { env: { ...env, ...ci } })
      for (const name of [
        'token.example',
        'dray.example',
        'ci.example',
        basic.host,
        `${bearer.host}/part/app`,
      ]) {
        await expectNoSecret(0, ['auth', 'show', ...as, name], { env: { ...env, ...ci } })
      }
      await expectNoSecret(1, ['auth', 'show', ...as, 'fails.example'], { env })
      await expectNoSecret(0, ['auth', 'show', ...as, '-u', 'anna', '-p', password, 'a.example'], { env })
    })

    it('by the verbs that keep and forget them, for a registry and for a part of it', async () => {
      const env = await homeWith('kept', wrong)
      const login = ['login', ...stored]
      await expectNoSecret(4, [...login, `${basic.host}/team`], { env, input: wrong })
      for (const name of [basic.host, `${basic.host}/team`]) {
        await expectNoSecret(0, [...login, '--store', 'docker', name], { env, input: password })
        await expectNoSecret(0, ['logout', ...as, name], { env })
        await expectNoSecret(3, ['logout', ...as, name], { env })
      }
      // There is neither a bus nor a way to find one.
      const keychain = { ...env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' }
      await expectNoSecret(1, [...login, '--store', 'keychain', basic.host], {
        env: keychain,
        input: password,
      })
    })

    it('by the doctor and other verbs that look at a registry', async () => {
      for (const { host } of [basic, bearer]) {
        const login = (secret: string) => ['--username', 'anna', '--password', secret, ...as]
        await expectNoSecret(0, ['doctor', ...login(password), host])
        await expectNoSecret(3, ['doctor', ...login(password), `${host}/none:1.0`])
        await expectNoSecret(4, ['doctor', ...login(wrong), `${host}/none:1.0`])
        for (const verb of [['catalog'], ['ratelimit'], ['search', 'any', '--registry']]) {
          await expectNoSecret(0, [...verb, host, ...login(password)])
        }
      }
      await expectNoSecret(3, ['doctor', ...as, '--identity-token', identityToken, `${bearer.host}/none:1.0`])
      const HTTPS_PROXY = `http://anna:${encodeURIComponent(password)}@${basic.host}`
      await expectNoSecret(5, ['doctor', ...as, 'registry.example/a'], { env: { HTTPS_PROXY } })
    })

    it('by what a configuration holds', async () => {
      const file = join(folder.path, `config-${format}.yaml`)
      const registries = {
        [basic.host]: { username: 'anna', password, headers: { 'X-Key': wrong } },
        [`${bearer.host}/env`]: { username: 'anna', passwordEnv: 'PASSWORD_OF_ANNA' },
      }
      await writeFile(file, JSON.stringify({ registries }), { mode: 0o600 })
      const env = { DRAY_CONFIG: file, PASSWORD_OF_ANNA: password }
      for (const name of [basic.host, `${bearer.host}/env/app:1.0`]) {
        await expectNoSecret(0, ['auth', 'show', ...as, name], { env })
        await expectNoSecret(name === basic.host ? 0 : 3, ['doctor', ...as, name], { env })
      }
      await expectNoSecret(0, ['auth', 'list', ...as], { env })
      await writeFile(file, JSON.stringify({ registries: { ...registries, 'a.example': { password } } }))
      await expectNoSecret(2, ['auth', 'show', ...as, basic.host], { env })
    })

    it('by a helper that fails with what it was given, or a file that is broken', async () => {
      const env = await homeWith('failing', wrong)
      const config = { credsStore: 'fails' }
      await writeFile(join(env.HOME ?? '', '.docker/config.json'), JSON.stringify(config))
      await expectNoSecret(1, ['login', ...stored, basic.host], { env, input: password })
      await expectNoSecret(0, ['auth', 'list', ...as], { env })
      await expectNoSecret(1, ['auth', 'show', ...as, basic.host], { env })
      await writeFile(
        join(env.HOME ?? '', '.docker/config.json'),
        `{"auths":{"a":{"auth":"${encoded(wrong)}",}}`,
      )
      await expectNoSecret(0, ['auth', 'list', ...as], { env })
      await expectNoSecret(6, ['auth', 'show', ...as, basic.host], { env })
      await expectNoSecret(6, ['logout', ...as, basic.host], { env })
    })
  })

  it('beside a token that was asked for', async () => {
    const flags = ['-u', 'anna', '--password-stdin', '--debug']
    const result = await runDray(['auth', 'token', '--push', ...flags, `${bearer.host}/app`], {
      input: password,
    })
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^eyJ\S+\n$/) })
    expectNone(result.stderr)
    await expectNoSecret(4, ['auth', 'token', '-u', 'anna', '-p', wrong, `${bearer.host}/app`])
    await expectNoSecret(1, ['auth', 'token', '-u', 'anna', '-p', password, `${basic.host}/app`])
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

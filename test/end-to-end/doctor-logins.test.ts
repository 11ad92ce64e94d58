import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import type { RunOptions } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { startTokenService, type TokenService } from '../support/token-service.ts'
import { dray, patience } from './dray.ts'
import { type Examined, examined } from './examined.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const password = 'Tr0ub4dor&3xyzzy'
const wrong = 'wr0ng-Tr0ub4dor'
const encoded = (secret: string) => Buffer.from(`anna:${secret}`).toString('base64')

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('the doctor on logins', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let service: TokenService
  let basic: DockerRegistry
  let bearer: DockerRegistry
  let frozen: DockerRegistry
  let identityToken = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const authority = await makeAuthority(folder.path)
    const users = { anna: password, reader: password }
    service = opened.use(
      await startTokenService({
        authority,
        users,
        settings: {
          // Everybody may pull from `open`, and from the rest who has a login; `reader` may do nothing else.
          allow: ({ name, actions }, user) =>
            actions.filter(action => {
              if (action === 'pull') return user !== undefined || name.startsWith('open/')
              return user === 'anna'
            }),
        },
      }),
    )
    basic = opened.use(await startDockerRegistry({ auth: { htpasswd: { anna: password } } }))
    bearer = opened.use(await startDockerRegistry({ auth: { token: service.token } }))
    frozen = opened.use(await startDockerRegistry({ delete: false }))
    identityToken = service.issueRefreshToken('anna')
    const login = ['--to-username', 'anna', '--to-password', password]
    for (const image of [`${basic.host}/team/hello:1.0`, `${bearer.host}/team/hello:1.0`]) {
      await dray(['copy', ...login, hello, image])
    }
    await dray(['copy', ...login, hello, `${bearer.host}/open/hello:1.0`])
    await dray(['copy', hello, `${frozen.host}/team/hello:1.0`])
  })
  afterAll(() => opened.disposeAsync())

  /** Looks through all that was printed, with `--debug`. */
  async function look(args: readonly string[], options: RunOptions = {}): Promise<Examined> {
    const result = await examined(['--debug', ...args], options)
    for (const secret of [password, wrong, encoded(password), encoded(wrong), identityToken]) {
      expect(result.printed).not.toContain(secret)
      expect(result.printed).not.toContain(encodeURIComponent(secret))
    }
    expect(result.printed).not.toMatch(/eyJ[\w-]{10}/) // a JWT
    return result
  }

  async function dockerConfig(name: string, config: object): Promise<{ DOCKER_CONFIG: string }> {
    const DOCKER_CONFIG = join(folder.path, name)
    await mkdir(DOCKER_CONFIG, { recursive: true })
    await writeFile(join(DOCKER_CONFIG, 'config.json'), JSON.stringify(config))
    return { DOCKER_CONFIG }
  }

  it('follows a login from where it is kept to what its token grants', async () => {
    const env = await dockerConfig('right', { auths: { [bearer.host]: { auth: encoded(password) } } })
    const { code, step } = await look(['--for', 'push', `${bearer.host}/team/hello:1.0`], { env })
    expect(code).toBe(0)
    expect(step('challenge').details).toEqual({
      scheme: 'bearer',
      realm: service.token.realm,
      service: service.token.service,
    })
    expect(step('credential')).toMatchObject({
      message: `anna (basic), from auths in ${env.DOCKER_CONFIG}/config.json`,
      details: { user: 'anna', kind: 'basic', for: bearer.host },
    })
    expect(step('token')).toMatchObject({
      message: 'a token was given to anna that grants pull and push',
      details: {
        asked: ['pull', 'push'],
        claims: {
          sub: 'anna',
          iss: service.token.issuer,
          aud: service.token.service,
          access: [{ type: 'repository', name: 'team/hello', actions: ['pull', 'push'] }],
        },
      },
    })
    for (const right of ['push', 'delete']) expect(step(right).status).toBe('ok')
  })

  it('accepts name and password, or says that they are wrong', async () => {
    const image = `${basic.host}/team/hello:1.0`
    const right = await look(['-u', 'anna', '--password-stdin', image], { input: password })
    expect(right.code).toBe(0)
    expect(right.step('token').message).toBe('the login of anna is accepted')
    const refused = await look(['-u', 'anna', '-p', wrong, image])
    expect(refused.code).toBe(4)
    expect(refused.step('token')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('refused the login of "anna"'),
      hint: expect.stringContaining('dray login'),
    })
    expect(refused.outcomes).toContain('pull skipped')
  })

  it('says that a login is wanted where there is none', async () => {
    const { code, step } = await look([`${basic.host}/team/hello:1.0`])
    expect(code).toBe(4)
    expect(step('credential').message).toBe('none, so anonymous')
    expect(step('pull')).toMatchObject({ status: 'failed', hint: `log in with: dray login ${basic.host}` })
    expect(step('push')).toMatchObject({ status: 'skipped', message: expect.stringContaining('nobody') })
    const pushing = await look(['--for', 'push', `${bearer.host}/open/hello:1.0`])
    expect(pushing.code).toBe(4)
    expect(pushing.step('push').status).toBe('failed')
  })

  it('tells a token that grants less than was asked for', async () => {
    const none = await look([`${bearer.host}/team/hello:1.0`])
    expect(none.code).toBe(4)
    expect(none.step('token')).toMatchObject({ status: 'warning' })
    expect(none.step('token').message).toContain('of pull it grants nothing')
    const login = ['-u', 'reader', '-p', password]
    const some = await look([...login, '--for', 'push', `${bearer.host}/team/hello:1.0`])
    expect(some.code).toBe(4)
    expect(some.step('token').message).toContain('of pull and push it grants pull')
    expect(some.step('push').status).toBe('failed')
  })

  it('takes it that who only reads may not write', async () => {
    const { code, step } = await look(['-u', 'reader', '-p', password, `${bearer.host}/team/hello:1.0`])
    expect(code).toBe(0)
    for (const right of ['push', 'delete']) expect(step(right).status).toBe('warning')
    const forDelete = ['--for', 'delete', '-u', 'reader', '-p', password]
    expect((await look([...forDelete, `${bearer.host}/team/hello:1.0`])).code).toBe(4)
  })

  it('finds a stored login that is wrong, where everybody may read', async () => {
    const env = await dockerConfig('stale', { auths: { [bearer.host]: { auth: encoded(wrong) } } })
    const open = await look([`${bearer.host}/open/hello:1.0`], { env })
    expect(open.code).toBe(0)
    expect(open.step('token')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('what is public can be pulled'),
      hint: expect.stringContaining('dray logout'),
    })
    expect(open.step('pull').details).toMatchObject({ digest })
    const closed = await look([`${bearer.host}/team/hello:1.0`], { env })
    expect(closed.code).toBe(4)
    expect(closed.step('token')).toMatchObject({ status: 'failed' })
    const given = await look(['-u', 'anna', '-p', wrong, `${bearer.host}/open/hello:1.0`])
    expect(given.code).toBe(4)
    expect(given.step('token')).toMatchObject({ status: 'failed' })
  })

  it('reads with an identity token', async () => {
    const env = await dockerConfig('identity', { auths: { [bearer.host]: { identitytoken: identityToken } } })
    const { code, step } = await look([`${bearer.host}/team/hello:1.0`], { env })
    expect(code).toBe(0)
    expect(step('credential').message).toMatch(/^identity-token, from auths in /)
  })

  it('says that a helper fails, and with what', async () => {
    const bin = join(folder.path, 'bin')
    await mkdir(bin)
    const helper = join(bin, 'docker-credential-broken')
    await writeFile(helper, '#!/bin/sh\necho "the vault is closed" >&2\nexit 1\n')
    await chmod(helper, 0o755)
    const config = await dockerConfig('broken', { credsStore: 'broken' })
    const env = { ...config, PATH: `${bin}:${process.env.PATH}` }
    const { code, step, outcomes } = await look([`${bearer.host}/open/hello:1.0`], { env })
    expect(code).not.toBe(0)
    expect(step('credential')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('docker-credential-broken'),
    })
    expect(outcomes).toEqual(expect.arrayContaining(['challenge ok', 'token skipped']))
  })

  it('masks what a registry sends back of what it was sent', async () => {
    await using server = await startLoopback((request, response) => {
      const { authorization = '' } = request.headers
      const message = `${authorization} is wrong, user ${authorization && 'https://anna:'}${wrong}@host`
      response
        .writeHead(401, { 'www-authenticate': 'Basic realm="r"' })
        .end(JSON.stringify({ errors: [{ code: 'DENIED', message: authorization && message }] }))
    })
    const { code, step } = await look(['-u', 'anna', '-p', wrong, `${server.host}/app`])
    expect(code).toBe(4)
    expect(step('token').message).toContain('Basic *** is wrong')
  })

  it('knows that deleting is switched off', async () => {
    const mild = await look([`${frozen.host}/team/hello:1.0`])
    expect(mild.code).toBe(0)
    expect(mild.step('delete')).toMatchObject({
      status: 'warning',
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED'),
    })
    expect((await look(['--for', 'delete', `${frozen.host}/team/hello:1.0`])).code).toBe(1)
  })

  it('gives up a token whose time is not now by this machine’s clock', async () => {
    service.settings.lifetime = -30
    try {
      const { step } = await look(['-u', 'anna', '-p', password, `${bearer.host}/team/hello:1.0`])
      expect(step('token')).toMatchObject({ status: 'warning', hint: expect.stringContaining('clock') })
    } finally {
      service.settings.lifetime = 300
    }
  })
})

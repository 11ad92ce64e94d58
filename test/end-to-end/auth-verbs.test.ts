import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { keyringPeers, startKeyring } from '../support/keyring.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const password = 'pass:word'
const users = { check: async (name: string, word: string) => name === 'anna' && word === password }
const auth = (name: string, word = password) => Buffer.from(`${name}:${word}`).toString('base64')
const user = ['--username', 'anna', '--password-stdin']

/** A proxy that lets nobody through, and tells where they wanted to go. */
async function startProxy(onConnect: (target: string | undefined) => void) {
  const proxy = createServer()
  proxy.on('connect', (request, socket) => {
    onConnect(request.url)
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  return { url, [Symbol.asyncDispose]: async () => void proxy.close() }
}

describe('dray auth', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let bearer: EmbeddedRegistry
  let basic: EmbeddedRegistry

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const token = { kind: 'token', service: 's', users, anonymousPull: true } as const
    bearer = opened.use(await startEmbeddedRegistry({ auth: token }))
    basic = opened.use(await startEmbeddedRegistry({ auth: { kind: 'basic', users } }))
    const flags = ['--quiet', '--to-username', 'anna', '--to-password-stdin']
    const copy = ['copy', ...flags, `oci:${fixturePath('hello')}:1.0`, `${bearer.host}/team/hello:1.0`]
    await dray(copy, { input: password })
  })
  afterAll(() => opened.disposeAsync())

  /** A home with docker's file in it. */
  async function home(name: string, config: unknown): Promise<Record<string, string>> {
    const dir = join(folder.path, name)
    await mkdir(join(dir, '.docker'), { recursive: true })
    const text = typeof config === 'string' ? config : JSON.stringify(config)
    await writeFile(join(dir, '.docker/config.json'), text)
    return { HOME: dir }
  }

  describe('list', () => {
    it('prints registry, user, kind and place of each login', async () => {
      const env = await home('list', {
        auths: { 'ghcr.io/org': { auth: auth('anna') }, 'quay.io': { identitytoken: 'i' } },
      })
      const origin = `auths in ${join(env.HOME ?? '', '.docker/config.json')}`
      const ci = { ...env, DRAY_USERNAME: 'ci', DRAY_PASSWORD: password, DRAY_REGISTRY: 'a.io' }
      expect((await dray(['auth', 'list'], { env: ci })).stdout).toBe(
        [
          'a.io\tci\tbasic\tDRAY_USERNAME and DRAY_PASSWORD\n',
          `ghcr.io/org\tanna\tbasic\t${origin}\n`,
          `quay.io\t-\tidentity-token\t${origin}\n`,
        ].join(''),
      )
      expect(await drayJson(['auth', 'list'], { env })).toEqual({
        logins: [
          { registry: 'ghcr.io/org', user: 'anna', kind: 'basic', origin },
          { registry: 'quay.io', user: null, kind: 'identity-token', origin },
        ],
      })
    })

    it('fails for a file that was named and is not there', async () => {
      expect(await drayFails(1, ['auth', 'list', '--authfile', '/nowhere/auth.json'])).toContain('/nowhere')
    })

    it('tells of what cannot be listed, once, and goes on', async () => {
      const env = await home('faults', {
        auths: { 'ghcr.io': { auth: auth('anna') } },
        credHelpers: { 'a.io': 'none', 'b.io': 'none' },
        credsStore: 'none',
      })
      const { stdout, stderr } = await dray(['auth', 'list'], { env })
      expect(stdout).toContain('ghcr.io\tanna')
      expect(stdout).toContain('a.io\t-\t-\thelper docker-credential-none\n')
      expect(stderr.trimEnd().split('\n')).toEqual([
        'warning: helper docker-credential-none: the credential helper docker-credential-none is not installed',
      ])
    })
  })

  describe('show', () => {
    it('prints the places in order, and the login that would be used', async () => {
      const env = await home('show', { auths: { 'ghcr.io': { auth: auth('anna') } } })
      const file = join(env.HOME ?? '', '.docker/config.json')
      const { stdout } = await dray(['auth', 'show', 'ghcr.io/org/app:1.0'], { env })
      const lines = stdout.trimEnd().split('\n')
      expect(lines[0]).toBe('no entry  DRAY_USERNAME and DRAY_PASSWORD')
      expect(lines).toContain(`hit       ${file} (ghcr.io)`)
      expect(lines).toContain('skipped   keychain')
      expect(lines.at(-1)).toBe(`ghcr.io/org/app: anna (basic), from auths in ${file}`)
      expect(await drayJson(['auth', 'show', 'ghcr.io/org/app'], { env })).toMatchObject({
        registry: 'ghcr.io',
        repository: 'org/app',
        places: expect.arrayContaining([{ place: file, result: 'hit', why: 'ghcr.io' }]),
        credential: { user: 'anna', kind: 'basic', origin: `auths in ${file}`, for: 'ghcr.io' },
      })
    })

    it('says that nothing is found, and for which variables it looked', async () => {
      const { stdout } = await dray(['auth', 'show', 'ghcr.io'])
      expect(stdout).toContain('no entry  GitHub Actions (GITHUB_TOKEN not set)\n')
      expect(stdout).toMatch(/\nghcr\.io: no login, so anonymous\n$/)
    })

    it('takes flags before all places', async () => {
      const { stdout } = await dray(['auth', 'show', ...user, 'quay.io'], { input: password })
      expect(stdout).toBe('hit       the flags\nquay.io: anna (basic), from the flags\n')
      expect(await drayFails(1, ['auth', 'show', '--authfile', '/nowhere', 'quay.io'])).toContain('/nowhere')
    })

    it("asks a cloud for its registry's password through the proxy, and tells why it has none", async () => {
      const asked: (string | undefined)[] = []
      await using services = await startLoopback((request, response) => {
        asked.push(request.url)
        response.end(JSON.stringify({ AccessKeyId: 'AKIA', SecretAccessKey: password, Token: password }))
      })
      await using proxy = await startProxy(target => asked.push(target))
      const env = {
        HTTPS_PROXY: proxy.url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${services.url}/keys`,
      }
      const image = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/app'
      const show = ['auth', 'show', '--debug', '--retries', '0', image]
      const { code, stdout, stderr } = await runDray(show, { env })
      expect(code, stderr).toBe(5)
      expect(asked).toEqual(['/keys', 'api.ecr.eu-west-1.amazonaws.com:443'])
      expect(stdout).toMatch(
        /^failed {4}Amazon ECR \(no login for .* from AWS_CONTAINER_CREDENTIALS_FULL_URI: /m,
      )
      expect(stdout + stderr).not.toContain(password)
    })

    it('ends with the fault of a place that cannot be read', async () => {
      const env = await home('broken', '{"auths": hunter2')
      const file = join(env.HOME ?? '', '.docker/config.json')
      const result = await dray(['auth', 'list'], { env })
      expect(result.stderr).toBe(`warning: ${file}: not valid JSON\n`)
      const { code, stdout, stderr } = await runDray(['auth', 'show', 'quay.io'], { env })
      expect(code).toBe(6)
      expect(stdout).toContain(`failed    ${file} (${file}: not valid JSON)\nskipped `)
      expect(stderr).toContain(`dray: ${file}: not valid JSON\n`)
    })
  })

  describe('token', () => {
    const pulls = async (token: string, repository = 'team/hello') => {
      const headers = { authorization: `Bearer ${token.trimEnd()}` }
      return (await fetch(`http://${bearer.host}/v2/${repository}/manifests/1.0`, { headers })).status
    }
    const pushes = async (token: string) => {
      const headers = { authorization: `Bearer ${token.trimEnd()}` }
      const url = `http://${bearer.host}/v2/team/hello/blobs/uploads/`
      return (await fetch(url, { method: 'POST', headers })).status
    }

    it('prints what opens the registry, and nothing else', async () => {
      const { stdout, stderr } = await dray(['auth', 'token', `${bearer.host}/team/hello:1.0`])
      expect(stdout).toMatch(/^\S+\n$/)
      expect(stderr).toBe('')
      expect(await pulls(stdout)).toBe(200)
      expect(await pushes(stdout)).toBe(401)
    })

    it('asks for more where a flag says so, with the login for that part of the registry', async () => {
      const env = await home('token', {
        auths: {
          [bearer.host]: { auth: auth('anna', 'wrong') },
          [`${bearer.host}/team`]: { auth: auth('anna') },
        },
      })
      const reference = `${bearer.host}/team/hello`
      const push = await dray(['auth', 'token', '--push', reference], { env })
      expect(await pushes(push.stdout)).toBe(202)
      const scope = ['--scope', 'repository:team/hello:pull,push', '--scope', 'repository:team/other:pull']
      expect(await pushes((await dray(['auth', 'token', ...scope, reference], { env })).stdout)).toBe(202)
    })

    it('warns where less is granted than was asked for, as far as the token can be read', async () => {
      const { stdout, stderr } = await dray(['auth', 'token', '--push', `${bearer.host}/team/hello`])
      expect(stderr).toBe('warning: the token grants no right to push\n')
      expect(await pulls(stdout)).toBe(200)
    })

    it('fails with a login that is refused, though anybody could pull', async () => {
      const env = await home('stale', { auths: { [bearer.host]: { auth: auth('anna', 'wrong') } } })
      expect(await drayFails(4, ['auth', 'token', `${bearer.host}/team/hello`], { env })).toContain('anna')
    })

    it('says so where there are none', async () => {
      const said = await drayFails(1, ['auth', 'token', `${basic.host}/team/hello`])
      expect(said).toContain(`${basic.host} gives out no tokens: it wants name and password (Basic)`)
      const flags = ['-u', 'anna', '-p', password]
      await drayFails(1, ['auth', 'token', ...flags, `${basic.host}/team/hello`])
      await using open = await startEmbeddedRegistry()
      expect(await drayFails(1, ['auth', 'token', open.host])).toContain('it asks for no login')
    })

    it.each([
      ['--push', 'localhost:5000'],
      ['--scope', 'x', '--delete', 'alpine'],
    ])('is refused flags that make no sense: %s %s', async (...args) => {
      await drayFails(2, ['auth', 'token', ...args])
    })
  })

  it.each([[[]], [['nothing']], [['list', 'too much']]])('with %j is wrong usage', async args => {
    await drayFails(2, ['auth', ...args])
  })

  it('keeps several accounts for one registry, and forgets each by its name', async () => {
    const env = await home('parts', {})
    const file = join(env.HOME ?? '', '.docker/config.json')
    const login = ['login', '--store', 'docker', ...user]
    await dray([...login, basic.host], { env, input: password })
    const part = await drayJson([...login, `${basic.host}/team`], { env, input: password })
    expect(part).toMatchObject({ registry: `${basic.host}/team`, user: 'anna', stored: file })
    const { auths } = JSON.parse(await readFile(file, 'utf8'))
    expect(Object.keys(auths)).toEqual([basic.host, `${basic.host}/team`])
    const out = await dray(['logout', basic.host], { env })
    expect(out.stderr).toContain(`${basic.host}/team; dray logout takes each by its name`)
    expect(await drayFails(3, ['logout', basic.host], { env })).toContain(`${basic.host}/team; name the one`)
    expect((await dray(['logout', `${basic.host}/team`], { env })).stderr).toBe('')
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ auths: {} })
  })
})

describe.skipIf(!requirePeers(...keyringPeers))('a login into a GNOME Keyring', patience, () => {
  it('opens the registry from then on, until the logout, and is in no file', async () => {
    await using keyring = await startKeyring()
    await using registry = await startEmbeddedRegistry({ auth: { kind: 'basic', users } })
    const { env } = keyring
    const image = `${registry.host}/team/hello:1.0`
    const login = await drayJson(['login', ...user, `${registry.host}/team`], { env, input: password })
    expect(login).toMatchObject({ stored: 'keychain' })
    await dray(['copy', '--quiet', `oci:${fixturePath('hello')}:1.0`, image], { env })
    await drayFails(4, ['copy', '--quiet', image, `${registry.host}/other/hello:1.0`], { env })
    expect((await dray(['auth', 'list'], { env })).stdout).toBe(
      `${registry.host}/team\tanna\tbasic\tkeychain\n`,
    )
    const show = await dray(['auth', 'show', '--debug', image], { env })
    expect(show.stdout).toContain(`hit       keychain (${registry.host}/team)`)
    expect(show.stdout + show.stderr).not.toContain(password)
    const index = await readFile(join(env.HOME ?? '', '.config/dray/keychain.json'), 'utf8')
    expect(index).not.toContain(password)
    expect((await dray(['logout', `${registry.host}/team`], { env })).stdout).toContain('(keychain)')
    await drayFails(4, ['digest', image], { env })
  })

  it('that is locked goes to the file instead, and says why; where it is asked for, it fails and says what to do', async () => {
    await using keyring = await startKeyring()
    await using registry = await startEmbeddedRegistry({ auth: { kind: 'basic', users } })
    await keyring.lock()
    const login = ['login', ...user, registry.host]
    const { stderr } = await dray(login, { env: keyring.env, input: password })
    expect(stderr).toMatch(/^warning: .*the keychain is locked: .*\nwarning: .* in base64 only; /)
    const failed = await drayFails(1, [...login, '--store', 'keychain'], {
      env: keyring.env,
      input: password,
    })
    expect(failed).toMatch(/the keychain is locked: .*\nhint: unlock it/)
  })
})

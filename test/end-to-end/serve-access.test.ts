import { once } from 'node:events'
import { copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { type ClientRequest, request } from 'node:http'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { hash } from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { run } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { startTokenService } from '../support/token-service.ts'
import { dray, drayFails, patience } from './dray.ts'
import { crane, skopeo } from './peers.ts'
import { type Served, serve } from './serving.ts'

const layout = fixturePath('hello')
const { digest } = fixtureDescriptor('hello', '1.0')
const passwords = { ann: "ann's", bob: "bob's", eve: "eve's" }
type User = keyof typeof passwords

const rules = `
groups: { devs: [ann, bob] }
rules:
  - { repositories: ['library/**'], allow: [pull], anonymous: true }
  - { repositories: ['**'], allow: [push, delete], users: [ann] }
  - { repositories: ['team/*'], allow: [push], groups: [devs] }
`

/** A folder with users and a place for each one's logins. */
async function makeDesk() {
  const folder = await makeTempDir()
  const path = (name: string) => join(folder.path, name)
  const lines = Object.entries(passwords).map(
    async ([user, password]) => `${user}:${await hash(password, 4)}\n`,
  )
  await writeFile(path('users'), (await Promise.all(lines)).join(''))
  const envOf = (user: string) => ({
    DOCKER_CONFIG: path(user),
    REGISTRY_AUTH_FILE: join(path(user), 'config.json'),
  })
  return {
    path,
    envOf,
    async login(user: User, host: string) {
      const args = ['login', '--store', 'docker', '-u', user, '--password-stdin', host]
      await dray(args, { env: envOf(user), input: passwords[user] })
    },
    [Symbol.asyncDispose]: () => folder.remove(),
  }
}

describe.each(['basic', 'token'])('dray serve with rules, users and %s', patience, way => {
  const opened = new AsyncDisposableStack()
  let desk: Awaited<ReturnType<typeof makeDesk>>
  let served: Served

  beforeAll(async () => {
    desk = opened.use(await makeDesk())
    const token = way === 'token' ? '  token: { service: my-registry, keyFile: keys/token.key }\n' : ''
    await writeFile(desk.path('serve.yaml'), `auth:\n  htpasswd: users\n${token}${rules}`)
    served = await serve(desk.path('store'), '--config', desk.path('serve.yaml'), '--log', 'json')
    opened.use(served.running)
    for (const user of ['ann', 'bob', 'eve'] as const) await desk.login(user, served.host)
    const env = desk.envOf('ann')
    for (const name of ['library/hello', 'team/hello', 'secret/hello']) {
      await dray(['copy', `oci:${layout}:1.0`, `${served.host}/${name}:1.0`], { env })
    }
  })
  afterAll(() => opened.disposeAsync())

  it('lets everybody do what the rules allow, and no more', async () => {
    const at = (name: string) => `${served.host}/${name}:1.0`
    const nobody = desk.envOf('nobody')
    expect((await dray(['digest', at('library/hello')], { env: nobody })).stdout).toBe(`${digest}\n`)
    await drayFails(4, ['digest', at('team/hello')], { env: nobody })
    await dray(['copy', at('team/hello'), `${served.host}/team/other:1.0`], { env: desk.envOf('bob') })
    await drayFails(4, ['delete', at('team/hello')], { env: desk.envOf('bob') })
    await drayFails(4, ['digest', at('secret/hello')], { env: desk.envOf('bob') })
    const copy = ['copy', '--quiet', at('library/hello'), `${served.host}/library/new:1.0`]
    await drayFails(4, copy, { env: desk.envOf('bob') })
    const catalog = async (user: User) =>
      (await dray(['catalog', served.host], { env: desk.envOf(user) })).stdout.split('\n')
    expect(await catalog('eve')).toEqual(['library/hello', ''])
    expect(await catalog('ann')).toEqual(expect.arrayContaining(['library/hello', 'secret/hello']))
  })

  it.skipIf(!requirePeers('skopeo', 'crane'))('is understood by skopeo and crane', async () => {
    const { host } = served
    const env = desk.envOf('skopeo')
    await mkdir(desk.path('skopeo'))
    await skopeo(['login', '-u', 'bob', '--password-stdin', host], { env, input: passwords.bob })
    const target = `docker://${host}/team/skopeo:1.0`
    await skopeo(['copy', '--all', `docker://${host}/library/hello:1.0`, target], { env })
    const denied = ['--insecure-policy', 'copy', '--dest-tls-verify=false', `oci:${layout}:1.0`]
    const { code, stderr } = await run('skopeo', [...denied, `docker://${host}/secret/x:1.0`], { env })
    expect(code).toBe(1)
    expect(stderr).toMatch(/403 \(Forbidden\)|denied/)
    const own = { env: desk.envOf('crane') }
    await crane(['auth', 'login', host, '-u', 'bob', '-p', passwords.bob], own)
    await crane(['copy', `${host}/library/hello:1.0`, `${host}/team/crane:1.0`], own)
    expect((await crane(['digest', `${host}/team/crane:1.0`], own)).stdout).toBe(`${digest}\n`)
    const refused = await run('crane', ['manifest', `${host}/secret/hello:1.0`], own)
    expect(refused.code).toBe(1)
  })

  it('logs who asked, and no secret', async () => {
    const lines = served.running.stderr
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    const push = lines.find(({ method, status }) => method === 'PUT' && status === 201)
    expect(push).toMatchObject({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      bytes: expect.any(Number),
      ms: expect.any(Number),
      user: 'ann',
      remoteAddress: '127.0.0.1',
      userAgent: expect.stringContaining('dray'),
    })
    for (const secret of Object.values(passwords)) expect(served.running.stderr).not.toContain(secret)
    expect(served.running.stderr).not.toMatch(/Basic |Bearer |eyJ/)
  })
})

describe.skipIf(!requirePeers('docker-registry', 'openssl', 'crane', 'skopeo')).each(['ES256', 'RS256'])(
  'a docker-registry that trusts the tokens of dray serve, signed with %s',
  patience,
  algorithm => {
    it('lets in who is let in here, and as far', async () => {
      await using opened = new AsyncDisposableStack()
      const desk = opened.use(await makeDesk())
      const token = `{ service: mine, issuer: me, otherServices: [theirs], keyFile: t.key, algorithm: ${algorithm}, jwksFile: t.jwks }`
      await writeFile(desk.path('serve.yaml'), `auth:\n  htpasswd: users\n  token: ${token}\n${rules}`)
      const served = await serve(desk.path('store'), '--config', desk.path('serve.yaml'))
      opened.use(served.running)
      expect((await stat(desk.path('t.key'))).mode & 0o777).toBe(0o600)
      const jwks = await (await fetch(`${served.url}/token/jwks`)).json()
      expect(JSON.parse(await readFile(desk.path('t.jwks'), 'utf8'))).toEqual(jwks)
      const certificate = desk.path('t.pem')
      const subject = ['-subj', '/CN=tokens of dray', '-days', '2']
      const made = ['req', '-x509', '-new', '-key', desk.path('t.key'), ...subject, '-out', certificate]
      expect(await run('openssl', made)).toMatchObject({ code: 0 })
      const parties = { realm: `${served.url}/token`, service: 'theirs', issuer: 'me' }
      const auth = { token: { ...parties, rootcertbundle: certificate } }
      const theirs = opened.use(await startDockerRegistry({ auth }))
      for (const user of ['ann', 'bob'] as const) await desk.login(user, theirs.host)

      const [ann, bob] = [{ env: desk.envOf('ann') }, { env: desk.envOf('bob') }]
      await dray(['copy', `oci:${layout}:1.0`, `${theirs.host}/library/hello:1.0`], ann)
      await dray(['copy', `${theirs.host}/library/hello:1.0`, `${theirs.host}/team/hello:1.0`], bob)
      await crane(['copy', `${theirs.host}/library/hello:1.0`, `${theirs.host}/team/crane:1.0`], bob)
      const target = `docker://${theirs.host}/team/skopeo:1.0`
      await skopeo(['copy', '--all', `docker://${theirs.host}/team/hello:1.0`, target], bob)
      await drayFails(4, ['copy', '-q', `oci:${layout}:1.0`, `${theirs.host}/library/x:1.0`], bob)
      await drayFails(4, ['digest', `${theirs.host}/team/hello:1.0`], { env: desk.envOf('nobody') })
      const open = await dray(['digest', `${theirs.host}/library/hello:1.0`], { env: desk.envOf('nobody') })
      expect(open.stdout).toBe(`${digest}\n`)
    })
  },
)

describe.skipIf(!requirePeers('openssl'))('dray serve with an external token service', patience, () => {
  it('takes its tokens', async () => {
    await using opened = new AsyncDisposableStack()
    const desk = opened.use(await makeDesk())
    const authority = await makeAuthority(desk.path('.'))
    const { token } = opened.use(await startTokenService({ authority, users: passwords }))
    const named = `realm: ${token.realm}, service: ${token.service}, issuer: ${token.issuer}`
    const keys = 'keys: token-signer.pem'
    await writeFile(desk.path('serve.yaml'), `auth: { external: { ${named}, ${keys} } }\n`)
    const served = await serve(desk.path('store'), '--config', desk.path('serve.yaml'))
    opened.use(served.running)
    await desk.login('ann', served.host)
    const image = `${served.host}/dray/hello:1.0`
    await dray(['copy', `oci:${layout}:1.0`, image], { env: desk.envOf('ann') })
    await dray(['digest', image], { env: desk.envOf('nobody') })
    const copy = ['copy', '--quiet', `oci:${layout}:1.0`, `${served.host}/dray/other:1.0`]
    await drayFails(4, copy, { env: desk.envOf('nobody') })
  })
})

describe.skipIf(!requirePeers('openssl'))('dray serve with TLS', patience, () => {
  let folder: TempDir
  let tls: string[]
  let ca = ''
  const path = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    folder = await makeTempDir()
    const authority = await makeAuthority(folder.path)
    ca = authority.certificate
    const { certificate, key } = await authority.issue('server', { usage: 'server' })
    await authority.issue('next', { usage: 'server' })
    await authority.issue('ann', { usage: 'client', names: ['DNS:ann'] })
    tls = ['--tls-cert', certificate, '--tls-key', key]
  })
  afterAll(() => folder.remove())

  it('takes client certificates for logins, and a new certificate at SIGHUP', async () => {
    const flags = [...tls, '--tls-client-ca', ca]
    const { running, host, url } = await serve(path('store'), ...flags)
    await using _ = running
    expect(url).toBe(`https://${host}`)
    const own = ['--ca-file', ca, '--cert-file', path('ann.pem'), '--key-file', path('ann.key')]
    const ends = own.map(flag => flag.replace(/^--(?=c|k)/, '--to-'))
    await dray(['copy', ...ends, `oci:${layout}:1.0`, `${host}/a:1.0`])
    await running.printed(/ dray test ann|"dray test ann" PUT /)
    await drayFails(5, ['ls', '--retries', '0', '--ca-file', ca, `${host}/a`])
    for (const end of ['pem', 'key']) {
      await copyFile(path(`next.${end}`), path('copied'))
      await rename(path('copied'), path(`server.${end}`))
    }
    running.kill('SIGHUP')
    while (!(await nameOf(host)).endsWith('next'));
    expect((await dray(['ls', ...own, `${host}/a`])).stdout).toBe('1.0\n')
  })

  it('says where the files do not fit', async () => {
    const mixed = ['--tls-cert', path('next.pem'), '--tls-key', path('ann.key')]
    const said = await drayFails(2, ['serve', path('store'), ...mixed])
    expect(said).toContain(
      `the key in ${path('ann.key')} is not that of the certificate in ${path('next.pem')}`,
    )
    await drayFails(2, ['serve', path('store'), '--tls-cert', path('next.pem')])
  })

  /** Of the certificate that a new connection is met with. */
  async function nameOf(host: string): Promise<string> {
    const [address = '', port] = host.split(':')
    const client = { cert: await readFile(path('ann.pem')), key: await readFile(path('ann.key')) }
    const socket = connect({ host: address, port: Number(port), ca: await readFile(ca), ...client })
    await once(socket, 'secureConnect')
    const name = String(socket.getPeerCertificate().subject.CN)
    socket.destroy()
    return name
  }
})

describe('dray serve, told what it cannot do', patience, () => {
  it.each([
    ['no address', ['--address', 'localhost'], '"localhost" is not of the form host:port'],
    ['tokens without users', ['--auth', 'token'], '--auth, --token-key and --anonymous-pull need --htpasswd'],
    ['users that are not there', ['--htpasswd', '/nowhere/users'], '/nowhere/users: there is no such file'],
    ['a configuration that is not there', ['--config', '/nowhere/x'], '/nowhere/x: there is no such file'],
  ])('refuses %s', async (_, flags, message) => {
    await using folder = await makeTempDir()
    const result = await run(process.execPath, [
      join(import.meta.dirname, '../../bin/dray.js'),
      ...['serve', folder.path, ...flags],
    ])
    expect(result.code).toBeGreaterThan(0)
    expect(result.stderr).toContain(message)
  })

  it('names the line of the configuration', async () => {
    await using folder = await makeTempDir()
    const file = join(folder.path, 'serve.yaml')
    await writeFile(file, 'log: json\nrules:\n  - { repositories: [a], allow: [pull] }\n')
    expect(await drayFails(2, ['serve', folder.path, '--config', file])).toMatch(
      /^dray: \S+serve\.yaml, line 3: rules\[0\]: it is for nobody: it needs users, groups, or anonymous: true\n$/,
    )
  })

  it('lets the command line be stronger than the configuration', async () => {
    await using desk = await makeDesk()
    const said = 'address: 192.0.2.1:1\nlog: none\nmetrics: { address: 192.0.2.1:2 }\nreadOnly: true\n'
    await writeFile(desk.path('serve.yaml'), said)
    const flags = ['--config', desk.path('serve.yaml'), '--metrics-address', '127.0.0.1:0', '--log', 'text']
    const { running, url, metricsUrl = '' } = await serve(desk.path('store'), ...flags)
    await using _ = running
    expect((await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })).status).toBe(405)
    await running.printed(/ POST \/v2\/a\/blobs\/uploads\/ 405 /)
    const metrics = await (await fetch(metricsUrl)).text()
    expect(metrics).toContain('dray_http_requests_total{method="POST",endpoint="uploads",status="405"} 1')
    running.kill()
    expect(await running.ended).toMatchObject({ code: 0 })
  })
})

describe('ending dray serve', patience, () => {
  /** A request whose body is awaited. */
  async function hang(url: string): Promise<ClientRequest> {
    const headers = { 'Content-Length': 10, Expect: '100-continue' }
    const outgoing = request(`${url}/v2/a/manifests/v1`, { method: 'PUT', headers })
    outgoing.flushHeaders()
    await once(outgoing, 'continue')
    return outgoing
  }

  it('waits for a running request as long as it may', async () => {
    await using folder = await makeTempDir()
    const { running, url } = await serve(folder.path, '--grace-period', '1m')
    const outgoing = await hang(url)
    running.kill('SIGTERM')
    while (await fetch(`${url}/healthz`).then(Boolean, () => false));
    outgoing.end('0123456789')
    const [answer] = await once(outgoing, 'response')
    expect(answer.statusCode).toBe(400)
    answer.resume()
    expect(await running.ended).toMatchObject({ code: 0, signal: null })
  })

  it('cuts it after that', async () => {
    await using folder = await makeTempDir()
    const { running, url } = await serve(folder.path, '--grace-period', '10ms')
    const cut = once(await hang(url), 'response')
    running.kill('SIGTERM')
    await expect(cut).rejects.toThrow()
    expect(await running.ended).toMatchObject({ code: 0, signal: null })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('is done at once at the second %s', async signal => {
    await using folder = await makeTempDir()
    const { running, url } = await serve(folder.path, '--grace-period', '1h')
    const cut = once(await hang(url), 'response')
    running.kill(signal)
    while (await fetch(`${url}/healthz`).then(Boolean, () => false));
    // Two signals in one moment are one, passed on by a program between.
    setTimeout(() => running.kill(signal), 400)
    const [ended] = await Promise.all([running.ended, expect(cut).rejects.toThrow()])
    expect(ended).toMatchObject({ code: null, signal })
  })
})

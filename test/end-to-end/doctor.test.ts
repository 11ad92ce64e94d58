import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority } from '../support/certificates.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, patience } from './dray.ts'
import { examined, stepNames, stretch } from './examined.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')

/** A port of 127.0.0.1 that nobody listens on any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('the doctor', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let registry: EmbeddedRegistry
  let image: string

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    registry = opened.use(await startEmbeddedRegistry())
    image = `${registry.host}/team/hello:1.0`
    await dray(['copy', hello, image])
  })
  afterAll(() => opened.disposeAsync())

  it('finds a registry well that is open to everybody', async () => {
    const { code, reference, step, outcomes } = await examined([image])
    expect({ code, reference }).toEqual({ code: 0, reference: image })
    const skipped = ['tls skipped', 'token skipped', 'mirrors skipped']
    expect(outcomes).toEqual(
      stepNames.map(name => (skipped.includes(`${name} skipped`) ? `${name} skipped` : `${name} ok`)),
    )
    expect(step('pull').details).toMatchObject({ digest, blobHost: registry.host })
    expect(step('challenge').message).toContain('asks for no login')
    expect(step('rate-limit')).toMatchObject({ message: expect.stringContaining('unlimited') })
  })

  it('leaves nothing behind where it looked for rights', async () => {
    const before = await registry.ask('GET', '/v2/_catalog')
    await examined(['--for', 'push', `${registry.host}/new/app`])
    await examined(['--for', 'delete', image])
    expect((await registry.ask('GET', '/v2/_catalog')).body).toEqual(before.body)
    expect((await dray(['digest', image])).stdout).toBe(`${digest}\n`)
  })

  it('takes any tag where none was named, and names those that are there where one is wrong', async () => {
    const anyTag = await examined([`${registry.host}/team/hello`])
    expect(anyTag.step('pull').details).toMatchObject({ reference: '1.0', digest })
    const wrong = await examined([`${registry.host}/team/hello:2.0`])
    expect(wrong.code).toBe(3)
    expect(wrong.step('pull')).toMatchObject({ status: 'failed', hint: expect.stringContaining('1.0') })
    const absent = await examined([`${registry.host}/team/absent`])
    expect(absent.code).toBe(3)
    expect(absent.outcomes).toContain('pull failed')
  })

  it('looks at a registry as a whole where no repository is named', async () => {
    const { code, reference, outcomes } = await examined([registry.host])
    expect({ code, reference }).toEqual({ code: 0, reference: registry.host })
    expect(outcomes).toEqual(expect.arrayContaining(stretch('pull', 'rate-limit', 'skipped')))
  })

  it('shows people a line for each step, as it comes, and programs a document or lines', async () => {
    const text = await dray(['doctor', image])
    expect(text.stdout.split('\n').map(line => line.split(/ +/)[1] ?? '')).toEqual([...stepNames, ''])
    expect(text.stdout).toMatch(new RegExp(`^ok {7}pull {11}1\\.0 stands for ${digest}$`, 'm'))
    const lines = (await dray(['doctor', '--format', 'jsonl', image])).stdout.trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line).step)).toEqual(stepNames)
    expect((await dray(['doctor', '--format', '{{.Healthy}}', image])).stdout).toBe('true\n')
    const failing = await runDray(['doctor', `localhost:${await closedPort()}`])
    expect(failing.stdout).toMatch(/^failed {3}tcp {12}cannot reach .*\n {24}hint: /m)
    expect(failing.stderr).toMatch(/^dray: cannot pull from localhost:\d+: tcp: .*\n$/)
  })

  it('goes on with what does not depend on the step that failed', async () => {
    const { code, outcomes, step } = await examined([`127.0.0.1:${await closedPort()}/app`])
    expect(code).toBe(5)
    expect(outcomes).toEqual([
      ...['configuration ok', 'proxy ok', 'dns ok', 'tcp failed'],
      ...stretch('tls', 'credential', 'skipped'),
      'credential ok',
      ...stretch('token', undefined, 'skipped'),
    ])
    expect(step('tcp').message).toContain('connection refused')
    expect(step('pull').message).toBe('not tried, since tcp failed')
  })

  it('says it when nobody knows the name', async () => {
    const { code, outcomes } = await examined(['registry.invalid/app'])
    expect(code).toBe(5)
    expect(outcomes).toContain('dns failed')
  })

  it('warns of a clock that is wrong', async () => {
    const late = new Date(Date.now() - 3600_000).toUTCString()
    await using server = await startLoopback((_, response) => {
      response.sendDate = false
      response.writeHead(200, { date: late, 'content-type': 'application/json' }).end('{}')
    })
    const { code, step } = await examined([server.host])
    expect(code).toBe(0)
    expect(step('clock').status).toBe('warning')
    expect(step('clock').message).toMatch(/^this machine's clock is 36\d\d s ahead of/)
  })

  it.each([
    ['a page', 200, '<!DOCTYPE html><html><title>Sign in</title></html>', /HTML page, "Sign in"/],
    ['a 404', 404, '404 page not found', /this is no registry/],
  ])('tells a registry from what answers with %s', async (_, status, body, message) => {
    await using server = await startLoopback((_, response) => response.writeHead(status).end(body))
    const { code, step, outcomes } = await examined([`${server.host}/app`])
    expect(code).toBe(1)
    expect(step('http')).toMatchObject({ status: 'failed', message: expect.stringMatching(message) })
    expect(outcomes).toContain('pull skipped')
  })

  it('tells a fault that may pass from one that stays', async () => {
    await using server = await startLoopback((_, response) =>
      response.writeHead(503, { 'retry-after': '3600' }).end('upstream is down'),
    )
    const { code, step } = await examined([`${server.host}/app`])
    expect(code).toBe(5)
    expect(step('http')).toMatchObject({ hint: expect.stringContaining('3600') })
  })

  it('knows TLS that is spoken with a server of plain HTTP', async () => {
    const { code, step } = await examined(['--no-plain-http', image])
    expect(code).toBe(5)
    expect(step('tls')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('does not speak TLS'),
      hint: expect.stringContaining('--plain-http'),
    })
  })

  async function configured(registries: object): Promise<Record<string, string>> {
    const DRAY_CONFIG = join(folder.path, 'dray.yaml')
    await writeFile(DRAY_CONFIG, JSON.stringify({ registries }))
    return { DRAY_CONFIG }
  }

  it('says who blocks a registry', async () => {
    const env = await configured({ [registry.host]: { blocked: true } })
    const { code, step, outcomes } = await examined([image], { env })
    expect(code).toBe(1)
    expect(step('configuration').message).toContain(env.DRAY_CONFIG)
    expect(outcomes.slice(1)).toEqual(stretch('proxy', undefined, 'skipped'))
  })

  it('says what is wrong with a configuration', async () => {
    const env = await configured({ [registry.host]: { mirorrs: [] } })
    const { code, step } = await examined([image], { env })
    expect(code).toBe(2)
    expect(step('configuration').message).toMatch(/line 1: .*mirorrs/)
  })

  it('shows what is configured and where, and visits the mirrors', async () => {
    await using mirror = await startEmbeddedRegistry()
    await dray(['copy', hello, `${mirror.host}/cache/team/hello:1.0`])
    const gone = `127.0.0.1:${await closedPort()}`
    const env = await configured({
      [registry.host]: { mirrors: [gone, `${mirror.host}/cache`], jobs: 3, headers: { 'X-Key': 'abc123' } },
    })
    const result = await examined([image], { env })
    expect(result.code).toBe(0)
    const { settings, files } = result.step('configuration').details
    expect(files).toContain(env.DRAY_CONFIG)
    expect(settings).toContainEqual({
      what: '3 transfers at a time',
      origin: `registries["${registry.host}"].jobs in ${env.DRAY_CONFIG}`,
    })
    expect(result.step('mirrors')).toMatchObject({
      status: 'warning',
      details: {
        mirrors: [
          { name: `${gone}/team/hello`, works: false, message: expect.stringContaining('refused') },
          { name: `${mirror.host}/cache/team/hello`, works: true, message: 'has 1.0' },
        ],
      },
    })
    expect(result.printed).not.toContain('abc123')
    const pushing = await examined(['--for', 'push', image], { env })
    expect(pushing.outcomes).toContain('mirrors skipped')
  })

  it('says it when a mirror has another image under the same tag', async () => {
    await using mirror = await startEmbeddedRegistry()
    const docker = `oci:${fixturePath('hello-docker')}:1.0`
    await dray(['copy', docker, `${mirror.host}/team/hello:1.0`])
    const env = await configured({ [registry.host]: { mirrors: [mirror.host] } })
    const { step } = await examined([image], { env })
    expect(step('mirrors')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('has another image as 1.0'),
    })
  })

  it('goes where a registries.conf says that the content is', async () => {
    const conf = join(folder.path, 'registries.conf')
    await writeFile(
      conf,
      `[[registry]]\nprefix = "registry.invalid"\nlocation = "${registry.host}"\ninsecure = true\n`,
    )
    const env = { CONTAINERS_REGISTRIES_CONF: conf }
    const { code, step } = await examined(['registry.invalid/team/hello:1.0'], { env })
    expect(code).toBe(0)
    expect(step('configuration').message).toContain(`read from ${registry.host}/team/hello`)
    expect(step('pull').details).toMatchObject({ digest })
  })

  it('says it when a proxy is not there', async () => {
    const env = { HTTPS_PROXY: `http://anna:s3cr3t-word@127.0.0.1:${await closedPort()}` }
    const { code, step, printed } = await examined(['registry.invalid/app'], { env })
    expect(code).toBe(5)
    expect(step('proxy')).toMatchObject({ status: 'ok', details: { variable: 'HTTPS_PROXY', login: true } })
    expect(step('tcp')).toMatchObject({ status: 'failed', message: expect.stringContaining('the proxy') })
    expect(printed).not.toContain('s3cr3t-word')
  })

  it('names the entry of NO_PROXY for which a proxy is left out', async () => {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'a.example,.invalid' }
    const { step } = await examined(['registry.invalid/app'], { env })
    expect(step('proxy').message).toBe('none: NO_PROXY names .invalid')
  })
})

describe.skipIf(!requirePeers('docker-registry', 'openssl'))('over TLS, the doctor', patience, () => {
  const opened = new AsyncDisposableStack()
  let folder: TempDir
  let authority: Authority
  let registry: DockerRegistry
  let image: string

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    authority = await makeAuthority(folder.path)
    registry = await serve('registry')
    image = `${registry.host}/hello:1.0`
    await dray(['copy', '--to-ca-file', authority.certificate, hello, image])
  })
  afterAll(() => opened.disposeAsync())

  async function serve(
    name: string,
    options: Partial<Parameters<Authority['issue']>[1]> = {},
    clientAuthority?: string,
  ): Promise<DockerRegistry> {
    const pair = await authority.issue(name, { usage: 'server', ...options })
    const tls = { ...pair, ...(clientAuthority === undefined ? {} : { clientAuthority }) }
    return opened.use(await startDockerRegistry({ tls }))
  }

  const withCa = () => ['--ca-file', authority.certificate, '--no-plain-http']

  it('names the authority and the file that it stands in', async () => {
    const { code, step } = await examined([...withCa(), image])
    expect(code).toBe(0)
    expect(step('configuration').message).toContain(`CAs of ${authority.certificate} (--ca-file)`)
    expect(step('tls')).toMatchObject({
      status: 'warning',
      hint: expect.stringContaining('renewed'),
      details: {
        protocol: expect.stringMatching(/^TLSv1\./),
        accepted: true,
        anchor: { subject: 'CN=dray test authority', file: authority.certificate },
      },
    })
    expect(step('tls').message).toMatch(
      /certificate ends \d{4}-\d\d-\d\d \(\d days? left\); .*authority.*--ca-file/,
    )
    expect(step('http').message).toContain('HTTP/2 is offered too')
  })

  it('says that an authority is not known, and whose certificate was shown', async () => {
    const { code, step, outcomes } = await examined(['--no-plain-http', image])
    expect(code).toBe(5)
    expect(outcomes).toContain('http skipped')
    expect(step('tls')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('unknown authority'),
      hint: expect.stringContaining('--ca-file'),
      details: { chain: [expect.objectContaining({ issuer: 'CN=dray test authority' })] },
    })
  })

  it('finds a CA in a folder of certs.d', async () => {
    const certs = join(folder.path, 'home/.config/containers/certs.d', registry.host)
    await mkdir(certs, { recursive: true })
    const { readFile } = await import('node:fs/promises')
    await writeFile(join(certs, 'ca.crt'), await readFile(authority.certificate))
    const { code, step } = await examined([image], { env: { HOME: join(folder.path, 'home') } })
    expect(code).toBe(0)
    expect(step('tls').details).toMatchObject({ anchor: { file: join(certs, 'ca.crt') } })
  })

  it('tells what is wrong with a certificate that nobody looks at', async () => {
    const { code, step } = await examined(['--insecure', image])
    expect(code).toBe(0)
    expect(step('tls')).toMatchObject({ status: 'warning', details: { accepted: false } })
    expect(step('tls').message).toContain('unknown authority')
  })

  it.each([
    [
      'that is over',
      { validity: { from: new Date('2020-01-02'), to: new Date('2020-02-03') } },
      /has expired \(on 2020-02-03\)/,
    ],
    ['for another name', { names: ['DNS:other.example'] }, /for another name: "other\.example"/],
  ])('says it of a certificate %s', async (what, options, message) => {
    const faulty = await serve(what.replaceAll(' ', '-'), options)
    const { code, step } = await examined([...withCa(), `${faulty.host}/app`])
    expect(code).toBe(5)
    expect(step('tls')).toMatchObject({ status: 'failed', message: expect.stringMatching(message) })
  })

  it('knows plain HTTP that is spoken with a server of TLS', async () => {
    const { code, step } = await examined(['--plain-http', image])
    expect(code).toBe(5)
    expect(step('http')).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('it speaks TLS'),
      hint: expect.stringContaining('--no-plain-http'),
    })
  })

  it('says that a client certificate is wanted, and uses it', async () => {
    const strict = await serve('strict', {}, authority.certificate)
    const without = await examined([...withCa(), strict.host])
    expect(without.code).toBe(5)
    expect(without.step('http')).toMatchObject({
      status: 'failed',
      hint: expect.stringContaining('--cert-file'),
    })
    const client = await authority.issue('client', { usage: 'client' })
    const files = ['--cert-file', client.certificate, '--key-file', client.key]
    const { code, step } = await examined([...withCa(), ...files, strict.host])
    expect(code).toBe(0)
    expect(step('tls')).toMatchObject({
      message: expect.stringContaining('client certificate'),
      details: { clientCertificate: true },
    })
  })
})

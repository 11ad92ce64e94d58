import { constants, open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startLoopback } from '../support/loopback.ts'
import { run, runDray, startDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}`
const { digest } = fixtureDescriptor('hello', '1.0')
const otherDigest = fixtureDescriptor('hello', '1.1').digest

describe('the exit code', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let proxy: FaultyProxy
  let name = ''

  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    name = `${registry.host}/app/hello`
    await dray(['copy', `${hello}:1.0`, `${name}:1.0`])
  })
  beforeEach(async () => {
    proxy = opened.use(await startFaultyProxy(`http://${registry.host}`))
  })
  afterAll(() => opened.disposeAsync())

  it('is 0 when all is done', async () => {
    expect((await dray(['digest', `${name}:1.0`])).code).toBe(0)
  })

  it('is 1 for a fault of the registry, told in its own words', async () => {
    const body = '{"errors":[{"code":"UNKNOWN","message":"the disk is full"}]}'
    proxy.spoil({ method: 'PUT', path: /manifests/, fault: { kind: 'answer', status: 507, body } })
    const copy = ['copy', '--quiet', `${hello}:1.0`, `${proxy.host}/new/hello:1.0`]
    expect(await drayFails(1, copy)).toContain('the disk is full (507 UNKNOWN)')
  })

  it('is 1 for a file that cannot be read, which it names', async () => {
    expect(await drayFails(1, ['ls', '--ca-file', '/nowhere/ca.pem', name])).toContain('/nowhere/ca.pem')
  })

  it.each([
    ['an unknown verb', ['delte', 'x'], /unknown command 'delte' \(Did you mean delete\?\)\nhint: /],
    ['help for an unknown verb', ['help', 'frob'], /dray: unknown command 'frob'\nhint: dray --help /],
    ['an unknown option', ['copy', '--dryrun', 'a', 'b'], /'--dryrun' \(Did you mean --dry-run\?\)\nhint: /],
    ['a missing argument', ['copy', 'a'], /missing required argument 'destination'/],
    ['an argument too many', ['digest', 'a', 'b'], /too many arguments/],
    ['a malformed reference', ['digest', 'host.example/UPPER:1'], /"UPPER" must be lower case/],
    ['a malformed digest', ['digest', 'host.example/a@sha256:12'], /digest is wrong/],
    ['a malformed duration', ['ls', '--timeout', '1x', 'a'], /invalid duration "1x"\nhint: /],
    ['no number', ['ls', '--latest', 'x', 'a'], /'--latest <n>' argument 'x' .* from 1 on\.\nhint: /],
    ['a number too small', ['ls', '--jobs', '0', 'a'], /'-j, --jobs <n>' argument '0' .* from 1 on\./],
    [
      'a number below zero',
      ['ls', '--retries', '-1', 'a'],
      /'--retries <number>' argument '-1' .* from 0 on\./,
    ],
    [
      'a rate that lets nothing pass',
      ['copy', '--limit-rate', '0', 'a', 'b'],
      /'0' .* more than 0\.\nhint: /,
    ],
    ['a malformed rate', ['copy', '--limit-rate', '1X', 'a', 'b'], /invalid size "1X"\nhint: /],
    [
      'no requests at all',
      ['copy', '--to-requests-per-second', '0.0', 'a', 'b'],
      /'--to-requests-per-second <number>' argument '0\.0' .* above 0/,
    ],
    [
      'a CA that is no certificate',
      ['ls', '--ca-file', fixturePath('README.md'), 'host.example/a'],
      /README\.md holds no certificate in PEM form/,
    ],
    [
      'a client certificate that is none',
      [
        'ls',
        '--cert-file',
        fixturePath('README.md'),
        '--key-file',
        fixturePath('README.md'),
        'host.example/a',
      ],
      /README\.md is not in PEM form/,
    ],
    [
      'a client certificate without content',
      ['ls', '--cert-file', '/dev/null', '--key-file', '/dev/null', 'host.example/a'],
      /dev\/null is not in PEM form/,
    ],
    ['a malformed platform', ['digest', '--platform', 'linux', 'a'], /linux/],
    ['an unknown format', ['digest', '--format', 'yaml', 'a'], /"yaml" is not a format\nhint: /],
    ['a login without a name', ['login', '-u', '', '-p', 'x', 'host.example'], /give --username/],
    ['an argument that is missing', ['auth', 'show'], /'reference'\nhint: dray auth show --help/],
    ['a place in no registry', ['doctor', 'oci:app:1.0'], /"oci:app:1\.0" is in no registry\nhint: /],
    ['half of a login', ['ls', '--username', 'anna', 'host.example/a'], /needs a password\nhint: /],
  ])('is 2 for %s', async (_, args, said) => {
    expect(await drayFails(2, args)).toMatch(said)
  })

  it('is 2 for a field that a template does not find, and names those that there are', async () => {
    expect(await drayFails(2, ['digest', '--format', '{{.Nope}}', `${name}:1.0`])).toMatch(
      /unknown field ".Nope"\nhint: .*\.Digest/,
    )
  })

  it('is 3 for what is not there: tag, repository, blob, layout, platform', async () => {
    const absent = `sha256:${'0'.repeat(64)}`
    expect(await drayFails(3, ['manifest', `${name}:none`])).toContain(`${name}:none`)
    expect(await drayFails(3, ['ls', `${registry.host}/nothing`])).toContain(`${registry.host}/nothing`)
    expect(await drayFails(3, ['blob', `${name}@${absent}`])).toContain(absent)
    expect(await drayFails(3, ['ls', 'oci:/nowhere'])).toContain('/nowhere')
    expect(await drayFails(3, ['digest', '--platform', 'plan9/mips', `${name}:1.0`])).toMatch(/plan9\/mips/)
  })

  it('is 4 for a wrong password', async () => {
    const users = { check: async (_: string, password: string) => password === 'right' }
    await using closed = await startEmbeddedRegistry({ auth: { kind: 'basic', users } })
    const login = ['login', '--username', 'anna', '--password-stdin', closed.host]
    expect(await drayFails(4, login, { input: 'wrong' })).toContain(`${closed.host} refused the login`)
    expect(await drayFails(4, ['ls', `${closed.host}/a`])).toContain('\nhint: ')
  })

  it('is 4 where the registry forbids it', async () => {
    const body = '{"errors":[{"code":"DENIED","message":"not yours"}]}'
    proxy.spoil({ fault: { kind: 'answer', status: 403, body } })
    expect(await drayFails(4, ['ls', `${proxy.host}/app/hello`])).toContain('not yours')
  })

  it('is 5 for a refused connection, at once', async () => {
    const gone = await startLoopback(() => undefined)
    await gone.stop()
    const start = performance.now()
    expect(await drayFails(5, ['ls', `${gone.host}/a`])).toMatch(/connection refused\nhint: /)
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('is 5 when no answer comes in time', async () => {
    await using silent = await startLoopback(() => undefined)
    const ls = ['ls', '--quiet', '--retries', '0', '--timeout', '300ms', `${silent.host}/a`]
    expect(await drayFails(5, ls)).toMatch(/no answer came in time\nhint: .*--timeout/)
  })

  it('is 5 when all the tries are used up', async () => {
    proxy.spoil({ times: 2, fault: { kind: 'refuse' } })
    expect(await drayFails(5, ['ls', '--quiet', '--retries', '1', `${proxy.host}/app/hello`])).toContain(
      `cannot reach ${proxy.host}`,
    )
    expect(proxy.requests).toHaveLength(2)
  })

  it('is 6 for content that is not what its digest says', async () => {
    proxy.spoil({ method: 'GET', path: /manifests/, fault: { kind: 'corrupt', atByte: 100 } })
    expect(await drayFails(6, ['manifest', `${proxy.host}/app/hello:1.0`])).toContain('digest')
  })

  it('is 6 when a tag does not stand for the digest beside it', async () => {
    const said = await drayFails(6, ['digest', `${name}:1.0@${otherDigest}`])
    expect(said).toContain(`${name}:1.0 stands for ${digest}, not for ${otherDigest}`)
  })

  it('is 130 when it is interrupted', async () => {
    let isAsked: () => void = () => undefined
    const asked = new Promise<void>(resolve => {
      isAsked = resolve
    })
    await using silent = await startLoopback(() => isAsked())
    const running = await startDray(['ls', `${silent.host}/a`])
    await asked
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, signal: null, stderr: 'dray: interrupted\n' })
  })

  it('is that of the signal when a second one comes, though a file is still being read', async () => {
    await using folder = await makeTempDir()
    const pipe = join(folder.path, 'auth.json')
    expect(await run('mkfifo', [pipe])).toMatchObject({ code: 0 })
    await using running = await startDray(['auth', 'show', '--authfile', pipe, 'quay.io'])
    // That succeeds once there is a reader, who then waits for what never comes.
    await using _writer = await vi.waitFor(
      () => open(pipe, constants.O_WRONLY | constants.O_NONBLOCK),
      20_000,
    )
    const ended = vi.fn()
    running.ended.then(ended)
    await vi.waitFor(
      () => {
        running.kill('SIGINT')
        expect(ended).toHaveBeenCalled()
      },
      { timeout: 20_000, interval: 300 },
    )
    expect(await running.ended).toMatchObject({ code: null, signal: 'SIGINT', stdout: '' })
  })

  it('comes with a stack only for those who ask for it', async () => {
    const result = await runDray(['manifest', '--debug', `${name}:none`])
    expect(result.code).toBe(3)
    expect(result.stderr).toMatch(/^ {4}at /m)
  })
})

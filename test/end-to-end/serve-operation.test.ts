import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startNginx } from '../support/nginx.ts'
import { requirePeers } from '../support/peers.ts'
import { projectFolder, run, start } from '../support/run.ts'
import { sampleImage } from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'
import { serve } from './serving.ts'

const layout = fixturePath('hello')
const { digest } = fixtureDescriptor('hello', '1.0')
const program = join(projectFolder, 'bin/dray.js')

/** A folder with `serve.yaml`, keys of another token service, and the user ann, whose password is `secret`. */
async function makeDesk(config: string) {
  const folder = await makeTempDir()
  const path = (name: string) => join(folder.path, name)
  await writeFile(path('users'), `ann:${await hash('secret', 4)}\n`)
  await writeFile(path('serve.yaml'), config)
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  await writeFile(path('keys.json'), JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }))
  return {
    path,
    env: { DOCKER_CONFIG: folder.path, REGISTRY_AUTH_FILE: path('config.json') },
    [Symbol.asyncDispose]: () => folder.remove(),
  }
}

const external = 'auth: { external: { realm: https://a.test, service: a, issuer: b, keys: keys.json } }'
const rules = "rules: [{ repositories: ['**'], allow: [pull], anonymous: true }]"

describe('dray serve does not start', patience, () => {
  it.each([
    ['with an unknown key', 'adress: x', [], 'serve.yaml, line 1: adress: there is no such key'],
    [
      'with an unknown key in a key',
      'limits:\n  idle: 1',
      [],
      'serve.yaml, line 2: limits.idle: there is no such key',
    ],
    ['with what is no YAML', 'log: [', [], 'serve.yaml, line 1, column 7: not valid YAML'],
    ['with bytes that are no text', '\u0000\u0001', [], 'serve.yaml, line 1'],
    ['with a list of settings', '- log: json', [], 'serve.yaml, line 1: it must be a map of keys'],
    ['with a proxy by name', 'trustedProxies: [proxy]', [], 'trustedProxies[0]: "proxy" is no IP address'],
    ['with users beside an external token service', external, ['--htpasswd', 'USERS'], 'contradict'],
    ['with rules beside an external token service', `${external}\n${rules}`, [], 'decides alone'],
    [
      'with rules and anonymous pull',
      rules,
      ['--htpasswd', 'USERS', '--anonymous-pull'],
      'where there are rules',
    ],
    ['with anonymous pull and no users', '', ['--anonymous-pull'], 'need --htpasswd'],
    ['with a token key and no users', '', ['--token-key', 'KEY'], 'need --htpasswd'],
    ['with a certificate alone', '', ['--tls-cert', 'CERT'], 'TLS needs both'],
    ['with a key alone', '', ['--tls-key', 'KEY'], 'TLS needs both'],
    ['with a CA for clients alone', '', ['--tls-client-ca', 'CA'], 'TLS needs both'],
    ['with a proxy that is none', '', ['--trusted-proxy', '10.0.0.0/33'], '"10.0.0.0/33" is no IP address'],
    ['with a form of log that is none', '', ['--log', 'xml'], 'text, json, none'],
    ['with a duration that is none', '', ['--grace-period', 'soon'], 'invalid duration "soon"'],
    ['with limits of mirrors, and no mirror', '', ['--mirror-max-age', '30d'], 'need --mirror'],
    [
      'with a misspelt key beside what is missing',
      'tls: { crt: a, key: b }',
      [],
      'tls.crt: there is no such key',
    ],
    ['with two folders', '', ['more'], 'too many arguments'],
  ])('%s', async (_, config, flags, message) => {
    await using desk = await makeDesk(config)
    const given = flags.map(flag => (flag === 'USERS' ? desk.path('users') : flag))
    const args = ['serve', desk.path('store'), '--config', desk.path('serve.yaml'), ...given]
    expect(await drayFails(2, args)).toContain(message)
  })

  it('without a folder, or over one that cannot be made', async () => {
    await using desk = await makeDesk('')
    expect(await drayFails(2, ['serve'])).toContain(
      "missing required argument 'dir'\nhint: dray serve --help",
    )
    const said = await drayFails(1, ['serve', desk.path('users/store'), '--address', '127.0.0.1:0'])
    expect(said).toContain(`${desk.path('users/store')}: a part of the path is not a folder`)
  })

  it('where metrics have the address of the registry, or of another program', async () => {
    await using desk = await makeDesk('')
    const { running, host } = await serve(desk.path('store'))
    await using _ = running
    const taken = `dray: cannot listen on ${host}: the address is in use\nhint: port 0 takes one that is free\n`
    expect(await drayFails(1, ['serve', desk.path('store'), '--address', host])).toBe(taken)
    const metered = ['--address', '127.0.0.1:0', '--metrics-address', host]
    expect(await drayFails(1, ['serve', desk.path('store'), ...metered])).toBe(taken)
  })
})

describe('dray serve', patience, () => {
  it('prints an example of its configuration, with which it can be served', async () => {
    const { stdout } = await dray(['serve', '--print-config-example'])
    expect(stdout).toMatch(/^# yaml-language-server: /)
    expect(stdout).toContain('\nmirrors:\n')
    expect(stdout.endsWith('\n')).toBe(true)
  })

  it('prints the JSON Schema of its configuration', async () => {
    const { stdout } = await dray(['serve', '--print-config-schema'])
    expect(JSON.parse(stdout)).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      properties: { address: { type: 'string' }, rules: { type: 'array' } },
      additionalProperties: false,
    })
  })

  it('refuses a manifest whose blobs are missing, with --require-blobs', async () => {
    await using desk = await makeDesk('requireBlobs: false')
    const flags = ['--config', desk.path('serve.yaml'), '--require-blobs']
    const { running, url } = await serve(desk.path('store'), ...flags)
    await using _ = running
    const { mediaType, bytes: body } = sampleImage('lonely').manifest
    const headers = { 'Content-Type': mediaType }
    const answer = await fetch(`${url}/v2/a/manifests/v1`, { method: 'PUT', headers, body })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'MANIFEST_BLOB_UNKNOWN' }] })
  })

  it('warns of an address that others can reach, in the form of the log, and is quiet if told so', async () => {
    await using desk = await makeDesk('')
    const open = ['--address', '0.0.0.0:0']
    const text = await serve(desk.path('store'), ...open)
    text.running.kill()
    const warning = 'everybody who can reach 0.0.0.0 may push and delete: there are no users and no rules'
    expect((await text.running.ended).stderr).toBe(`warning: ${warning}\n`)
    const json = await serve(desk.path('store'), ...open, '--log', 'json')
    json.running.kill()
    expect(JSON.parse((await json.running.ended).stderr)).toEqual({ time: expect.any(String), warning })
    const quiet = await serve(desk.path('store'), ...open, '--quiet')
    quiet.running.kill()
    expect((await quiet.running.ended).stderr).toBe('')
  })

  it('says what it waits for, when it is ended and a request still runs', async () => {
    await using desk = await makeDesk('')
    const { running, url } = await serve(desk.path('store'), '--grace-period', '1m')
    const headers = { 'Content-Length': 4, Expect: '100-continue' }
    const outgoing = request(`${url}/v2/a/manifests/v1`, { method: 'PUT', headers })
    outgoing.flushHeaders()
    await once(outgoing, 'continue')
    running.kill('SIGTERM')
    await running.printed(/^waiting for running requests to end$/m)
    outgoing.end('some')
    const [answer] = await once(outgoing, 'response')
    answer.resume()
    expect(await running.ended).toMatchObject({ code: 0, signal: null })
  })

  it('takes new rules and a new token key at SIGHUP, and says what it does not take', async () => {
    const config = (right: string) =>
      `auth: { htpasswd: users, token: { service: me, keyFile: token.key } }\n` +
      `rules: [{ repositories: ['**'], allow: [${right}], users: [ann] }]\n`
    await using desk = await makeDesk(config('pull'))
    const { env } = desk
    const { running, host, url } = await serve(desk.path('store'), '--config', desk.path('serve.yaml'))
    await using _ = running
    await dray(['login', '-u', 'ann', '--password-stdin', host], { env, input: 'secret' })
    const copy = ['copy', '--quiet', `oci:${layout}:1.0`, `${host}/a:1.0`]
    await drayFails(4, copy, { env })
    const keys = async () => ((await (await fetch(`${url}/token/jwks`)).json()) as { keys: object[] }).keys
    const [before] = await keys()
    await writeFile(desk.path('serve.yaml'), `readOnly: true\n${config('push')}`)
    running.kill('SIGHUP')
    await running.printed(/^warning: \S+serve\.yaml: what has changed of readOnly takes a new start$/m)
    await dray(copy, { env })
    await rm(desk.path('token.key'))
    const key = await run('openssl', ['genrsa', '-out', desk.path('token.key'), '2048'])
    expect(key).toMatchObject({ code: 0 })
    running.kill('SIGHUP')
    while ((await keys()).length === 1);
    expect(await keys()).toEqual([expect.objectContaining({ alg: 'RS256' }), before])
    expect((await dray(['digest', `${host}/a:1.0`], { env })).stdout).toBe(`${digest}\n`)
  })
})

describe.skipIf(process.platform === 'win32')('dray serve, when nobody listens to it', patience, () => {
  const command = [process.execPath, program, 'serve']

  async function begin(dir: string) {
    const [node = '', ...args] = [...command, dir, '--address', '127.0.0.1:0']
    const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    return { child, exited: once(child, 'exit') }
  }

  it('goes on when its output and its log are closed', async () => {
    await using desk = await makeDesk('')
    const { child, exited } = await begin(desk.path('store'))
    const [line] = await once(child.stdout, 'data')
    const [, url] = / at (\S+)\n/.exec(String(line)) ?? []
    child.stdout.destroy()
    child.stderr.destroy()
    for (let time = 0; time < 10; time += 1) expect((await fetch(`${url}/v2/`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })

  it('ends when its output is closed before it says where it is', async () => {
    await using desk = await makeDesk('')
    const { child, exited } = await begin(desk.path('store'))
    child.stdout.destroy()
    expect(await exited).toEqual([0, null])
  })

  it.skipIf(!requirePeers('script'))('ends when its terminal is closed', async () => {
    await using desk = await makeDesk('')
    const line = [...command, desk.path('store'), '--address', '127.0.0.1:0']
      .map(word => `'${word}'`)
      .join(' ')
    const running = await start('script', ['-qfc', `exec ${line}`, '/dev/null'])
    const [, url] = await running.printed(/ at (\S+)\r\n/)
    running.kill('SIGKILL')
    while (await fetch(`${url}/healthz`).then(Boolean, () => false));
    expect(await running.ended).toMatchObject({ signal: 'SIGKILL' })
  })
})

describe.skipIf(!requirePeers('nginx', 'openssl', 'skopeo'))('dray serve behind nginx', patience, () => {
  it('sends clients to the address by which they came, and logs theirs', async () => {
    await using desk = await makeDesk('auth: { htpasswd: users, token: { service: me } }\nlog: json\n')
    const authority = await makeAuthority(desk.path('.'))
    const tls = await authority.issue('nginx', { usage: 'server' })
    const flags = ['--config', desk.path('serve.yaml'), '--trusted-proxy', '127.0.0.1']
    const { running, url } = await serve(desk.path('store'), ...flags)
    await using _ = running
    await using nginx = await startNginx({ upstream: url, tls })
    const { env } = desk
    const ca = ['--ca-file', authority.certificate]
    await dray(['login', ...ca, '-u', 'ann', '--password-stdin', nginx.host], { env, input: 'secret' })
    const name = `${nginx.host}/hello:1.0`
    await dray(['copy', '--to-ca-file', authority.certificate, `oci:${layout}:1.0`, name], { env })
    const trusted = { ...env, SSL_CERT_FILE: authority.certificate }
    const args = [
      '--insecure-policy',
      'copy',
      '--all',
      `docker://${name}`,
      `docker://${nginx.host}/again:1.0`,
    ]
    expect(await run('skopeo', args, { env: trusted })).toMatchObject({ code: 0 })
    expect((await dray(['digest', ...ca, `${nginx.host}/again:1.0`], { env })).stdout).toBe(`${digest}\n`)
    const headers = {
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'r.test',
    }
    const answer = await fetch(`${url}/v2/`, { headers })
    expect(answer.headers.get('www-authenticate')).toContain('realm="https://r.test/token"')
    await running.printed(/"remoteAddress":"192\.0\.2\.1"/)
  })
})

import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { startLoopback } from '../support/loopback.ts'
import { runDray } from '../support/run.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const { digest } = fixtureDescriptor('hello', '1.0')
const password = 'pass:word'
const auth = Buffer.from(`anna:${password}`).toString('base64')
const wrongAuth = Buffer.from('anna:wrong').toString('base64')

describe('a credential is found', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let folder: TempDir
  let image = ''

  beforeAll(async () => {
    folder = opened.use(await makeTempDir())
    const users = { check: async (name: string, word: string) => name === 'anna' && word === password }
    registry = opened.use(await startEmbeddedRegistry({ auth: { kind: 'basic', users } }))
    image = `${registry.host}/team/hello:1.0`
    const flags = ['--to-username', 'anna', '--to-password-stdin']
    await dray(['copy', ...flags, hello, image], { input: password })
  })
  afterAll(() => opened.disposeAsync())

  /** A file of docker's form; the folder that it is in. */
  async function configFolder(name: string, config: object): Promise<string> {
    const dir = join(folder.path, name)
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'config.json'), JSON.stringify(config))
    return dir
  }

  const auths = (value = auth) => ({ auths: { [registry.host]: { auth: value } } })

  it('nowhere without any', async () => {
    expect(await drayFails(4, ['digest', image])).toContain(registry.host)
  })

  it.each<[string, () => Promise<Record<string, string>>]>([
    ['DOCKER_CONFIG', async () => ({ DOCKER_CONFIG: await configFolder('docker', auths()) })],
    ['HOME', async () => ({ HOME: join(await configFolder('home/.docker', auths()), '..') })],
    [
      'REGISTRY_AUTH_FILE',
      async () => ({ REGISTRY_AUTH_FILE: join(await configFolder('podman', auths()), 'config.json') }),
    ],
    ['DOCKER_AUTH_CONFIG', async () => ({ DOCKER_AUTH_CONFIG: JSON.stringify(auths()) })],
    ['DRAY_USERNAME and DRAY_PASSWORD', async () => ({ DRAY_USERNAME: 'anna', DRAY_PASSWORD: password })],
    [
      'XDG_RUNTIME_DIR',
      async () => {
        const dir = join(folder.path, 'run')
        await mkdir(join(dir, 'containers'), { recursive: true })
        await writeFile(join(dir, 'containers/auth.json'), JSON.stringify(auths()))
        return { XDG_RUNTIME_DIR: dir }
      },
    ],
  ])('by %s', async (_, env) => {
    expect((await dray(['digest', image], { env: await env() })).stdout).toBe(`${digest}\n`)
  })

  it('in a file that a flag names, before all others', async () => {
    const authfile = join(await configFolder('authfile', auths()), 'config.json')
    const env = { DOCKER_CONFIG: await configFolder('stale', auths(wrongAuth)) }
    expect((await dray(['digest', '--authfile', authfile, image], { env })).stdout).toBe(`${digest}\n`)
    await drayFails(4, ['digest', image], { env })
  })

  it('not in the folder that somebody stands in, where HOME is empty', async () => {
    const cwd = join(await configFolder('standing/.docker', { credsStore: 'of-a-stranger' }), '..')
    const { stdout } = await runDray(['auth', 'show', image], { env: { HOME: '' }, cwd })
    expect(stdout).not.toContain('of-a-stranger')
    expect(stdout).toMatch(/ \/\S*\.docker\/config\.json/)
  })

  it('not of another place when the file that was named is not there', async () => {
    const env = { DOCKER_CONFIG: await configFolder('named', auths()) }
    const said = await drayFails(1, ['digest', '--authfile', '/nowhere/auth.json', image], { env })
    expect(said).toContain('/nowhere/auth.json: there is no such file or folder')
  })

  it('in flags, before files and the environment', async () => {
    const env = { DOCKER_CONFIG: await configFolder('stale', auths(wrongAuth)) }
    const flags = ['--username', 'anna', '--password-stdin']
    expect((await dray(['digest', ...flags, image], { env, input: `${password}\n` })).stdout).toBe(
      `${digest}\n`,
    )
  })

  it('by the longest path that fits the repository', async () => {
    const env = {
      DOCKER_CONFIG: await configFolder('paths', {
        auths: {
          [registry.host]: { auth: wrongAuth },
          [`${registry.host}/team`]: { auth },
        },
      }),
    }
    expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
  })

  it('by a credential helper, which login and logout also ask', async () => {
    const bin = join(folder.path, 'bin')
    const kept = join(folder.path, 'kept')
    await mkdir(bin)
    const helper = join(bin, 'docker-credential-test')
    await writeFile(
      helper,
      `#!/bin/sh
case $1 in
get) cat "${kept}" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
store) cat >"${kept}" ;;
erase) rm "${kept}" ;;
esac
`,
    )
    await chmod(helper, 0o755)
    const config = { credHelpers: { [registry.host]: 'test' } }
    const env = {
      PATH: `${bin}:${process.env.PATH}`,
      DOCKER_CONFIG: await configFolder('helper', config),
    }
    await drayFails(4, ['digest', image], { env })
    const login = ['login', '--username', 'anna', '--password-stdin', registry.host]
    expect((await dray(login, { env, input: password })).stderr).toBe('')
    expect((await dray(['digest', image], { env })).stdout).toBe(`${digest}\n`)
    const { stdout } = await dray(['logout', registry.host], { env })
    expect(stdout).toContain('docker-credential-test')
    await drayFails(4, ['digest', image], { env })
  })

  it('for the one registry that it is meant for, when a copy talks to two', async () => {
    await using other = await startLoopback((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="other"' }).end()
    })
    const seen: unknown[] = []
    const env = { DRAY_USERNAME: 'anna', DRAY_PASSWORD: password, DRAY_REGISTRY: registry.host }
    await drayFails(4, ['copy', '--progress', 'none', image, `${other.host}/stolen:1`], { env })
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter(header => header !== undefined)).toEqual([])
  })
})

describe('a registry that is not on this machine', patience, () => {
  it('is spoken to over TLS, unless plain HTTP is asked for', async () => {
    const asked: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(502).end()
    })
    proxy.on('connect', (request, socket) => {
      asked.push(request.url)
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const env = { HTTPS_PROXY: url, HTTP_PROXY: url }
    const ls = ['ls', '--quiet', '--retries', '0', 'registry.example/app']
    try {
      await drayFails(5, ls, { env })
      await drayFails(5, [...ls, '--plain-http'], { env })
    } finally {
      proxy.close()
    }
    expect(asked).toEqual(['registry.example:443', 'http://registry.example/v2/app/tags/list?n=1000'])
  })
})

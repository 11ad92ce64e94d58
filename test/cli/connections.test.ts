import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Connections } from '../../src/cli/connections.ts'
import type { CliContext } from '../../src/cli/context.ts'
import type { EndFlags } from '../../src/cli/options.ts'
import { openCredentials } from '../../src/credentials/credentials.ts'
import type { TraceEvent } from '../../src/http/trace.ts'
import { makeAuthority, readKeyPair } from '../support/certificates.ts'
import { type LoopbackServer, startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir } from '../support/temp-dir.ts'

describe('a connection', () => {
  let opened: AsyncDisposableStack
  let folder: string
  let traced: string[]
  let warnings: string[]

  beforeEach(async () => {
    opened = new AsyncDisposableStack()
    folder = opened.use(await makeTempDir()).path
    traced = []
    warnings = []
  })
  afterEach(() => opened.disposeAsync())

  async function write(file: string, text: string): Promise<string> {
    await mkdir(join(folder, file, '..'), { recursive: true })
    await writeFile(join(folder, file), text)
    return join(folder, file)
  }

  /** The configuration is that of the sandbox, of the system too. */
  function connect(env: Record<string, string> = {}, registries: readonly string[] = []): Connections {
    const { signal } = new AbortController()
    const home = { homeDir: join(folder, 'home'), platform: 'linux', uid: 1000 } as const
    // Neither stream is of any use here.
    const context = { env, ...home, signal } as unknown as CliContext
    const onTrace = ({ method, url, status }: TraceEvent) =>
      traced.push(`${method} ${url.protocol}${url.pathname} ${status ?? 'none'}`)
    const onEvent = (event: { readonly type: string }) => {
      if (event.type === 'warning') warnings.push(JSON.stringify(event))
    }
    const connections = new Connections(context, {
      registries,
      etcDir: join(folder, 'etc'),
      onTrace,
      onEvent,
    })
    opened.defer(() => connections.close())
    return connections
  }

  async function startEmpty(tls?: { readonly cert: string; readonly key: string }): Promise<LoopbackServer> {
    return opened.use(await startLoopback((_, response) => response.writeHead(404).end(), { tls }))
  }

  /** One request for what is not there. */
  async function ask(connections: Connections, registry: string, flags: EndFlags = {}): Promise<void> {
    const repository = await connections.repository({ registry, repository: 'app' }, flags)
    expect(await repository.find('1.0')).toBeUndefined()
  }

  const question = (protocol: string) => `HEAD ${protocol}:/v2/app/manifests/1.0 404`

  it('is shared by those who mean the same', async () => {
    const connections = connect()
    const { registry } = { registry: 'a.test' }
    const one = await connections.registry(registry, {})
    expect(await connections.registry(registry, {})).toBe(one)
    expect(await connections.registry(registry, { retries: 1 })).not.toBe(one)
    const [source, destination] = await Promise.all([
      connections.repository({ registry, repository: 'a' }, {}),
      connections.repository({ registry, repository: 'b' }, {}, 'pull,push'),
    ])
    expect(destination.canMountFrom(source)).toBe(true)
  })

  it('to what is blocked is refused, with the place that says so', async () => {
    const file = await write('home/.config/dray/config.yaml', 'registries: {a.test/team: {blocked: true}}')
    const connections = connect()
    const refusal = {
      code: 'UNSUPPORTED',
      message: `a.test/team/app is blocked: registries["a.test/team"].blocked in ${file}`,
    }
    for (const access of ['pull', 'own', 'pull,push'] as const) {
      const target = { registry: 'a.test', repository: 'team/app' }
      await expect(connections.repository(target, {}, access)).rejects.toMatchObject(refusal)
    }
    await connections.registry('a.test', {})
  })

  it('tells its credentials of configured logins', async () => {
    await write('home/.config/dray/config.yaml', 'registries: {a.test: {username: u, password: p}}')
    const { findConfigured } = connect().credentialContext({})
    expect(await findConfigured?.({ registry: 'a.test' })).toMatchObject({
      credential: { kind: 'basic', username: 'u', password: 'p' },
    })
    expect(warnings).toEqual([expect.stringContaining('can be read by others')])
  })

  it.each<[registries: string[], foundAt: string[]]>([
    [['a.test'], ['a.test']],
    [['a.test', 'a.test'], ['a.test']],
    [['a.test', 'b.test'], []],
  ])('of a command that talks to %j uses the login of the environment at %j', async (registries, foundAt) => {
    const env = { DRAY_USERNAME: 'ci', DRAY_PASSWORD: 'p' }
    const { findCredential } = openCredentials(connect(env, registries).credentialContext({}))
    const found = await Promise.all(
      ['a.test', 'b.test', 'c.test'].map(async registry =>
        (await findCredential({ registry })) ? [registry] : [],
      ),
    )
    expect(found.flat()).toEqual(foundAt)
    expect(warnings).toHaveLength(foundAt.length === 0 ? 1 : 0)
  })

  it('goes over plain HTTP where a registries.conf asks for no more and the server speaks no TLS', async () => {
    const server = await startEmpty()
    await write(
      'etc/containers/registries.conf',
      `[[registry]]\nlocation = "${server.host}"\ninsecure = true\n`,
    )
    const connections = connect()
    await ask(connections, server.host)
    await ask(connections, server.host)
    expect(traced).toEqual(['GET https:/v2/ none', question('http'), question('http')])
    traced = []
    await ask(connections, server.host, { plainHttp: true })
    expect(traced).toEqual([question('http')])
  })

  describe.skipIf(!requirePeers('openssl'))('over TLS', () => {
    async function startTls() {
      const authority = await makeAuthority(folder)
      const pair = await authority.issue('server', { usage: 'server' })
      return { authority, server: await startEmpty(await readKeyPair(pair)) }
    }

    it('needs no certificate that is known where a registries.conf says so', async () => {
      const { server } = await startTls()
      await write(
        'etc/containers/registries.conf.d/a.conf',
        `[[registry]]\nlocation = "${server.host}"\ninsecure = true\n`,
      )
      await ask(connect(), server.host)
      expect(traced).toEqual(['GET https:/v2/ 404', question('https')])
    })

    it('trusts the CAs of a certs.d folder of the system, beside those of the environment', async () => {
      const { authority, server } = await startTls()
      const env = { SSL_CERT_FILE: authority.certificate }
      const empty = await write(`etc/docker/certs.d/${server.host}/other.crt`, '')
      await ask(connect(env), server.host)
      await expect(ask(connect(), server.host)).rejects.toThrow('unknown authority')
      await copyFile(authority.certificate, join(empty, '..', 'ca.crt'))
      await ask(connect(), server.host)
      expect(traced.at(-1)).toBe(question('https'))
    })

    it('reads what the configuration names, relative to that, unless a flag names another', async () => {
      const { authority, server } = await startTls()
      await copyFile(authority.certificate, join(folder, 'ours.pem'))
      const file = await write('dray.yaml', `registries: {"${server.host}": {caFile: ours.pem}}`)
      await ask(connect({ DRAY_CONFIG: file }), server.host)
      const none = { caFile: await write('none.pem', '') }
      await expect(ask(connect({ DRAY_CONFIG: file }), server.host, none)).rejects.toThrow(
        'unknown authority',
      )
      const insecure = await write(
        'insecure.yaml',
        `registries: {"127.0.0.1:${server.host.split(':')[1]}": {insecure: true}}`,
      )
      await ask(connect({ DRAY_CONFIG: insecure }), server.host)
    })
  })
})

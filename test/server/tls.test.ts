import { once } from 'node:events'
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerOptions } from '../../src/server/server.ts'
import type { TlsOptions } from '../../src/server/tls.ts'
import { type Authority, makeAuthority, readKeyPair } from '../support/certificates.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

interface Client {
  readonly cert: string
  readonly key: string
}

describe.skipIf(!requirePeers('openssl'))('a registry with TLS', () => {
  let folder: TempDir
  let authority: Authority
  let ca = ''
  let tls: TlsOptions
  const path = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
    ca = await readFile(authority.certificate, 'utf8')
    const { certificate, key } = await authority.issue('server', { usage: 'server' })
    tls = { certFile: certificate, keyFile: key }
  })
  afterAll(() => folder.remove())

  const start = (options: Partial<ServerOptions> = {}) => startEmbeddedRegistry({ tls, ...options })

  /** The status of an answer, and the serial number of the certificate that the server showed. */
  async function ask(
    { server }: EmbeddedRegistry,
    options: Partial<Client> & { agent?: Agent; path?: string },
  ) {
    const { agent = new Agent({ maxCachedSessions: 0 }), path = '/v2/', cert, key } = options
    const outgoing = request({ host: '127.0.0.1', port: server.port, path, ca, cert, key, agent })
    outgoing.end()
    const [answer] = await once(outgoing, 'response')
    const socket = answer.socket as TLSSocket
    const isReused = socket.isSessionReused()
    const serial = isReused ? '' : socket.getPeerCertificate().serialNumber
    const challenge = String(answer.headers['www-authenticate'])
    answer.resume()
    await once(answer, 'end')
    return { status: answer.statusCode as number, serial, isReused, challenge }
  }

  it('speaks HTTPS, and says so where it names itself', async () => {
    const users = { check: async () => false }
    await using registry = await start({ auth: { kind: 'token', service: 's', users } })
    expect(registry.server.url).toBe(`https://127.0.0.1:${registry.server.port}`)
    const { status, challenge } = await ask(registry, {})
    expect(status).toBe(401)
    expect(challenge).toBe(`Bearer realm="https://127.0.0.1:${registry.server.port}/token",service="s"`)
  })

  it.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('with %s: %s', async (version, works) => {
    await using registry = await start()
    const { port } = registry.server
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const options = { host: '127.0.0.1', port, ca, minVersion: version, maxVersion: version, ciphers }
    const socket = connect({ ...options, ALPNProtocols: ['h2', 'http/1.1'] } satisfies ConnectionOptions)
    const secured = once(socket, 'secureConnect')
    await (works ? secured : expect(secured).rejects.toThrow())
    if (works) expect(socket.alpnProtocol).toBe('http/1.1')
    socket.destroy()
  })

  it('cuts who connects and does not shake hands', async () => {
    await using registry = await start({ limits: { headersMs: 100 } })
    const socket = connectPlain({ host: '127.0.0.1', port: registry.server.port })
    socket.on('error', () => {})
    await new Promise(resolve => socket.resume().once('close', resolve))
  })

  it('ends in spite of who connects and does not shake hands', async () => {
    await using registry = await start({ graceMs: 50 })
    const socket = connectPlain({ host: '127.0.0.1', port: registry.server.port })
    socket.on('error', () => {})
    await once(socket, 'connect')
    await ask(registry, {})
    await registry.server.close()
    socket.destroy()
  })

  it('takes a new certificate while requests run, and drops none', async () => {
    const files = { certFile: path('swapped.pem'), keyFile: path('swapped.key') }
    const [first, second] = [
      await authority.issue('first', { usage: 'server' }),
      await authority.issue('second', { usage: 'server' }),
    ]
    await copyFile(first.certificate, files.certFile)
    await copyFile(first.key, files.keyFile)
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    await using registry = await start({ tls: files, onWarning })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const old = (await ask(registry, { agent })).serial
    const serials = new Set<string>()
    let isOver = false
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const { status, serial } = await ask(registry, {})
        expect(status).toBe(200)
        serials.add(serial)
      }
    })
    const replace = async (from: string, to: string) => {
      await copyFile(from, `${to}.new`)
      await rename(`${to}.new`, to)
    }
    // The key does not fit yet; who connects meanwhile meets the old pair.
    await replace(second.certificate, files.certFile)
    await registry.server.reload()
    expect(warnings).toEqual([
      `the key in ${files.keyFile} is not that of the certificate in ${files.certFile}; ` +
        'what was read before goes on to count',
    ])
    expect((await ask(registry, {})).serial).toBe(old)
    await replace(second.key, files.keyFile)
    await registry.server.reload()
    const young = (await ask(registry, {})).serial
    expect(young).not.toBe(old)
    isOver = true
    await Promise.all(load)
    expect([...serials].every(serial => serial === old || serial === young)).toBe(true)
    expect((await ask(registry, { agent })).serial).toBe(old)
    expect(warnings).toHaveLength(1)
    agent.destroy()
  })

  it('looks for a new certificate by itself', async () => {
    const files = { certFile: path('watched.pem'), keyFile: path('watched.key') }
    const pair = await authority.issue('watched', { usage: 'server' })
    expect(files).toEqual({ certFile: pair.certificate, keyFile: pair.key })
    await using registry = await start({ tls: files, reloadEveryMs: 10 })
    const old = (await ask(registry, {})).serial
    await authority.issue('watched', { usage: 'server' })
    while ((await ask(registry, {})).serial === old);
  })

  it.each([
    ['no certificate', 'empty', 'server.key', 'empty: it holds no certificate (PEM)'],
    ['no key', 'server.pem', 'empty', 'empty: it holds no private key that can be read (PEM, not encrypted)'],
    ['another key', 'server.pem', 'authority.key', 'authority.key is not that of the certificate in'],
    ['nothing there', 'nothing', 'server.key', 'nothing: there is no such file'],
  ])('does not start with %s', async (_, cert, key, message) => {
    await writeFile(path('empty'), '')
    const starting = start({ tls: { certFile: path(cert), keyFile: path(key) } })
    await expect(starting).rejects.toThrow(message)
  })

  describe('and client certificates', () => {
    let named: Client
    let mailed: Client
    let stranger: Client

    beforeAll(async () => {
      named = await readKeyPair(await authority.issue('ann', { usage: 'client', names: ['DNS:ann.test'] }))
      mailed = await readKeyPair(
        await authority.issue('bob', { usage: 'client', names: ['email:bob@x.test', 'DNS:a.x', 'DNS:b.x'] }),
      )
      const elsewhere = await makeTempDir()
      const other = await makeAuthority(elsewhere.path)
      stranger = await readKeyPair(await other.issue('ann', { usage: 'client' }))
      await elsewhere.remove()
    })

    const withCertificates = (more: Partial<TlsOptions>, options: Partial<ServerOptions> = {}) =>
      start({ tls: { ...tls, clientCaFile: authority.certificate, ...more }, ...options })
    const users = (...names: string[]) => ({
      rules: [{ repositories: ['**'], allow: ['pull' as const], users: names }],
    })
    const tags = '/v2/a/tags/list'

    it('lets nobody in without one', async () => {
      await using registry = await withCertificates({})
      expect((await ask(registry, named)).status).toBe(200)
      await expect(ask(registry, {})).rejects.toThrow()
      await expect(ask(registry, stranger)).rejects.toThrow()
    })

    it.each([
      ['commonName', 'dray test ann', 'dray test bob'],
      ['dns', 'ann.test', undefined],
      ['email', undefined, 'bob@x.test'],
    ] as const)('takes the %s for the user: %s, %s', async (clientUser, annIs, bobIs) => {
      for (const [client, user] of [
        [named, annIs],
        [mailed, bobIs],
      ] as const) {
        await using registry = await withCertificates({ clientUser }, { access: users(user ?? 'nobody') })
        expect((await ask(registry, { ...client, path: tags })).status).toBe(user === undefined ? 403 : 404)
        expect((await registry.ended(() => true)).user).toBe(user)
      }
    })

    it('denies what the rules do not allow', async () => {
      await using registry = await withCertificates({}, { access: users('dray test ann') })
      expect((await ask(registry, { ...named, path: tags })).status).toBe(404)
      expect((await ask(registry, { ...mailed, path: tags })).status).toBe(403)
    })

    it('lets others log in otherwise, where it may be left out', async () => {
      const auth = { kind: 'basic', users: { check: async () => true } } as const
      await using registry = await withCertificates({ clientCertificates: 'optional' }, { auth })
      expect((await ask(registry, named)).status).toBe(200)
      expect((await ask(registry, {})).status).toBe(401)
      expect((await ask(registry, stranger)).status).toBe(401)
    })

    it('knows who comes back with a session of before', async () => {
      await using registry = await withCertificates({}, { access: users('dray test ann') })
      const agent = new Agent({ maxCachedSessions: 10 })
      const answers = []
      for (let time = 0; time < 3; time += 1)
        answers.push(await ask(registry, { ...named, agent, path: tags }))
      agent.destroy()
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404])
      expect(answers.map(({ isReused }) => isReused)).toEqual([false, true, true])
    })
  })
})

import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeConnection } from '../../src/http/probe.ts'
import { type Authority, makeAuthority, readKeyPair } from '../support/certificates.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { freePort } from '../support/free-port.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { startTinyproxy } from '../support/tinyproxy.ts'
import { startRawServer } from './wire/raw-server.ts'

const silent = () => undefined

describe('the way to a server over plain HTTP', () => {
  it('is walked up to TCP, and nothing is sent', async () => {
    await using server = await startRawServer(silent)
    const url = new URL(server.url)
    const probe = await probeConnection(url)
    expect(probe).toEqual({
      proxy: undefined,
      dns: { ms: expect.any(Number), found: { host: '127.0.0.1', addresses: ['127.0.0.1'] } },
      tcp: { ms: expect.any(Number), found: { address: '127.0.0.1', port: Number(url.port) } },
      tunnel: undefined,
      tls: undefined,
    })
    await expect(server.peers[0]?.request()).rejects.toThrow('the client sends no more')
  })

  it('finds every address of a name', async () => {
    await using server = await startRawServer(silent)
    const { dns } = await probeConnection(new URL(server.url.replace('127.0.0.1', 'localhost')))
    expect(dns.found?.host).toBe('localhost')
    expect(dns.found?.addresses).toContain('127.0.0.1')
  })

  it('ends where the name is not known, or nobody listens', async () => {
    const nowhere = await probeConnection(new URL(`http://${'a'.repeat(64)}.example/`))
    expect(nowhere.dns.error?.message).toMatch(/the host name is not known$/)
    expect(nowhere.tcp).toBeUndefined()
    const port = await freePort()
    const closed = await probeConnection(new URL(`https://127.0.0.1:${port}/`))
    expect(closed.tcp?.error?.message).toBe(`cannot reach 127.0.0.1:${port}: connection refused`)
    expect(closed.tls).toBeUndefined()
  })
})

describe.skipIf(!requirePeers('openssl', 'tinyproxy'))('the way to a server over TLS', () => {
  let folder: TempDir
  let authority: Authority
  let ca: string
  let tls: { cert: string; key: string }

  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
    ca = await readFile(authority.certificate, 'utf8')
    const names = ['IP:0.0.0.0', 'IP:127.0.0.1', 'DNS:registry.example']
    tls = await readKeyPair(await authority.issue('server', { usage: 'server', names }))
  })
  afterAll(() => folder.remove())

  it('tells what was agreed upon, and whose certificates those are', async () => {
    await using server = await startRawServer(silent, { tls: { ...tls, ALPNProtocols: ['h2', 'http/1.1'] } })
    const given = ['', `some text\n${tls.cert}\n${ca}`]
    const probe = await probeConnection(new URL(server.url), { tls: { ca: given } })
    const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
    const fingerprint = expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    expect(probe.tls).toEqual({
      ms: expect.any(Number),
      found: {
        protocol: 'TLSv1.3',
        cipher: expect.stringMatching(/^TLS_/),
        alpn: 'h2',
        chain: [
          {
            subject: 'CN=dray test server',
            issuer: 'CN=dray test authority',
            names: ['0.0.0.0', '127.0.0.1', 'registry.example'],
            validFrom: date,
            validTo: date,
            fingerprint,
          },
          {
            subject: 'CN=dray test authority',
            issuer: 'CN=dray test authority',
            names: [],
            validFrom: date,
            validTo: date,
            fingerprint,
          },
        ],
        anchor: { subject: 'CN=dray test authority', givenIn: 1 },
      },
    })
  })

  it('tells of an old server', async () => {
    await using server = await startRawServer(silent, { tls: { ...tls, maxVersion: 'TLSv1.2' } })
    const { tls: met } = await probeConnection(new URL(server.url), { tls: { ca: [ca] } })
    expect(met?.found).toMatchObject({ protocol: 'TLSv1.2', cipher: expect.stringMatching(/^ECDHE-/) })
    expect(met?.found?.alpn).toBeUndefined()
  })

  it.each([false, true])('shows a certificate that is not accepted (insecure: %s)', async insecure => {
    await using server = await startRawServer(silent, { tls })
    const { tls: met } = await probeConnection(new URL(server.url), { tls: { insecure } })
    expect(met?.found?.fault?.message).toMatch(/unknown authority, "CN=dray test authority"$/)
    expect(met?.found?.chain.map(({ subject }) => subject)).toEqual(['CN=dray test server'])
    expect(met?.found?.anchor).toBeUndefined()
    expect(met?.error?.message).toBe(insecure ? undefined : met?.found?.fault?.message)
  })

  it('ends where there is no TLS', async () => {
    await using server = await startLoopback((_, response) => response.end())
    const { tls: met } = await probeConnection(new URL(server.url.replace('http:', 'https:')))
    expect(met).toEqual({ ms: expect.any(Number), error: expect.objectContaining({ code: 'NETWORK' }) })
    expect(met?.error?.message).toMatch(/it does not speak TLS$/)
  })

  it('is given up where a step takes too long, or nobody wants it any more', async () => {
    await using server = await startRawServer(silent)
    const url = new URL(server.url.replace('http:', 'https:'))
    const { tls: met } = await probeConnection(url, { timeoutMs: 100 })
    expect(met?.error?.code).toBe('TIMEOUT')
    await server.peers[0]?.closed
    const signal = AbortSignal.timeout(50)
    await expect(probeConnection(url, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await server.peers[1]?.closed
  })

  it('goes through a proxy', async () => {
    await using server = await startRawServer(silent, { tls })
    await using proxy = await startTinyproxy({ login: { user: 'ci', password: 'hush' } })
    const url = new URL(server.url.replace('127.0.0.1', '0.0.0.0'))
    const probe = await probeConnection(url, {
      tls: { ca: [ca] },
      proxy: { https: `http://ci:hush@${proxy.host}` },
    })
    expect(probe.proxy).toEqual({ variable: 'HTTPS_PROXY', url: new URL(`http://${proxy.host}`) })
    expect(probe.tcp?.found?.port).toBe(Number(proxy.host.split(':')[1]))
    expect(probe.tunnel).toEqual({ ms: expect.any(Number) })
    expect(probe.tls?.found?.anchor).toMatchObject({ givenIn: 0 })
    expect(proxy.asked()).toEqual([`CONNECT ${url.host}`])

    const refused = await probeConnection(url, { proxy: { https: proxy.host } })
    expect(refused.tunnel?.error?.message).toMatch(/^the proxy .* asks for a user and a password/)
    expect(refused.tls).toBeUndefined()
  })

  it('goes through a proxy that is spoken to over TLS', async () => {
    await using server = await startRawServer(silent, { tls })
    await using proxy = await startForwardProxy(server.url, { tls })
    const url = new URL('https://registry.example/')
    const probe = await probeConnection(url, { tls: { ca: [ca] }, proxy: { https: proxy.url } })
    expect(probe.tls?.found?.chain[0]?.subject).toBe('CN=dray test server')
    const stranger = await probeConnection(url, { proxy: { https: proxy.url } })
    expect(stranger.tunnel?.error?.message).toMatch(/^cannot reach the proxy .*unknown authority/)
  })

  it('names the proxy where that is at fault, and the server where that is', async () => {
    const url = new URL('https://registry.example/')
    const https = `http://127.0.0.1:${await freePort()}`
    const gone = await probeConnection(url, { proxy: { https } })
    expect(gone.tcp?.error?.message).toMatch(
      /^cannot reach the proxy .* \(HTTPS_PROXY\): connection refused$/,
    )
    await using server = await startRawServer(silent, { tls })
    await using proxy = await startForwardProxy(server.url)
    const strange = await probeConnection(url, { proxy: { https: proxy.url } })
    expect(strange.tls?.error?.message).toMatch(/^cannot reach registry\.example: its certificate/)
    await expect(probeConnection(url, { proxy: { https: 'ftp://x' } })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })
})

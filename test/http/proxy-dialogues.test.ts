import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts'
import { NetworkError } from '../../src/http/network-error.ts'
import { isTransientError } from '../../src/http/retry.ts'
import { createTransport, type TransportOptions } from '../../src/http/send.ts'
import { type Authority, makeAuthority, readKeyPair } from '../support/certificates.ts'
import { startForwardProxy } from '../support/forward-proxy.ts'
import { freePort } from '../support/free-port.ts'
import { type LoopbackServer, startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { startTinyproxy } from '../support/tinyproxy.ts'
import { bytes, pattern, startRawServer } from './wire/raw-server.ts'

/** To this system 0.0.0.0 is itself, but it is not the loopback that proxies are never asked for. */
const beyondLoopback = (url: string) => url.replace('127.0.0.1', '0.0.0.0')

interface Met {
  readonly ask: (url: string, request?: Partial<HttpRequest>) => Promise<HttpResponse>
}

async function withTransport<Result>(
  options: TransportOptions,
  run: (met: Met) => Promise<Result>,
): Promise<Result> {
  const transport = createTransport(options)
  try {
    return await run({
      ask: (url, request = {}) => transport.send({ method: 'GET', url: new URL(url), ...request }),
    })
  } finally {
    await transport.close()
  }
}

/** What a request fails with: the same one, whether it is small or large. */
async function faultOf(url: string, options: TransportOptions): Promise<NetworkError> {
  return withTransport(options, async ({ ask }) => {
    const errors = []
    for (const isBulk of [false, true]) {
      errors.push(
        await ask(url, { isBulk }).then(
          ({ status }) => `it answered ${status}`,
          (error: unknown) => error,
        ),
      )
    }
    const [small, large] = errors
    if (!(small instanceof NetworkError) || !(large instanceof NetworkError))
      throw new Error(`${small} ${large}`)
    expect([large.message, large.hint, large.fault]).toEqual([small.message, small.hint, small.fault])
    expect(`${small.message}${small.hint}`).not.toMatch(/hush|aHVzaA/)
    return small
  })
}

/** Answers with what it was asked for, and echoes bodies. */
const startEcho = (tls?: { cert: string; key: string }) =>
  startLoopback(
    async (request, response) => {
      const body = await bytes(request)
      response.setHeader('x-target', `${request.method} ${request.url} ${request.headers.host}`)
      response.setHeader('x-login', String(request.headers['proxy-authorization']))
      response.end(body)
    },
    tls === undefined ? {} : { tls },
  )

describe.skipIf(!requirePeers('openssl', 'tinyproxy'))('through a proxy', () => {
  let folder: TempDir
  let authority: Authority
  let ca: string[]
  let tls: { cert: string; key: string }
  let plain: LoopbackServer
  let secure: LoopbackServer

  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
    ca = [await readFile(authority.certificate, 'utf8')]
    const names = ['IP:0.0.0.0', 'IP:127.0.0.1', 'DNS:registry.example']
    tls = await readKeyPair(await authority.issue('server', { usage: 'server', names }))
    plain = await startEcho()
    secure = await startEcho(tls)
  })
  afterAll(async () => {
    await plain.stop()
    await secure.stop()
    await folder.remove()
  })

  describe.each([
    ['without a login', undefined, ''],
    ['with a login in its URL', { user: 'ci', password: 'hush' }, 'c%69:hush@'],
  ])('that is real, %s,', (_, login, userinfo) => {
    const content = pattern(3_000_000)
    const upload = { method: 'PUT', body: { length: content.length, open: async () => [content] } } as never

    it('plain HTTP is forwarded', async () => {
      await using proxy = await startTinyproxy({ login })
      const url = `${beyondLoopback(plain.url)}/v2/?a=b`
      await withTransport({ proxy: { http: `http://${userinfo}${proxy.host}` } }, async ({ ask }) => {
        for (const isBulk of [false, true]) {
          const { headers, body } = await ask(url, { isBulk })
          expect(headers.get('x-target')).toBe(`GET /v2/?a=b ${new URL(url).host}`)
          expect(headers.get('x-login')).toBe('undefined')
          await bytes(body)
        }
        expect((await bytes((await ask(url, upload)).body)).equals(content)).toBe(true)
      })
      expect(proxy.asked()).toEqual([`GET ${url}`, `GET ${url}`, `PUT ${url}`])
    })

    it('HTTPS goes through tunnels', async () => {
      await using proxy = await startTinyproxy({ login })
      const url = `${beyondLoopback(secure.url)}/v2/`
      const settings = { tls: { ca }, proxy: { https: `http://${userinfo}${proxy.host}` } }
      await withTransport(settings, async ({ ask }) => {
        for (const isBulk of [false, true]) {
          const { headers, body } = await ask(url, { isBulk })
          expect(headers.get('x-target')).toBe(`GET /v2/ ${new URL(url).host}`)
          expect(headers.get('x-login')).toBe('undefined')
          await bytes(body)
        }
        expect((await bytes((await ask(url, upload)).body)).equals(content)).toBe(true)
      })
      // One for small requests, and one for large ones, which is used again.
      expect(proxy.asked()).toEqual(Array(2).fill(`CONNECT ${new URL(url).host}`))
    })
  })

  it('that wants a login and gets none, or a wrong one, what to do is told', async () => {
    await using proxy = await startTinyproxy({ login: { user: 'ci', password: 'right' } })
    for (const [variable, server] of [
      ['HTTP_PROXY', plain],
      ['HTTPS_PROXY', secure],
    ] as const) {
      const url = beyondLoopback(server.url)
      const through = (proxyUrl: string) => ({ tls: { ca }, proxy: { http: proxyUrl, https: proxyUrl } })
      const none = await faultOf(url, through(`http://${proxy.host}`))
      expect(none).toMatchObject({
        code: 'NETWORK',
        message: `the proxy ${proxy.host} (${variable}) asks for a user and a password (407)`,
        hint: `put them into ${variable}, in front of the host, with a colon between and an @ behind them`,
      })
      expect(isTransientError(none)).toBe(false)
    }
    const wrong = await faultOf(beyondLoopback(secure.url), {
      proxy: { https: `http://ci:hush@${proxy.host}` },
    })
    expect(wrong.message).toBe(
      `the proxy ${proxy.host} (HTTPS_PROXY) does not accept the user and the password in its URL`,
    )
    expect(wrong.hint).toMatch(/check HTTPS_PROXY.*%40/)
  })

  it('that does not allow a tunnel, its status is told', async () => {
    await using proxy = await startTinyproxy({ connectPorts: [443] })
    const fault = await faultOf(beyondLoopback(secure.url), { proxy: { https: proxy.host } })
    const { host } = new URL(beyondLoopback(secure.url))
    expect(fault.message).toBe(
      `cannot reach ${host}: the proxy ${proxy.host} (HTTPS_PROXY) does not connect to it, and answers 403`,
    )
    expect(fault.hint).toMatch(/may not allow.*NO_PROXY/)
    expect(isTransientError(fault)).toBe(false)
  })

  it('that cannot reach the registry, its status is told', async () => {
    await using proxy = await startTinyproxy()
    const url = `https://0.0.0.0:${await freePort()}/`
    const fault = await faultOf(url, { proxy: { https: proxy.host } })
    expect(fault.message).toMatch(
      /^cannot reach 0\.0\.0\.0:\d+: the proxy .* does not connect to it, and answers 500$/,
    )
    expect(isTransientError(fault)).toBe(false)
  })

  it('the certificate is that of the registry', async () => {
    await using proxy = await startForwardProxy(secure.url)
    const proxied = { proxy: { https: proxy.url } }
    expect((await faultOf('https://registry.example/', proxied)).message).toMatch(
      /^cannot reach registry\.example: its certificate is signed by an unknown authority, "CN=dray test authority"$/,
    )
    expect((await faultOf('https://other.example/', { tls: { ca }, ...proxied })).message).toMatch(
      /^cannot reach other\.example: its certificate is for another name: .*, not "other\.example"$/,
    )
    expect(proxy.asked).toContain('CONNECT registry.example:443')
    await withTransport({ tls: { ca }, ...proxied }, async ({ ask }) => {
      expect((await ask('https://registry.example/')).status).toBe(200)
    })
  })

  it('to which TLS is spoken, plain HTTP and HTTPS go, with the same authorities', async () => {
    for (const [server, url] of [
      [plain, 'http://registry.example/v2/'],
      [secure, 'https://registry.example/v2/'],
    ] as const) {
      await using proxy = await startForwardProxy(server.url, { tls })
      const login = proxy.url.replace('://', '://ci:p%40ss%25@')
      const proxied = { proxy: { http: login, https: login } }
      await withTransport({ tls: { ca }, ...proxied }, async ({ ask }) => {
        for (const isBulk of [false, true]) {
          const { headers, body } = await ask(url, { isBulk })
          expect(headers.get('x-target')).toBe('GET /v2/ registry.example')
          await bytes(body)
        }
      })
      const asked = url.startsWith('http:') ? `GET ${url}` : 'CONNECT registry.example:443'
      expect(proxy.asked).toEqual([asked, asked])
      expect(proxy.logins).toEqual(Array(2).fill(`Basic ${Buffer.from('ci:p@ss%').toString('base64')}`))
      expect((await faultOf(url, proxied)).message).toMatch(
        /^cannot reach the proxy 127\.0\.0\.1:\d+ \(HTTPS?_PROXY\): its certificate is signed by an unknown authority/,
      )
    }
  })
})

describe('a proxy', () => {
  const registries = [
    ['HTTP_PROXY', 'http://registry.example/'],
    ['HTTPS_PROXY', 'https://registry.example/'],
  ] as const

  it.each(registries)('of %s that is not there is told, and not the registry', async (variable, url) => {
    const proxy = `http://ci:hush@127.0.0.1:${await freePort()}`
    const fault = await faultOf(url, { proxy: { http: proxy, https: proxy } })
    expect(fault).toMatchObject({
      fault: 'unreachable',
      message: `cannot reach the proxy ${new URL(proxy).host} (${variable}): connection refused`,
      hint: expect.stringContaining(`check ${variable}`),
    })
  })

  it('whose name is not known is told', async () => {
    const proxy = `http://${'a'.repeat(64)}.example:3128`
    expect((await faultOf('https://registry.example/', { proxy: { https: proxy } })).message).toMatch(
      /^cannot reach the proxy a+\.example:3128 \(HTTPS_PROXY\): the host name is not known$/,
    )
  })

  it.each([
    ['speaks another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'it does not answer in HTTP'],
    ['says nothing', '', 'the other side closed the connection'],
    ['breaks off in its answer', 'HTTP/1.1 200', 'the other side closed the connection'],
    ['says too much', 'HTTP/1.1 200 OK\r\n\r\nhello', 'the other side closed the connection'],
    [
      'answers endlessly',
      `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(70_000)}`,
      'malformed HTTP: its head is too long',
    ],
  ])('that %s is told', async (_, answer, why) => {
    await using server = await startRawServer(async peer => {
      await peer.request()
      await peer.write(answer)
      peer.socket.end()
    })
    const fault = await faultOf('https://registry.example/', { proxy: { https: server.url } })
    expect(fault.message).toMatch(/^cannot reach the proxy 127\.0\.0\.1:\d+ \(HTTPS_PROXY\): /)
    expect(fault.message).toContain(why)
  })

  it('that is meant to speak TLS and does not is told', async () => {
    await using server = await startLoopback((_, response) => response.end())
    const https = server.url.replace('http:', 'https:')
    const fault = await faultOf('https://registry.example/', { proxy: { https } })
    expect(fault.message).toMatch(/^cannot reach the proxy .* \(HTTPS_PROXY\): it does not speak TLS$/)
    expect(fault.hint).not.toMatch(/--plain-http/)
  })

  it.each([
    [
      'asks for a login that cannot be given',
      '407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM',
      /asks for a login by Negotiate, NTLM \(407\)$/,
    ],
    [
      'asks for one of several logins',
      '407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: basic realm="x"',
      /asks for a user and a password \(407\)$/,
    ],
    ['does not say which login it wants', '407 x', /asks for a user and a password \(407\)$/],
    ['does not know the login', '407 x', /does not accept the user and the password in its URL$/],
    ['has no way there', '502 Bad Gateway', /does not connect to it, and answers 502$/],
    ['waits in vain', '504 Gateway Timeout', /does not connect to it, and answers 504$/],
    ['redirects', '302 Found\r\nLocation: http://login.example/', /does not connect to it, and answers 302$/],
  ])('that %s is told', async (_, head, message) => {
    await using server = await startRawServer(async peer => {
      await peer.request()
      await peer.write(`HTTP/1.1 ${head}\r\nContent-Length: 5\r\n\r\nhello`)
    })
    const login = String(message).includes('does not accept') ? 'ci:hush@' : ''
    const https = server.url.replace('://', `://${login}`)
    const fault = await faultOf('https://registry.example/', { proxy: { https } })
    expect(fault.message).toMatch(message)
    expect(fault.fault).toBe(head.startsWith('504') ? 'timeout' : 'unreachable')
  })

  it.each(['201 Created', '204 No Content\r\nX-Why: because'])('may open a tunnel with %s', async head => {
    await using server = await startRawServer(async peer => {
      await peer.request()
      await peer.write(`HTTP/1.1 ${head}\r\n\r\n`)
      await peer.read(1)
      await peer.write('220 smtp.example\r\n')
    })
    // What comes of it is the registry's affair.
    const fault = await faultOf('https://registry.example/', { proxy: { https: server.url } })
    expect(fault.message).toBe('cannot reach registry.example: it does not speak TLS')
  })

  it('that does not connect in time is told', async () => {
    await using server = await startRawServer(peer => peer.request())
    const fault = await faultOf('https://registry.example/', {
      proxy: { https: server.url },
      connectTimeoutMs: 50,
    })
    expect(fault).toMatchObject({
      code: 'TIMEOUT',
      message: /\(HTTPS_PROXY\) did not connect to it in time$/,
    })
    for (const peer of server.peers) await peer.closed
  })

  it('is not waited for once that is of no use', async () => {
    for (const isBulk of [false, true]) {
      const controller = new AbortController()
      await using server = await startRawServer(async peer => {
        await peer.request()
        controller.abort()
      })
      const { signal } = controller
      await withTransport({ signal, proxy: { https: server.url } }, async ({ ask }) => {
        await expect(ask('https://registry.example/', { isBulk })).rejects.toMatchObject({ code: 'ABORTED' })
      })
      await server.peers[0]?.closed
    }
  })

  it('that makes no sense is wrong usage, as soon as it is needed', async () => {
    await using server = await startLoopback((_, response) => response.end('hello'))
    await withTransport({ proxy: { http: 'a secret place', https: 'ftp://host' } }, async ({ ask }) => {
      await (await ask(server.url)).discard()
      for (const [variable, url] of registries) {
        for (const isBulk of [false, true]) {
          await expect(ask(url, { isBulk })).rejects.toMatchObject({
            code: 'USAGE',
            message: `${variable} is not the URL of an HTTP proxy`,
          })
        }
      }
    })
  })
})

import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates, type TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NetworkError } from '../../src/http/network-error.ts'
import { isTransientError } from '../../src/http/retry.ts'
import { createTransport } from '../../src/http/send.ts'
import type { TlsSettings } from '../../src/http/tls.ts'
import { type Authority, makeAuthority, makeSelfSigned, readKeyPair } from '../support/certificates.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { type Peer, type RawServer, startRawServer } from './wire/raw-server.ts'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const answer = async (peer: Peer) => {
  await peer.request()
  await peer.write(hello)
}

/** What a request fails with: the same one, whether it is small or large. */
async function faultOf(url: string, tls: TlsSettings = {}): Promise<NetworkError> {
  const transport = createTransport({ tls })
  const meet = (isBulk: boolean) =>
    transport.send({ method: 'GET', url: new URL(url), isBulk }).then(
      async response => {
        await response.discard()
        throw new Error(`it answered ${response.status}`)
      },
      (error: unknown) => error,
    )
  const [small, large] = [await meet(false), await meet(true)]
  await transport.close()
  if (!(small instanceof NetworkError) || !(large instanceof NetworkError)) throw small
  expect([large.message, large.hint, large.fault]).toEqual([small.message, small.hint, small.fault])
  return small
}

describe.skipIf(!requirePeers('openssl'))('over TLS', () => {
  let folder: TempDir
  let authority: Authority
  let ca: string[]
  let tls: TlsOptions

  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
    ca = [await readFile(authority.certificate, 'utf8')]
    tls = await readKeyPair(await authority.issue('server', { usage: 'server' }))
  })
  afterAll(() => folder.remove())

  const certificate = async (
    name: string,
    options: { names?: string[]; from?: string; to?: string } = {},
  ) => {
    const { names, from, to } = options
    const validity = from && to ? { from: new Date(from), to: new Date(to) } : undefined
    return readKeyPair(await authority.issue(name, { usage: 'server', names, validity }))
  }

  it('the usual roots are trusted beside an authority that is named', async () => {
    const other = await makeAuthority(await mkdtemp(join(folder.path, 'other-')))
    const named = await readFile(other.certificate, 'utf8')
    await using server = await startLoopback((_, response) => response.end(), {
      tls: await certificate('usual'),
    })
    const usual = getCACertificates('default')
    setDefaultCACertificates([...usual, ...ca])
    try {
      const transport = createTransport({ tls: { ca: [named] } })
      const response = await transport.send({ method: 'GET', url: new URL(server.url) })
      await response.discard()
      expect(response.status).toBe(200)
      await transport.close()
    } finally {
      setDefaultCACertificates(usual)
    }
  })

  it('an authority that is not known is named', async () => {
    await using server = await startRawServer(answer, { tls })
    const fault = await faultOf(server.url)
    expect(fault.fault).toBe('refused-tls')
    expect(fault.message).toBe(
      `cannot reach ${server.host}: its certificate is signed by an unknown authority, "CN=dray test authority"`,
    )
    expect(fault.hint).toMatch(/--ca-file FILE.*certs\.d.*--insecure/)
  })

  it('so is one that sends its own certificate along', async () => {
    await using server = await startRawServer(answer, { tls: { ...tls, cert: `${tls.cert}${ca[0]}` } })
    expect((await faultOf(server.url)).message).toMatch(/unknown authority, "CN=dray test authority"$/)
  })

  it('a certificate that signed itself is told as such', async () => {
    const pair = await readKeyPair(await makeSelfSigned(folder.path, 'selfsigned'))
    await using server = await startRawServer(answer, { tls: pair })
    const fault = await faultOf(server.url)
    expect(fault.message).toMatch(/: its certificate is self-signed$/)
    expect(fault.hint).toMatch(/--ca-file FILE/)
    // The hint is good advice.
    const transport = createTransport({ tls: { ca: [pair.cert] } })
    const response = await transport.send({ method: 'GET', url: new URL(server.url) })
    await response.discard()
    await transport.close()
  })

  it('a certificate that has expired tells when', async () => {
    const expired = await certificate('expired', { from: '2020-01-02T00:00:00Z', to: '2020-02-03T00:00:00Z' })
    await using server = await startRawServer(answer, { tls: expired })
    const fault = await faultOf(server.url, { ca })
    expect(fault.message).toMatch(/: its certificate has expired \(on 2020-02-03\)$/)
    expect(fault.hint).toMatch(/clock/)
  })

  it('a certificate that is not yet valid tells from when on it is', async () => {
    const early = await certificate('early', { from: '2048-01-02T00:00:00Z', to: '2049-01-01T00:00:00Z' })
    await using server = await startRawServer(answer, { tls: early })
    const fault = await faultOf(server.url, { ca })
    expect(fault.message).toMatch(/: its certificate is not yet valid \(before 2048-01-02\)$/)
    expect(fault.hint).toMatch(/clock/)
  })

  it('a certificate for other names tells them', async () => {
    const names = ['DNS:registry.example', 'DNS:*.cdn.example', 'IP:192.0.2.7']
    await using server = await startRawServer(answer, { tls: await certificate('elsewhere', { names }) })
    expect((await faultOf(server.url, { ca })).message).toBe(
      `cannot reach ${server.host}: its certificate is for another name: "registry.example", "*.cdn.example", "192.0.2.7", not "127.0.0.1"`,
    )
    const url = server.url.replace('127.0.0.1', 'localhost')
    expect((await faultOf(url, { ca })).message).toMatch(/, not "localhost"$/)
  })

  it('a certificate for many names tells some', async () => {
    const names = Array.from({ length: 7 }, (_, at) => `DNS:r${at}.example`)
    await using server = await startRawServer(answer, { tls: await certificate('many', { names }) })
    expect((await faultOf(server.url, { ca })).message).toMatch(/"r4\.example" and 2 more, not "127/)
  })

  describe('a server that wants a client certificate', () => {
    const strictly = async (
      maxVersion: 'TLSv1.2' | 'TLSv1.3',
      meet: (server: RawServer) => Promise<NetworkError>,
    ) => {
      const options = { ...tls, ca, requestCert: true, rejectUnauthorized: true, maxVersion }
      await using server = await startRawServer(answer, { tls: options })
      return await meet(server)
    }

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('and gets none says so over %s', async version => {
      const fault = await strictly(version, server => faultOf(server.url, { ca }))
      expect(fault).toMatchObject({ code: 'NETWORK', fault: 'refused-tls' })
      expect(fault.message).toMatch(
        version === 'TLSv1.3' ? /it wants a client certificate$/ : /it broke off the TLS handshake$/,
      )
      expect(fault.hint).toMatch(/client certificate|give one/)
      expect(fault.hint).toMatch(/--cert-file and --key-file/)
      expect(isTransientError(fault)).toBe(false)
    })
  })
})

describe.skipIf(!requirePeers('openssl', 'docker-registry'))(
  'a registry that wants a client certificate',
  () => {
    it('and gets one of a stranger, or none, says so in one way', async () => {
      await using folder = await makeTempDir()
      const authority = await makeAuthority(folder.path)
      const ca = [await readFile(authority.certificate, 'utf8')]
      const server = await authority.issue('server', { usage: 'server' })
      await using registry = await startDockerRegistry({
        tls: { ...server, clientAuthority: authority.certificate },
      })
      const stranger = await readKeyPair(await makeSelfSigned(folder.path, 'stranger'))
      for (const shown of [stranger, {}]) {
        const fault = await faultOf(`${registry.url}/v2/`, { ca, ...shown })
        expect(fault.message).toMatch(/does not accept the client certificate, or that there is none$/)
        expect(isTransientError(fault)).toBe(false)
      }
    })
  },
)

describe('a server of another kind is told in the same words for small and large requests', () => {
  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'unreachable', /: it does not answer in HTTP$/],
    ['TLS', '\x15\x03\x01\x00\x02\x02\x46', 'refused-tls', /: it speaks TLS, and was asked in plain HTTP$/],
  ])('that speaks %s', async (_, greeting, fault, message) => {
    await using server = await startRawServer(async peer => {
      await peer.request()
      await peer.write(greeting)
      peer.socket.end()
    })
    expect(await faultOf(server.url)).toMatchObject({ fault, message })
  })
})

describe('an answer that is about the connection, not the request', () => {
  const page = (title: string) => `<html><head><title>${title}</title></head></html>`

  it.each([
    ['400 No required SSL certificate was sent', /it wants a client certificate$/],
    ['400 The SSL certificate error', /does not accept the client certificate/],
    ['400 The plain HTTP request was sent to HTTPS port', /it speaks TLS, and was asked in plain HTTP$/],
    ['Client sent an HTTP request to an HTTPS server.', /it speaks TLS, and was asked in plain HTTP$/],
  ])('%s', async (title, message) => {
    await using server = await startLoopback((_, response) => {
      response.writeHead(400, { 'content-type': 'text/html' }).end(page(title))
    })
    const fault = await faultOf(server.url)
    expect(fault).toMatchObject({ fault: 'refused-tls', message, hint: expect.stringContaining('--') })
    const transport = createTransport()
    await expect(
      transport.send({ method: 'HEAD', url: new URL(server.url) }),
      'its body is asked for',
    ).rejects.toMatchObject({ message: fault.message })
    await transport.close()
  })

  it.each([
    ['HTML', 'text/html', page('400 Bad Request')],
    [
      'JSON that only quotes it',
      'application/json',
      '{"errors":[{"message":"No required SSL certificate was sent"}]}',
    ],
  ])('is not any other 400, in %s', async (_, type, body) => {
    const asked: (string | undefined)[] = []
    await using server = await startLoopback((request, response) => {
      asked.push(request.method)
      response.writeHead(400, { 'content-type': type }).end(body)
    })
    const transport = createTransport()
    const url = new URL(server.url)
    const response = await transport.send({ method: 'GET', url })
    let text = ''
    for await (const piece of response.body) text += Buffer.from(piece).toString()
    expect([response.status, text]).toEqual([400, body])
    expect((await transport.send({ method: 'HEAD', url })).status).toBe(400)
    expect(asked).toEqual(type === 'text/html' ? ['GET', 'HEAD', 'GET'] : ['GET', 'HEAD'])
    await transport.close()
  })
})

import { readFile } from 'node:fs/promises'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DrayError } from '../../../src/errors.ts'
import { createTransport } from '../../../src/http/send.ts'
import { type TlsSettings, tlsOptions } from '../../../src/http/tls.ts'
import { type Authority, makeAuthority, readKeyPair } from '../../support/certificates.ts'
import { requirePeers } from '../../support/peers.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'
import { meet, type Peer, startRawServer, text } from './raw-server.ts'

/** Answers each request with what the server knows of the connection. */
async function tell(peer: Peer): Promise<void> {
  const socket = peer.socket as TLSSocket & { servername?: string | false }
  for (;;) {
    await peer.request()
    const said = JSON.stringify({
      number: peer.number,
      servername: socket.servername,
      isReused: socket.isSessionReused(),
      client: socket.getPeerCertificate().subject?.CN,
      protocol: socket.alpnProtocol,
    })
    await peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${said.length}\r\n\r\n${said}`)
  }
}

describe.skipIf(!requirePeers('openssl'))('over TLS', () => {
  let folder: TempDir
  let authority: Authority
  let tls: TlsOptions
  let ca: string[]

  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
    tls = await readKeyPair(await authority.issue('server', { usage: 'server' }))
    ca = [await readFile(authority.certificate, 'utf8')]
  })
  afterAll(() => folder.remove())

  const trusting = (settings: TlsSettings = {}) => {
    const options = tlsOptions({ ca, ...settings })
    return { wire: { tls: () => options } }
  }

  it('the server is told its name, where it has one, and HTTP/1.1', async () => {
    await using meeting = await meet(tell, {
      tls: { ...tls, ALPNProtocols: ['h2', 'http/1.1'] },
      ...trusting(),
    })
    const byAddress = JSON.parse(await text((await meeting.ask()).body))
    expect(byAddress).toMatchObject({ servername: false, protocol: 'http/1.1' })
    const url = new URL(meeting.server.url.replace('127.0.0.1', 'localhost'))
    const byName = JSON.parse(await text((await meeting.wire.send({ method: 'GET', url })).body))
    expect(byName).toMatchObject({ servername: 'localhost' })
  })

  it('a client certificate is shown where one is wanted', async () => {
    const pair = await readKeyPair(await authority.issue('client', { usage: 'client' }))
    const strict = { ...tls, requestCert: true, rejectUnauthorized: true, ca }
    await using meeting = await meet(tell, { tls: strict, ...trusting(pair) })
    expect(JSON.parse(await text((await meeting.ask()).body)).client).toBe('dray test client')
    await using without = await meet(tell, { tls: strict, ...trusting() })
    await expect(without.ask()).rejects.toMatchObject({ code: 'NETWORK' })
  })

  it('any certificate is accepted when that is wanted', async () => {
    await using meeting = await meet(tell, { tls, wire: { tls: () => tlsOptions({ insecure: true }) } })
    expect((await meeting.ask()).status).toBe(200)
  })

  it.each<[what: string, settings: () => TlsSettings, fault: string]>([
    ['an authority that is not known', () => ({}), 'refused-tls'],
    ['a certificate for another name', () => ({ ca }), 'refused-tls'],
    ['no TLS', () => ({ ca }), 'refused-tls'],
    ['an end before the handshake', () => ({ ca }), 'broken'],
  ])('%s is refused in the same words as for small requests', async (what, settings, fault) => {
    const elsewhere = await authority.issue('elsewhere', { usage: 'server', names: ['DNS:registry.example'] })
    await using server = await startRawServer(
      async peer => {
        if (what.startsWith('an end')) {
          peer.socket.end()
          return
        }
        if (what !== 'no TLS') return tell(peer)
        await peer.read(1)
        await peer.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      },
      what === 'no TLS' || what.startsWith('an end')
        ? {}
        : { tls: what.includes('another name') ? await readKeyPair(elsewhere) : tls },
    )
    const transport = createTransport({ tls: settings() })
    const url = new URL(server.url.replace('http:', 'https:'))
    const errorOf = async (isBulk: boolean) => {
      const error = await transport.send({ method: 'GET', url, isBulk }).catch((caught: unknown) => caught)
      if (!(error instanceof DrayError)) throw new Error('it was accepted')
      return {
        code: error.code,
        message: error.message,
        hint: error.hint,
        fault: 'fault' in error && error.fault,
      }
    }
    const small = await errorOf(false)
    expect(small.fault).toBe(fault)
    expect(await errorOf(true)).toEqual(small)
    await transport.close()
  })

  it('a second connection to an origin goes on with the session of the first', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      await using meeting = await meet(tell, { tls: { ...tls, maxVersion }, ...trusting() })
      const ask = async () => JSON.parse(await text((await meeting.ask()).body))
      expect(await ask()).toMatchObject({ number: 1, isReused: false })
      const both = await Promise.all([meeting.ask(), meeting.ask()])
      const told = await Promise.all(both.map(async ({ body }) => JSON.parse(await text(body))))
      expect(told).toMatchObject([
        { number: 1, isReused: false },
        { number: 2, isReused: true },
      ])
    }
  })

  it('a session is of no use for another origin, whose certificate is looked at anew', async () => {
    const elsewhere = await authority.issue('other', { usage: 'server', names: ['DNS:registry.example'] })
    await using good = await meet(tell, { tls, ...trusting() })
    await using other = await startRawServer(tell, { tls: await readKeyPair(elsewhere) })
    await text((await good.ask()).body)
    await expect(good.wire.send({ method: 'GET', url: new URL(other.url) })).rejects.toMatchObject({
      message: /its certificate is for another name/,
    })
  })

  it('a server that has forgotten the session is met anew', async () => {
    const ticketKeys = () => crypto.getRandomValues(Buffer.alloc(48))
    await using meeting = await meet(
      async peer => {
        await peer.request()
        const { isReused } = { isReused: (peer.socket as TLSSocket).isSessionReused() }
        await peer.write(
          `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n${String(isReused).padEnd(5)}`,
        )
      },
      { tls: { ...tls, ticketKeys: ticketKeys() }, ...trusting() },
    )
    const ask = async () => (await text((await meeting.ask()).body)).trim()
    expect(await ask()).toBe('false')
    expect(await ask()).toBe('true')
    meeting.server.forget(ticketKeys())
    expect(await ask()).toBe('false')
    expect(await ask()).toBe('true')
  })
})

import { describe, expect, it } from 'vitest'
import { dns, tcp, tls } from '../../src/doctor/steps/connection.ts'
import { proxy } from '../../src/doctor/steps/proxy.ts'
import { DrayError } from '../../src/errors.ts'
import type { TlsFacts } from '../../src/http/probe.ts'
import { type FakePatientOptions, fakePatient } from './fake-patient.ts'

const refused = new DrayError('NETWORK', 'cannot reach registry.example: connection refused')
const through = { url: new URL('http://proxy.example:3128/'), variable: 'HTTPS_PROXY' } as const

const certificate = {
  subject: 'CN=registry.example',
  issuer: 'CN=authority',
  validFrom: '2025-12-01T00:00:00.000Z',
  validTo: '2026-02-01T00:00:00.000Z',
  names: ['registry.example'],
  fingerprint: 'AB:CD',
}

function handshake(facts: Partial<TlsFacts> = {}): FakePatientOptions {
  const found = { protocol: 'TLSv1.3', cipher: 'c', alpn: 'h2', chain: [certificate], ...facts }
  return { probed: { tls: { ms: 7, found } } }
}

describe('the step proxy', () => {
  const found = async (url: string, settings: object) => {
    const meeting = { url: new URL(url), connection: { proxy: settings } }
    return proxy.examine(fakePatient({ meeting }).patient)
  }
  const https = 'http://anna:word@proxy.example:3128'

  it.each([
    ['https://registry.example/', {}, 'none: HTTPS_PROXY is not set'],
    ['http://registry.example/', { https }, 'none: HTTP_PROXY is not set'],
    ['https://localhost:5000/', { https }, 'none: this machine is reached without one'],
    ['https://registry.example/', { https, no: 'a.b, .example' }, 'none: NO_PROXY names .example'],
  ])('says why there is none for %s with %j', async (url, settings, message) =>
    expect(await found(url, settings)).toMatchObject({ status: 'ok', message }),
  )

  it('names it with its variable, and not its password', async () => {
    expect(await found('https://registry.example/', { https })).toEqual({
      status: 'ok',
      message: 'the proxy proxy.example:3128 (HTTPS_PROXY), with a user and a password',
      details: { url: 'http://proxy.example:3128/', variable: 'HTTPS_PROXY', login: true },
    })
  })

  it('fails for one that makes no sense', async () => {
    await expect(found('https://registry.example/', { https: 'socks5://host' })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })
})

describe('the step dns', () => {
  it('shows the addresses of a name', async () => {
    expect(await dns.examine(fakePatient().patient)).toMatchObject({
      status: 'ok',
      message: 'registry.example is 192.0.2.7',
      ms: 1,
    })
  })

  it('says whose name it is where there is a proxy', async () => {
    const probed = {
      proxy: through,
      dns: { ms: 1, found: { host: 'proxy.example', addresses: ['192.0.2.8', '2001:db8::1'] } },
    }
    expect((await dns.examine(fakePatient({ probed }).patient)).message).toBe(
      'proxy.example is 192.0.2.8, 2001:db8::1; this is the proxy, which looks up the registry',
    )
  })

  it('knows an address from a name', async () => {
    const probed = { dns: { ms: 0, found: { host: '192.0.2.7', addresses: ['192.0.2.7'] } } }
    expect((await dns.examine(fakePatient({ probed }).patient)).message).toBe('192.0.2.7 is an address')
  })

  it('fails with what the name service says', async () => {
    const probed = { dns: { ms: 3, error: refused } }
    expect(await dns.examine(fakePatient({ probed }).patient)).toMatchObject({ status: 'failed', ms: 3 })
  })
})

describe('the step tcp', () => {
  it('tells the way through a proxy', async () => {
    const tunnelled = { proxy: through, tunnel: { ms: 5 } }
    expect(await tcp.examine(fakePatient({ probed: tunnelled }).patient)).toMatchObject({
      message:
        'connected to 192.0.2.7 port 443 in 7 ms, the proxy proxy.example:3128 (HTTPS_PROXY), which connects to registry.example',
      ms: 7,
    })
    const forwarded = await tcp.examine(fakePatient({ probed: { proxy: through } }).patient)
    expect(forwarded.message).toMatch(/, which forwards requests$/)
  })

  it.each([
    ['the connection', { tcp: { ms: 1, error: refused } }],
    ['the tunnel', { proxy: through, tunnel: { ms: 1, error: refused } }],
  ])('fails with %s', async (_, probed) =>
    expect(await tcp.examine(fakePatient({ probed }).patient)).toMatchObject({
      status: 'failed',
      error: refused,
    }),
  )
})

describe('the step tls', () => {
  it('has nothing to do with plain HTTP', async () => {
    const meeting = { url: new URL('http://registry.example/') }
    expect(await tls.examine(fakePatient({ meeting }).patient)).toMatchObject({ status: 'skipped' })
  })

  it('tells how long the certificate lasts, and who vouches for it', async () => {
    const usual = await tls.examine(fakePatient(handshake({ anchor: { subject: 'CN=Root' } })).patient)
    expect(usual).toMatchObject({
      status: 'ok',
      message:
        'TLSv1.3; its certificate ends 2026-02-01 (31 days left); it goes back to "CN=Root", one of the usual roots',
      ms: 7,
      details: { anchor: { subject: 'CN=Root', file: null }, accepted: true, clientCertificate: false },
    })
    const own = await tls.examine(
      fakePatient({
        ...handshake({ anchor: { subject: 'CN=Own', givenIn: 1 } }),
        meeting: {
          caFiles: [
            { file: '/a.pem', origin: 'SSL_CERT_FILE' },
            { file: '/b.pem', origin: '--ca-file' },
          ],
          connection: { tls: { cert: 'PEM', key: 'PEM' } },
        },
      }).patient,
    )
    expect(own.message).toMatch(/"CN=Own", in \/b\.pem \(--ca-file\); a client certificate is shown to/)
  })

  it('warns of a certificate that soon ends, and of one that nobody looked at', async () => {
    const soon = { chain: [{ ...certificate, validTo: '2026-01-02T12:00:00.000Z' }] }
    expect(await tls.examine(fakePatient(handshake(soon)).patient)).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('(1 day left)'),
    })
    const fault = new DrayError('NETWORK', 'it is self-signed', { hint: 'name it' })
    expect(await tls.examine(fakePatient(handshake({ fault })).patient)).toMatchObject({
      status: 'warning',
      message: 'TLSv1.3, without a check of the certificate: it is self-signed',
      hint: 'name it',
      details: { accepted: false },
    })
  })

  it('fails with the certificate in its details', async () => {
    const { probed } = handshake()
    const failing = { tls: { ...probed?.tls, ms: 1, error: refused } }
    expect(await tls.examine(fakePatient({ probed: failing }).patient)).toMatchObject({
      status: 'failed',
      details: { chain: [certificate] },
    })
  })
})

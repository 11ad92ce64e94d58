import { describe, expect, it } from 'vitest'
import { headersFrom } from '../../src/http/message.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { Registry } from '../../src/registry/registry.ts'
import { registryError } from '../../src/registry/registry-error.ts'
import { isLoopback, registryUrl } from '../../src/registry/registry-url.ts'
import { uploadLocation, withDigest } from '../../src/registry/upload-session.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { fakeSend } from '../support/fake-send.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'

describe('a registry is met', () => {
  it.each<[registry: string, plainHttp: boolean | undefined, url: string]>([
    ['docker.io', undefined, 'https://registry-1.docker.io/'],
    ['ghcr.io', undefined, 'https://ghcr.io/'],
    ['reg.example:5000', undefined, 'https://reg.example:5000/'],
    ['reg.example', true, 'http://reg.example/'],
    ['localhost', undefined, 'http://localhost/'],
    ['localhost:5000', undefined, 'http://localhost:5000/'],
    ['localhost:5000', false, 'https://localhost:5000/'],
    ['127.0.0.1:5000', undefined, 'http://127.0.0.1:5000/'],
    ['[::1]:5000', undefined, 'http://[::1]:5000/'],
    ['[2001:db8::1]:5000', undefined, 'https://[2001:db8::1]:5000/'],
    ['10.0.0.1:5000', undefined, 'https://10.0.0.1:5000/'],
  ])('as %s (plain HTTP: %s) at %s', (registry, plainHttp, url) => {
    expect(registryUrl(registry, plainHttp).href).toBe(url)
  })

  it.each([
    ['localhost', true],
    ['localhost:5000', true],
    ['127.0.0.1', true],
    ['127.255.0.3:80', true],
    ['[::1]', true],
    ['[::1]:5000', true],
    ['localhost.example', false],
    ['xlocalhost', false],
    ['127.0.0.1.example', false],
    ['127.0.0', false],
    ['128.0.0.1', false],
    ['[::2]', false],
    ['reg.example', false],
  ])('%s on loopback: %s', (registry, expected) => {
    expect(isLoopback(registry)).toBe(expected)
  })

  it('with a User-Agent and the headers of its own, which no other origin gets', async () => {
    const fake = fakeSend([
      { status: 401, headers: { 'www-authenticate': 'Bearer realm="https://auth.example/token"' } },
      { body: '{"token":"t"}' },
      { status: 307, headers: { location: 'https://cdn.example/x' } },
      {},
    ])
    const registry = new Registry({
      registry: 'reg.example',
      send: fake.send,
      headers: { 'x-tenant': 'a' },
      userAgent: 'dray/1.2.3',
      clock: fakeClock(),
    })
    await registry
      .repository('app')
      .resolve(digestOf('x'))
      .catch(() => undefined)
    expect(
      fake.requests
        .slice(0, 4)
        .map(({ url, headers }) => [
          url.host,
          headers?.['user-agent'],
          headers?.['x-tenant'],
          headers?.authorization,
        ]),
    ).toEqual([
      ['reg.example', 'dray/1.2.3', 'a', undefined],
      ['auth.example', 'dray/1.2.3', undefined, undefined],
      ['reg.example', 'dray/1.2.3', 'a', 'Bearer t'],
      ['cdn.example', 'dray/1.2.3', undefined, undefined],
    ])
  })

  it('with the headers of its own where it asks for a challenge and a token, but for the login it has', async () => {
    const fake = fakeSend([
      { status: 401 },
      { status: 401, headers: { 'www-authenticate': 'Bearer realm="/token"' } },
      { body: '{"token":"t"}' },
      {},
    ])
    const registry = new Registry({
      registry: 'reg.example',
      send: fake.send,
      headers: { 'x-gate': 'a', authorization: 'Own b', 'user-agent': 'c' },
      clock: fakeClock(),
    })
    await registry
      .repository('app')
      .resolve(digestOf('x'))
      .catch(() => undefined)
    expect(
      fake.requests
        .slice(0, 4)
        .map(({ url, headers }) => [
          url.pathname.split('/', 3).join('/'),
          headers?.['x-gate'],
          headers?.authorization,
          headers?.['user-agent'],
        ]),
    ).toEqual([
      ['/v2/app', 'a', 'Own b', 'c'],
      ['/v2/', 'a', 'Own b', 'c'],
      ['/token', 'a', 'Own b', 'c'],
      ['/v2/app', 'a', 'Bearer t', 'c'],
    ])
  })

  it('without a credential and headers of its own at the place of an upload on another origin', async () => {
    const basic = { status: 401, headers: { 'www-authenticate': 'Basic' } }
    const fake = fakeSend([
      basic,
      { status: 202, headers: { location: 'https://storage.example/u' } },
      { status: 201 },
    ])
    const registry = new Registry({
      registry: 'reg.example',
      send: fake.send,
      findCredential: async () => ({ kind: 'basic', username: 'anna', password: 'x' }),
      headers: { 'x-tenant': 'a' },
      clock: fakeClock(),
    })
    const { bytes, descriptor } = sampleBlob('layer')
    await registry.repository('app').putBlob(descriptor, async () => chunksOf(bytes))
    expect(
      fake.requests.map(({ headers }) => [headers?.['x-tenant'], headers?.authorization !== undefined]),
    ).toEqual([
      ['a', false],
      ['a', true],
      [undefined, false],
    ])
  })

  it('until its signal ends it, also while it waits', async () => {
    const controller = new AbortController()
    const fake = fakeSend(() => {
      controller.abort()
      return { status: 503 }
    })
    const { signal } = controller
    const registry = new Registry({ registry: 'reg.example', send: fake.send, clock: fakeClock(), signal })
    await expect(registry.repository('app').resolve('v1')).rejects.toMatchObject({ code: 'ABORTED' })
    expect(fake.requests).toHaveLength(1)
  })
})

describe('the location of an upload', () => {
  const respond = (location: string | undefined, base = 'https://h:5000/v2/app/blobs/uploads/') => ({
    status: 202,
    headers: headersFrom({ location }),
    url: new URL(base),
    body: (async function* () {})(),
    discard: async () => {},
  })

  it.each([
    ['absolute', 'https://h:5000/u/1?a=b', 'https://h:5000/u/1?a=b'],
    ['relative', '/u/1', 'https://h:5000/u/1'],
    ['at another host', 'https://storage.example/u/1', 'https://storage.example/u/1'],
    ['on plain http behind a proxy that ends TLS', 'http://h:5000/u/1', 'https://h:5000/u/1'],
    ['on plain http at the usual port', 'http://h/u/1', 'https://h/u/1'],
  ])('is taken when it is %s', (_, location, expected) => {
    expect(uploadLocation(respond(location), 'app').href).toBe(expected)
  })

  it('may be on plain http where the registry is', () => {
    expect(uploadLocation(respond('http://other/u', 'http://h/v2/'), 'app').href).toBe('http://other/u')
  })

  it.each([
    ['is missing', undefined, 'REGISTRY'],
    ['is empty', '', 'REGISTRY'],
    ['is no URL', 'https://', 'REGISTRY'],
    ['is on plain http at another host', 'http://other/u', 'NETWORK'],
    ['is not HTTP', 'ftp://h/u', 'NETWORK'],
  ])('is refused when it %s', (_, location, code) => {
    expect(() => uploadLocation(respond(location), 'app')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/^cannot upload app: /) }),
    )
  })

  it.each([
    ['https://h/u', 'https://h/u?digest=sha256%3A'],
    ['https://h/u?', 'https://h/u?digest=sha256%3A'],
    ['https://h/u?_state=a%2Bb', 'https://h/u?_state=a%2Bb&digest=sha256%3A'],
  ])('gets the digest behind its query: %s', (location, expected) => {
    const descriptor: Descriptor = { mediaType: '', digest: digestOf(''), size: 0 }
    const before = new URL(location)
    expect(withDigest(before, descriptor).href).toBe(`${expected}${descriptor.digest.slice(7)}`)
    expect(before.href).toBe(location)
  })
})

describe('an error answer is one line', () => {
  const error = async (
    status: number,
    body: string,
    headers: Record<string, string> = {},
    url = 'https://h/v2/',
  ) =>
    registryError(
      await fakeSend([{ status, body, headers }]).send({ method: 'GET', url: new URL(url) }),
      'read x',
    )

  it.each<[status: number, body: string, code: string, message: string]>([
    [
      404,
      '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
      'NOT_FOUND',
      'manifest unknown (404 MANIFEST_UNKNOWN)',
    ],
    [
      404,
      '{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}',
      'NOT_FOUND',
      'artifact not found (404 NOT_FOUND)',
    ],
    [404, '{"errors":[{"code":"DIGEST_INVALID","message":"x"}]}', 'NOT_FOUND', 'x (404 DIGEST_INVALID)'],
    [
      403,
      '{"errors":[{"code":"DENIED","message":"access forbidden"}]}',
      'UNAUTHORIZED',
      'access forbidden (403 DENIED)',
    ],
    [401, '', 'UNAUTHORIZED', 'unauthorized (401)'],
    [405, '', 'UNSUPPORTED', 'method not allowed (405)'],
    [501, '', 'UNSUPPORTED', 'not implemented (501)'],
    [400, '{"errors":[{"code":"DIGEST_INVALID","message":"x"}]}', 'INTEGRITY', 'x (400 DIGEST_INVALID)'],
    [400, '{"errors":[{"code":"NAME_INVALID","message":"x"}]}', 'REGISTRY', 'x (400 NAME_INVALID)'],
    [
      412,
      '{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"not scanned"}]}',
      'REGISTRY',
      'not scanned (412 PROJECTPOLICYVIOLATION)',
    ],
    [429, 'Rate exceeded', 'NETWORK', 'Rate exceeded (429)'],
    [502, '<html><title>502 Bad Gateway</title>', 'NETWORK', '502 Bad Gateway (502)'],
    [503, '{"code":"503","message":"x"}', 'NETWORK', 'x (503)'],
  ])('%i %s', async (status, body, code, message) => {
    expect(await error(status, body)).toMatchObject({ code, status, message: `cannot read x: ${message}` })
  })

  it('that says where a redirect would go', async () => {
    expect((await error(307, '', { location: 'https://cdn/x' })).message).toBe(
      'cannot read x: it redirects to https://cdn/x (307)',
    )
  })

  it.each([
    [401, 'https://h:5000/v2/', '', 'log in with: dray login h:5000'],
    [403, 'https://h/', '', 'the credential in use has no right to this'],
    [429, 'https://h/', '', 'the registry limits requests: log in, wait, or lower --jobs'],
    [
      400,
      'http://h/',
      'Client sent an HTTP request to an HTTPS server.',
      'h speaks TLS: use --no-plain-http, with --ca-file FILE if its CA is a private one',
    ],
    [404, 'https://h/', '', undefined],
  ])('with a hint for %i at %s', async (status, url, body, hint) => {
    expect((await error(status, body, {}, url)).hint).toBe(hint)
  })

  it('that keeps the Retry-After', async () => {
    expect((await error(503, '', { 'retry-after': '5' })).retryAfter).toBe('5')
  })
})

import type { OutgoingHttpHeaders } from 'node:http'
import { describe, expect, it } from 'vitest'
import { parseNetwork } from '../../src/server/trusted-proxies.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'

const users = { check: async () => false }
const auth = { kind: 'token', service: 's', users } as const

/** What the registry takes for the client's address, and where it sends the client for a token. */
async function see(headers: OutgoingHttpHeaders, trustedProxies: readonly string[]) {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  await using registry = await startEmbeddedRegistry({ auth, trustedProxies, onWarning })
  const answer = await registry.ask('GET', '/v2/', { headers: { Host: 'inner.test:5000', ...headers } })
  await registry.ask('GET', '/v2/', { headers })
  const { remoteAddress } = await registry.ended(() => true)
  const [, realm] = /realm="([^"]*)"/.exec(answer.headers['www-authenticate'] ?? '') ?? []
  return { remoteAddress, realm, warnings }
}

describe('a proxy that is trusted', () => {
  const proxies = ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32']

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['203.0.113.9, 192.0.2.1', '192.0.2.1'],
    ['203.0.113.9, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1, [2001:db8::5]:99,10.1.2.3', '192.0.2.1'],
    ['2001:db9::1, 2001:db8::5', '2001:db9::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['192.0.2.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['192.0.2.1, ', '127.0.0.1'],
    ['', '127.0.0.1'],
  ])('tells where a request comes from: %s is from %s', async (list, address) => {
    expect(await see({ 'X-Forwarded-For': list }, proxies)).toMatchObject({ remoteAddress: address })
  })

  it.each([
    [{ 'X-Forwarded-Proto': 'https' }, 'https://inner.test:5000/token'],
    [{ 'X-Forwarded-Proto': 'HTTPS', 'X-Forwarded-Host': 'r.test:8443' }, 'https://r.test:8443/token'],
    [{ 'X-Forwarded-Host': 'evil.test, r.test' }, 'http://r.test/token'],
    [{ 'X-Forwarded-Host': 'x",error="y' }, 'http://inner.test:5000/token'],
    [{ 'X-Forwarded-Proto': 'javascript' }, 'http://inner.test:5000/token'],
    [{ 'X-Forwarded-Proto': '' }, 'http://inner.test:5000/token'],
    [{ Forwarded: 'for=192.0.2.1;proto=https;host=r.test' }, 'http://inner.test:5000/token'],
  ])('tells how clients reach the token service: %o', async (headers, realm) => {
    expect(await see(headers, proxies)).toEqual({ remoteAddress: '127.0.0.1', realm, warnings: [] })
  })
})

describe('a proxy that is not trusted', () => {
  const headers = {
    'X-Forwarded-For': '192.0.2.1',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.test',
  }
  const unbelieved = { remoteAddress: '127.0.0.1', realm: 'http://inner.test:5000/token' }

  it('is not believed, which is said once', async () => {
    const warning =
      '127.0.0.1 sends X-Forwarded-Proto, which is not believed; if it is a proxy of yours, put it into trustedProxies'
    expect(await see(headers, [])).toEqual({ ...unbelieved, warnings: [warning] })
  })

  it('is not believed where others are', async () => {
    expect(await see(headers, ['10.0.0.0/8'])).toEqual({ ...unbelieved, warnings: [] })
  })
})

describe('a network', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', 32, 'ipv4'],
    ['10.0.0.0/8', '10.0.0.0', 8, 'ipv4'],
    ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
    ['::1', '::1', 128, 'ipv6'],
    ['fd00::/8', 'fd00::', 8, 'ipv6'],
  ])('%s is read', (text, address, bits, family) => {
    expect(parseNetwork(text)).toEqual({ address, bits, family })
  })

  it.each([
    '',
    'proxy',
    '10.0.0.0/33',
    '10.0.0/8',
    '::1/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '10.0.0.0/-1',
  ])('%s is none', async text => {
    expect(() => parseNetwork(text)).toThrow('is no IP address and no network')
    await expect(startEmbeddedRegistry({ trustedProxies: [text] })).rejects.toMatchObject({ code: 'USAGE' })
  })
})

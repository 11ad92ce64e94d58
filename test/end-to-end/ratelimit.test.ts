import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { type Internet, startInternet } from '../support/internet.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { dockerHub } from '../support/registries/docker-hub.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`
const nothing = {
  limited: false,
  limit: null,
  remaining: null,
  windowSeconds: null,
  resetAt: null,
  source: null,
  user: null,
}

describe.skipIf(!requirePeers('openssl'))('at Docker Hub, dray ratelimit', patience, () => {
  const opened = new AsyncDisposableStack()
  let internet: Internet
  let env: Record<string, string> = {}
  let login: string[] = []
  let image = ''

  beforeAll(async () => {
    const hub = dockerHub(opened.use(await startEmbeddedRegistry()))
    internet = opened.use(await startInternet(hub.hosts))
    env = { HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
    login = ['-u', hub.credential.username, '-p', hub.credential.password]
    image = `${hub.repository}:1.0`
    await dray(
      ['copy', '--to-username', ...login.slice(1, 2), '--to-password', ...login.slice(3), hello, image],
      {
        env,
      },
    )
  })
  afterAll(() => opened.disposeAsync())

  it('tells what is left, without taking any of it', async () => {
    const seen = internet.lines.length
    const first = await drayJson(['ratelimit'], { env })
    expect(first).toEqual({
      registry: 'docker.io',
      limited: true,
      limit: 200,
      remaining: 200,
      windowSeconds: 21600,
      resetAt: null,
      source: '203.0.113.7',
      user: null,
    })
    expect(await drayJson(['ratelimit', 'docker.io'], { env })).toEqual(first)
    const asked = internet.lines.slice(seen).filter(line => line.includes('/manifests/'))
    expect(new Set(asked)).toEqual(
      new Set(['registry-1.docker.io HEAD /v2/ratelimitpreview/test/manifests/latest']),
    )
  })

  it('asks for one image where one is named', async () => {
    const { stdout } = await dray(['ratelimit', image], { env })
    expect(stdout).toBe('docker.io: 200 of 200 requests left in 6h 00m, without a login (203.0.113.7)\n')
    expect(internet.lines.at(-1)).toBe(`registry-1.docker.io HEAD /v2/${image.replace(':', '/manifests/')}`)
  })

  it('says for whom it is', async () => {
    const { stdout } = await dray(['ratelimit', ...login], { env })
    expect(stdout).toMatch(/, as someone \(f8c7c4c2-[\w-]+\)\n$/)
    await drayFails(4, ['ratelimit', '-u', 'someone', '-p', 'wrong'], { env })
  })

  it('fails for what is not there', async () => {
    await drayFails(3, ['ratelimit', 'nobody/nothing:1.0'], { env })
  })
})

describe('elsewhere, dray ratelimit', patience, () => {
  it('says unlimited where a registry tells of no limit', async () => {
    await using registry = await startEmbeddedRegistry()
    expect((await dray(['ratelimit', registry.host])).stdout).toBe(
      `${registry.host}: unlimited, without a login\n`,
    )
    expect(await drayJson(['ratelimit', registry.host])).toEqual({ registry: registry.host, ...nothing })
  })

  it.each([
    [
      'GitLab and GitHub',
      { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '58', 'x-ratelimit-reset': '4102444800' },
      { limit: 60, remaining: 58, resetAt: '2100-01-01T00:00:00.000Z' },
      '58 of 60 requests left, anew at 2100-01-01T00:00:00.000Z, without a login',
    ],
    [
      'Azure',
      { 'x-ms-ratelimit-remaining-calls-per-second': '166.633333' },
      { remaining: 166.633333, windowSeconds: 1 },
      '166.633333 requests left in 1.0s, without a login',
    ],
  ])('reads what %s tells', async (_, headers, told, words) => {
    await using server = await startLoopback((_, response) => response.writeHead(200, headers).end())
    expect(await drayJson(['ratelimit', server.host])).toEqual({
      ...{ registry: server.host, ...nothing, limited: true },
      ...told,
    })
    expect((await dray(['ratelimit', server.host])).stdout).toBe(`${server.host}: ${words}\n`)
  })
})

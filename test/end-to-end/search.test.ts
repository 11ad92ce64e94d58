import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixturePath } from '../support/fixtures.ts'
import { type Internet, startInternet } from '../support/internet.ts'
import { startLoopback } from '../support/loopback.ts'
import { requirePeers } from '../support/peers.ts'
import { dockerHub } from '../support/registries/docker-hub.ts'
import { harbor } from '../support/registries/harbor.ts'
import { quay } from '../support/registries/quay.ts'
import { sampleImage } from '../support/sample-image.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}:1.0`

describe.skipIf(!requirePeers('openssl'))('at Docker Hub, dray search', patience, () => {
  const opened = new AsyncDisposableStack()
  let internet: Internet
  let env: Record<string, string> = {}

  beforeAll(async () => {
    internet = opened.use(await startInternet(dockerHub(opened.use(await startEmbeddedRegistry())).hosts))
    env = { HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
  })
  afterAll(() => opened.disposeAsync())

  it('shows names, stars and what is official, a line for each', async () => {
    const { stdout } = await dray(['search', 'alpine', 'linux'], { env })
    expect(stdout).toBe(
      [
        'docker.io/library/alpine          11388  official  A minimal Docker image based on Alpine Linux with a complete package index and only 5 MB in size!',
        'docker.io/alpinelinux/docker-cli     12            Simple and lightweight Alpine Linux image with docker-cli',
        '',
      ].join('\n'),
    )
    expect(internet.lines.at(-1)).toBe(
      'hub.docker.com GET /v2/search/repositories/?page_size=100&query=alpine+linux',
    )
  })

  it('prints a document for programs, no longer than was asked for', async () => {
    expect(await drayJson(['search', '--limit', '1', 'alpine'], { env })).toEqual({
      registry: 'docker.io',
      words: 'alpine',
      repositories: [
        {
          name: 'docker.io/library/alpine',
          description: expect.stringContaining('Alpine Linux'),
          stars: 11388,
          pulls: 11573442130,
          official: true,
        },
      ],
    })
  })
})

describe.skipIf(!requirePeers('openssl'))("by a provider's own API, dray search", patience, () => {
  it.each([
    ['Harbor', harbor],
    ['Quay', quay],
  ])('finds what %s finds', async (_, emulate) => {
    await using store = await startEmbeddedRegistry()
    const { hosts, registry, credential } = emulate(store)
    const image = sampleImage('any')
    for (const name of ['team/api', 'team/web', 'team/api-old']) await store.putImage(name, image, '1.0')
    await using internet = await startInternet(hosts)
    const env = { HTTPS_PROXY: internet.proxy, SSL_CERT_FILE: internet.caFile }
    const login = ['-u', credential.username, '-p', credential.password]
    const { stdout } = await dray(['search', '--registry', registry, ...login, 'api'], { env })
    expect(stdout.match(/\S+\/\S+/g)).toEqual([`${registry}/team/api`, `${registry}/team/api-old`])
  })
})

describe('in a registry with an open catalog, dray search', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry

  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    for (const name of ['team/api', 'team/web', 'other/api']) {
      await dray(['copy', hello, `${registry.host}/${name}:1.0`])
    }
  })
  afterAll(() => opened.disposeAsync())

  it('finds the repositories whose names hold all of the words', async () => {
    const there = ['--registry', registry.host]
    expect((await dray(['search', ...there, 'api'])).stdout).toBe(
      `${registry.host}/other/api\n${registry.host}/team/api\n`,
    )
    expect((await dray(['search', ...there, 'API', 'team'])).stdout).toBe(`${registry.host}/team/api\n`)
    expect((await dray(['search', ...there, 'nothing'])).stdout).toBe('')
    expect(await drayJson(['search', ...there, 'web'])).toMatchObject({
      registry: registry.host,
      repositories: [{ name: `${registry.host}/team/web`, stars: null, official: null }],
    })
  })

  it('says what is wrong where there is none', async () => {
    await using server = await startLoopback((_, response) => response.writeHead(404).end())
    expect(await drayFails(1, ['search', '--registry', server.host, 'api'])).toMatch(/\nhint: /)
    await drayFails(2, ['search'])
    await drayFails(2, ['search', '--limit', '0', 'api'])
  })
})

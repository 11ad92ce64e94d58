import { afterEach, describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { dockerHub } from '../../../src/registry/providers/docker-hub.ts'
import { json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type ApiScript, askScript, failureOf } from './ask-script.ts'
import { all } from './scripted-registry.ts'

const registry = 'docker.io'
const password = 'dckr_pat_secret-of-someone'
const credential = { kind: 'basic', username: 'someone', password } as const
const hub = 'https://hub.docker.com'
const login = `POST ${hub}/v2/auth/token`
const opened = { [login]: json({ access_token: 'eyJ.hub.token' }) }
const old = { repository: 'someone/app', tag: 'old', digest: digestOf('one'), force: false }
const deletion = `DELETE ${hub}/v2/repositories/someone/app/tags/old/`

const meet = (api: ApiScript, options = {}) => askScript({ registry, credential, api, ...options })

afterEach(() => {
  vi.useRealTimers()
})

describe('11. a tag at Docker Hub', () => {
  it('is deleted by its API, alone', async () => {
    const { access, asked, lines } = meet({ ...opened, [deletion]: { status: 204 } })
    expect(await dockerHub.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: false })
    expect(lines).toEqual([login, deletion])
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ identifier: 'someone', secret: password })
    expect(asked[0]?.headers).toEqual({ accept: 'application/json', 'content-type': 'application/json' })
    expect(asked[1]?.headers).toEqual({ accept: 'application/json', authorization: 'Bearer eyJ.hub.token' })
  })

  it('is deleted with the older login where the newer one is unknown', async () => {
    const older = `POST ${hub}/v2/users/login`
    const { access, asked, lines } = meet({
      [login]: { status: 404 },
      [older]: json({ token: 'older.token' }),
      [deletion]: { status: 204 },
    })
    await dockerHub.deleteTag?.(access, old)
    expect(lines).toEqual([login, older, deletion])
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({ username: 'someone', password })
    expect(asked[2]?.headers?.authorization).toBe('JWT older.token')
  })

  it('needs one login for many, as long as that lives', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { access, lines } = meet({ ...opened, [deletion]: { status: 204 } })
    await dockerHub.deleteTag?.(access, old)
    await dockerHub.deleteTag?.(access, old)
    vi.advanceTimersByTime(9 * 60_000)
    await dockerHub.deleteTag?.(access, old)
    expect(lines).toEqual([login, deletion, deletion, login, deletion])
  })

  it('is asked for again after a login that failed', async () => {
    const { access, lines } = meet({
      [login]: [{ status: 500 }, json({ access_token: 'eyJ.hub.token' })],
      [deletion]: { status: 204 },
    })
    expect((await failureOf(dockerHub.deleteTag?.(access, old))).code).toBe('NETWORK')
    await dockerHub.deleteTag?.(access, old)
    expect(lines).toEqual([login, login, deletion])
  })

  it.each([
    [
      403,
      '{"detail":"access to the resource is forbidden"}',
      'UNAUTHORIZED',
      /access to the resource is forbidden \(403\)\n.*Delete/,
    ],
    [404, '{"message":"tag not found"}', 'NOT_FOUND', /tag not found \(404\)/],
    [
      429,
      '{"detail":"Rate limit exceeded"}',
      'NETWORK',
      /Rate limit exceeded \(429\)\ntoo many requests: wait until 2033-05-18T03:33:20\.000Z/,
    ],
    [500, '<html><title>Oops</title></html>', 'NETWORK', /Oops \(500\)/],
    [409, '', 'REGISTRY', /conflict \(409\)/],
  ])('that the API refuses with %i is told in its words', async (status, body, code, shown) => {
    const headers = { 'x-ratelimit-reset': '2000000000' }
    const { access } = meet({ ...opened, [deletion]: { status, body, headers } })
    const failure = await failureOf(dockerHub.deleteTag?.(access, old))
    expect(failure.code).toBe(code)
    expect(failure.shown).toMatch(shown)
    expect(failure.shown).toMatch(/^cannot delete docker\.io\/someone\/app:old: hub\.docker\.com says: /)
  })

  it('is not deleted with a wrong password, and no secret is shown', async () => {
    const body = `{"detail":"Incorrect authentication credentials"}`
    const { access, lines } = meet({ [login]: { status: 401, body } })
    const { code, shown } = await failureOf(dockerHub.deleteTag?.(access, old))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).toMatch(/Incorrect authentication credentials \(401\)\n.*"someone".*dray login docker\.io/)
    expect(shown).not.toContain(password)
    expect(lines).toEqual([login])
  })

  it('shows no token that the API repeats', async () => {
    const body = '{"message":"bad token eyJ.hub.token"}'
    const { access } = meet({ ...opened, [deletion]: { status: 401, body } })
    expect((await failureOf(dockerHub.deleteTag?.(access, old))).shown).toContain('bad token ***')
  })

  it('shows no password that the API repeats', async () => {
    const { access } = meet({ [login]: { status: 400, body: `{"message":"not a secret: ${password}"}` } })
    expect((await failureOf(dockerHub.deleteTag?.(access, old))).shown).toContain('not a secret: ***')
  })

  it.each([
    ['no login', undefined, 'that needs a login'],
    [
      'a token for the registry alone',
      { kind: 'registry-token', token: 't' } as const,
      'a name and a password',
    ],
  ])('wants a name and a password: not with %s', async (_, other, why) => {
    const { access, lines } = meet({}, { credential: other })
    const { code, shown } = await failureOf(dockerHub.deleteTag?.(access, old))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).toContain(why)
    expect(shown).toContain('dray login docker.io')
    expect(lines).toEqual([])
  })

  it.each(['not json', '{}', '{"access_token":""}', '{"access_token":"two words"}'])(
    'is not deleted when the login is answered with %j',
    async body => {
      const { access } = meet({ [login]: { body } })
      expect((await failureOf(dockerHub.deleteTag?.(access, old))).code).toBe('INTEGRITY')
    },
  )
})

describe('24. the catalog of Docker Hub', () => {
  const orgs = `GET ${hub}/v2/user/orgs/?page_size=100`
  const own = `GET ${hub}/v2/repositories/someone/?page_size=100`
  const recorded = readRecorded('docker-hub-repository') as object
  const page = (names: readonly string[], next: string | null = null) =>
    json({
      count: 3,
      next,
      previous: null,
      results: names.map(name => {
        const [namespace, last] = name.split('/')
        return { ...recorded, namespace, name: last }
      }),
    })

  it('is what the login and its organizations have, all pages', async () => {
    const second = `${hub}/v2/repositories/someone/?page=2&page_size=100`
    const { access, lines, asked } = meet({
      ...opened,
      [orgs]: json({
        count: 1,
        next: null,
        previous: null,
        results: [{ orgname: 'acme', full_name: 'Acme' }],
      }),
      [own]: page(['someone/app', 'someone/tool'], second),
      [`GET ${second}`]: page(['someone/web']),
      [`GET ${hub}/v2/repositories/acme/?page_size=100`]: page(['acme/site']),
    })
    expect(await all(dockerHub.catalog?.(access))).toEqual([
      'someone/app',
      'someone/tool',
      'someone/web',
      'acme/site',
    ])
    expect(lines.slice(0, 2)).toEqual([login, orgs])
    expect(new Set(asked.slice(1).map(({ headers }) => headers?.authorization))).toEqual(
      new Set(['Bearer eyJ.hub.token']),
    )
  })

  it('is that of an organization which logs in by itself', async () => {
    const { access } = meet({ ...opened, [orgs]: { status: 403 }, [own]: page(['someone/app']) })
    expect(await all(dockerHub.catalog?.(access))).toEqual(['someone/app'])
  })

  it('ends at a page that was there before', async () => {
    const { access } = meet({
      ...opened,
      [orgs]: json({ results: [] }),
      [own]: page(['someone/app'], `${hub}/v2/repositories/someone/?page_size=100`),
    })
    expect(await all(dockerHub.catalog?.(access))).toEqual(['someone/app'])
  })

  it.each(['https://evil.example/v2/?page=2', 'http://hub.docker.com/v2/?page=2'])(
    'does not go on at %s with its token',
    async next => {
      const { access, lines } = meet({
        ...opened,
        [orgs]: json({ results: [] }),
        [own]: page(['someone/app'], next),
      })
      const { code, shown } = await failureOf(all(dockerHub.catalog?.(access)))
      expect(code).toBe('REGISTRY')
      expect(shown).toContain('not followed')
      expect(lines.every(line => line.includes(` ${hub}/`))).toBe(true)
    },
  )

  it('of another shape is refused', async () => {
    const { access } = meet({
      ...opened,
      [orgs]: json({ results: [] }),
      [own]: json({ results: [{ name: 1 }] }),
    })
    expect((await failureOf(all(dockerHub.catalog?.(access)))).code).toBe('INTEGRITY')
  })
})

describe('a search at Docker Hub', () => {
  const first = `GET ${hub}/v2/search/repositories/?page_size=100&query=alpine+cli`

  it('needs no login, and tells stars, pulls, descriptions and what is official', async () => {
    const { access, asked } = meet(
      { [first]: json(readRecorded('docker-hub-search')) },
      { credential: undefined },
    )
    expect(await all(dockerHub.search?.(access, 'alpine cli'))).toEqual([
      {
        name: 'docker.io/library/alpine',
        description: expect.stringMatching(/^A minimal Docker image/),
        stars: 11388,
        pulls: 11573442130,
        official: true,
      },
      {
        name: 'docker.io/alpinelinux/docker-cli',
        description: expect.any(String),
        stars: 12,
        pulls: 50314297,
        official: false,
      },
    ])
    expect(asked[0]?.headers?.authorization).toBeUndefined()
  })

  it('asks for the next page when that is wanted', async () => {
    const next = `${hub}/v2/search/repositories/?query=alpine&page=2`
    const { access, lines } = meet({
      [first]: json({ next, results: [{ repo_name: 'alpine' }] }),
      [`GET ${next}`]: json({ next: '', results: [{ repo_name: 'a/alpine', star_count: null }] }),
    })
    const found = dockerHub.search?.(access, 'alpine cli')
    expect((await found?.next())?.value).toMatchObject({ name: 'docker.io/library/alpine', stars: null })
    expect(lines).toHaveLength(1)
    expect((await all(found)).map(({ name }) => name)).toEqual(['docker.io/a/alpine'])
  })
})

it('23. the limit of Docker Hub is read by HEAD of an image made for that', async () => {
  const { access, ownLines, lines } = meet(
    {},
    {
      own: () => ({
        headers: {
          'ratelimit-limit': '100;w=21600',
          'ratelimit-remaining': '76;w=21600',
          'docker-ratelimit-source': '203.0.113.7',
        },
      }),
    },
  )
  expect(await dockerHub.rateLimit?.(access)).toEqual({
    limit: 100,
    remaining: 76,
    windowSeconds: 21600,
    resetAt: null,
    source: '203.0.113.7',
  })
  expect(ownLines).toEqual(['HEAD https://registry-1.docker.io/v2/ratelimitpreview/test/manifests/latest'])
  expect(lines).toEqual([])
})

import { describe, expect, it } from 'vitest'
import type { Credential } from '../../../src/credential.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { quay } from '../../../src/registry/providers/quay.ts'
import { challenge, type FakeAnswer, json, type SeenRequest } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type Answers, all, refusals, scriptedRegistry } from './scripted-registry.ts'

const host = 'quay.io'
const origin = `https://${host}`
const robot = { kind: 'basic', username: 'acme+ci', password: 'R0B0TT0KEN' } as const
const oauth = { kind: 'basic', username: '$oauthtoken', password: 'oauth-secret' } as const
const bearer = `Bearer realm="${origin}/v2/auth",service="${host}"`

/** What the provider lists, whether the registry API's catalog is asked before or not. */
async function catalog(credential: Credential | undefined, answers: Answers) {
  const network = scriptedRegistry({ registry: host, credential }, answers)
  const { access } = await network.registry.provider()
  return { network, names: all(quay.catalog?.(access)) }
}

/** Answers to who shows this, and 401 to others. */
function onlyTo(authorization: string, answer: FakeAnswer) {
  return ({ headers }: SeenRequest) => (headers?.authorization === authorization ? answer : { status: 401 })
}

describe('14. Quay never sees a delete action', () => {
  const there: FakeAnswer = {
    headers: { 'docker-content-digest': digestOf('image'), 'content-length': '7' },
  }

  it('when a tag is deleted', async () => {
    const remove = `DELETE ${origin}/v2/acme/app/manifests/v1`
    const scope = 'repository:acme/app:pull,push'
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      {
        [`HEAD ${origin}/v2/acme/app/manifests/v1`]: there,
        [remove]: ({ headers }) =>
          headers?.authorization === 'Bearer token'
            ? { status: 202 }
            : challenge(`${bearer},scope="${scope}"`),
        [`GET ${origin}/v2/auth?service=${host}&scope=${encodeURIComponent(scope)}&client_id=dray`]: json({
          token: 'token',
        }),
      },
    )
    await deleteImage(network.registry.repository('acme/app'), 'v1')
    expect(network.lines.filter(line => line.includes('/v2/auth'))).toHaveLength(1)
    expect(network.lines.join()).not.toMatch(/scope=[^&]*delete/)
  })
})

it('8. lists at Quay go on behind an absolute Link, and behind that of older ones', async () => {
  const list = `${origin}/v2/acme/app/tags/list`
  const absolute = `<${list}?n=100&last=v1>; rel="next"`
  const older = `<${list}?n=100&next_page=gAAAAABk%3D>; rel="next"`
  const network = scriptedRegistry(
    { registry: host },
    {
      [`GET ${list}?n=1000`]: { ...json({ tags: ['v1'] }), headers: { link: absolute } },
      [`GET ${list}?n=100&last=v1`]: { ...json({ tags: ['v2'] }), headers: { link: older } },
      [`GET ${list}?n=100&next_page=gAAAAABk%3D`]: json({ tags: ['v3'] }),
    },
  )
  expect(await all(network.registry.repository('acme/app').tags())).toEqual(['v1', 'v2', 'v3'])
})

describe('the repositories at Quay', () => {
  const auth = `GET ${origin}/v2/auth?service=${host}`
  const page = `GET ${origin}/v2/_catalog?n=100`

  it('are those that a robot or a user sees with a token', async () => {
    const basic = `Basic ${Buffer.from('acme+ci:R0B0TT0KEN').toString('base64')}`
    const link = `<${origin}/v2/_catalog?n=100&next_page=gAAA>; rel="next"`
    const { names } = await catalog(robot, {
      [auth]: onlyTo(basic, json({ token: 'token' })),
      [page]: onlyTo('Bearer token', { ...json({ repositories: ['acme/app'] }), headers: { link } }),
      [`${page}&next_page=gAAA`]: onlyTo('Bearer token', json({ repositories: ['acme/web'] })),
    })
    expect(await names).toEqual(['acme/app', 'acme/web'])
  })

  it('are those of all namespaces of an OAuth token, page by page', async () => {
    const repositories = (namespace: string, next = '') =>
      `GET ${origin}/api/v1/repository?public=true&namespace=${namespace}${next}`
    const secret = 'Bearer oauth-secret'
    const { network, names } = await catalog(oauth, {
      [`GET ${origin}/api/v1/user/`]: onlyTo(
        secret,
        json({ username: 'dev', organizations: [{ name: 'acme', is_org_admin: true }] }),
      ),
      [repositories('dev')]: onlyTo(secret, json({ repositories: [] })),
      [repositories('acme')]: onlyTo(secret, json(readRecorded('quay-repositories'))),
      [repositories('acme', '&next_page=gAAAAABk%3D')]: onlyTo(
        secret,
        json({ repositories: [{ namespace: 'acme', name: 'web' }] }),
      ),
    })
    expect(await names).toEqual(['acme/app', 'acme/web'])
    expect(network.lines).toHaveLength(4)
  })

  it('need a login, which is said', async () => {
    const { names } = await catalog(undefined, { [auth]: { status: 401 } })
    await expect(names).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining(`dray login ${host}`),
    })
  })

  it('need scopes of an OAuth token, which are named, and the token is not', async () => {
    const refusal = json({ error: 'insufficient_scope', echo: 'oauth-secret' }, 403)
    const { names } = await catalog(oauth, { [`GET ${origin}/api/v1/user/`]: refusal })
    const error = await names.catch(cause => cause)
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', hint: expect.stringContaining('user:read') })
    expect(`${error.message}${error.hint}`).not.toContain('oauth-secret')
  })

  it.each([
    ['no JSON', { body: 'true' }, 'INTEGRITY'],
    ['a token that is none', json({ token: 7 }), 'INTEGRITY'],
    ['a token that no header can hold', json({ token: 'a\r\nb' }), 'INTEGRITY'],
    ...refusals,
  ] as const)('are not listed where the answer to a login is %s', async (_, answer, code) => {
    const { names } = await catalog(robot, { [auth]: answer })
    await expect(names).rejects.toMatchObject({ code })
  })

  it.each([
    ['another shape', json({ repositories: [{}] }), 'INTEGRITY'],
    [
      'a Link elsewhere',
      { ...json({ repositories: [] }), headers: { link: '<https://evil.example/>; rel=next' } },
      'REGISTRY',
    ],
    ...refusals,
  ] as const)('are not listed where the answer to the token is %s', async (_, answer, code) => {
    const { network, names } = await catalog(robot, { [auth]: json({ token: 'token' }), [page]: answer })
    await expect(names).rejects.toMatchObject({ code })
    expect(network.lines.join()).not.toContain('evil')
  })
})

describe('a search at Quay', () => {
  const asked = (page: number) => `GET ${origin}/api/v1/find/repositories?page=${page}&query=nginx+proxy`
  const result = (name: string) => ({
    kind: 'repository',
    name,
    namespace: { name: 'acme' },
    description: null,
  })

  it('finds images with their stars, page by page, and leaves out what is no image', async () => {
    const network = scriptedRegistry(
      { registry: host },
      {
        [asked(1)]: json(readRecorded('quay-search')),
        [asked(2)]: json({ results: [result('other')], has_additional: false, page: 2 }),
      },
    )
    const unknown = { pulls: null, official: null }
    expect(await all(network.registry.search('nginx proxy'))).toEqual([
      { name: `${host}/acme/nginx`, description: 'a proxy', stars: 3, ...unknown },
      { name: `${host}/acme/other`, description: null, stars: null, ...unknown },
    ])
  })

  it('ends where the last page is given again', async () => {
    const first = { results: [result('nginx')], has_additional: true, page: 1 }
    const network = scriptedRegistry({ registry: host }, { [asked(1)]: json(first), [asked(2)]: json(first) })
    expect(await all(network.registry.search('nginx proxy'))).toHaveLength(1)
  })

  it('sees what an OAuth token may see, and shows it no other login', async () => {
    const empty = json({ results: [] })
    for (const [credential, authorization] of [
      [oauth, 'Bearer oauth-secret'],
      [robot, undefined],
    ] as const) {
      const network = scriptedRegistry({ registry: host, credential }, { [asked(1)]: empty })
      expect(await all(network.registry.search('nginx proxy'))).toEqual([])
      expect(network.authorizations).toEqual([authorization])
    }
  })

  it.each([
    ['no JSON', { body: '<html>' }, 'INTEGRITY'],
    ['another shape', json({ results: [{ name: 'x' }] }), 'INTEGRITY'],
    ...refusals,
  ] as const)('fails where the answer is %s', async (_, answer, code) => {
    const network = scriptedRegistry({ registry: host }, { [asked(1)]: answer })
    await expect(all(network.registry.search('nginx proxy'))).rejects.toMatchObject({ code })
  })
})

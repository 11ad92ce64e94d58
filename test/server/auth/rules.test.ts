import { describe, expect, it } from 'vitest'
import { catalogAccess, repositoryAccess } from '../../../src/server/auth/access.ts'
import { type AccessRules, rulesPolicy } from '../../../src/server/auth/rules.ts'
import type { Users } from '../../../src/server/auth/users.ts'
import { type Answer, type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../../support/sample-image.ts'

const access: AccessRules = {
  groups: { devs: ['ann', 'bob'] },
  rules: [
    { repositories: ['library/**'], allow: ['pull'], anonymous: true },
    { repositories: ['team/*'], allow: ['push'], groups: ['devs'] },
    { repositories: ['team/app'], allow: ['delete'], users: ['ann'] },
    { repositories: ['shared'], allow: ['pull'], users: ['*'] },
  ],
}
const all = ['pull', 'push', 'delete']

describe('rules', () => {
  const policy = rulesPolicy(access, true)
  const allowed = (user: string | undefined, name: string) =>
    policy.allow(user, repositoryAccess(name, all)).actions.join(',')

  it.each([
    [undefined, 'library/a', 'pull'],
    [undefined, 'library/a/b/c', 'pull'],
    [undefined, 'library', ''],
    [undefined, 'mylibrary/a', ''],
    [undefined, 'library-x/a', ''],
    [undefined, 'shared', ''],
    [undefined, 'team/app', ''],
    ['ann', 'library/a', 'pull'],
    ['ann', 'team/app', 'pull,push,delete'],
    ['bob', 'team/app', 'pull,push'],
    ['bob', 'team/other', 'pull,push'],
    ['bob', 'team/app/deep', ''],
    ['eve', 'team/app', ''],
    ['eve', 'shared', 'pull'],
    ['eve', 'other', ''],
    ['*', 'team/app', ''],
    ['devs', 'team/app', ''],
  ])('let %s, of all that can be done in %s, do "%s"', (user, name, actions) =>
    expect(allowed(user, name)).toBe(actions),
  )

  it.each([
    ['**', 'a/b/c', true],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['a/**/z', 'a/b/c/z', true],
    ['a/**/z', 'a/z', false],
    ['team-*/app', 'team-one/app', true],
    ['a.b', 'a.b', true],
    ['a.b', 'a-b', false],
  ])('have the pattern %s, for which %s fits or not: %s', (pattern, name, fits) => {
    const one = rulesPolicy({ rules: [{ repositories: [pattern], allow: ['pull'], anonymous: true }] }, true)
    expect(one.allow(undefined, repositoryAccess(name, ['pull'])).actions).toEqual(fits ? ['pull'] : [])
  })

  it('give everything only to who may do everything', () => {
    const wanted = repositoryAccess('team/app', ['*'])
    expect(policy.allow('ann', wanted).actions).toEqual(['*'])
    expect(policy.allow('bob', wanted).actions).toEqual([])
  })

  it('allow nothing when there are none', () => {
    const none = rulesPolicy({ rules: [] }, true)
    expect(none.allow('ann', repositoryAccess('a', all)).actions).toEqual([])
    expect(none.servesAnybody).toBe(false)
  })

  it('show the catalog to who logged in, or to everybody where nobody can', () => {
    expect(policy.allow('eve', catalogAccess)).toEqual(catalogAccess)
    expect(policy.allow(undefined, catalogAccess).actions).toEqual([])
    expect(rulesPolicy(access, false).allow(undefined, catalogAccess)).toEqual(catalogAccess)
  })

  it.each([
    [
      { repositories: ['a'], allow: ['pull'] },
      'it is for nobody: it needs users, groups, or anonymous: true',
    ],
    [{ repositories: ['a'], allow: ['pull'], users: [] }, 'it is for nobody'],
    [{ repositories: ['a'], allow: ['pull'], groups: ['nope'] }, 'there is no group "nope"'],
    [{ repositories: ['a'], allow: ['pull'], groups: ['toString'] }, 'there is no group "toString"'],
    [
      { repositories: ['Team/x'], allow: ['pull'], anonymous: true },
      '"Team/x" is no pattern of repositories',
    ],
    [{ repositories: ['team/'], allow: ['pull'], anonymous: true }, '"team/" is no pattern'],
    [{ repositories: ['team/a**'], allow: ['pull'], anonymous: true }, '"team/a**" is no pattern'],
    [{ repositories: ['/team'], allow: ['pull'], anonymous: true }, '"/team" is no pattern'],
  ] as const)('are refused: %j', (rule, message) => {
    const rules = [{ repositories: ['fine'], allow: ['pull'], anonymous: true } as const, rule]
    expect(() => rulesPolicy({ rules }, true)).toThrow(`rule 2: ${message}`)
  })
})

const passwords: Record<string, string> = { ann: 'a', bob: 'b', eve: 'e' }
const users: Users = { check: async (name, password) => passwords[name] === password }
const image = sampleImage('one')
const basic = (user: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:${passwords[user]}`).toString('base64')}`,
})

type Ask = (method: string, path: string, body?: string) => Promise<Answer>

/** As a client would: with Basic, or with a token for what the path needs. */
function asUser(registry: EmbeddedRegistry, user: string | undefined, kind: 'basic' | 'token'): Ask {
  return async (method, path, body) => {
    const login = user === undefined ? {} : basic(user)
    if (kind === 'basic') return registry.ask(method, path, { headers: login, body })
    const challenge = (await registry.ask(method, path)).headers['www-authenticate'] ?? ''
    const scope = /scope="([^"]*)"/.exec(challenge)?.[1] ?? ''
    const given = await registry.ask('GET', `/token?${new URLSearchParams({ scope })}`, { headers: login })
    const { token } = given.json() as { token: string }
    return registry.ask(method, path, { headers: { Authorization: `Bearer ${token}` }, body })
  }
}

describe.each(['basic', 'token'] as const)('a registry with rules and %s', kind => {
  const open = async () => {
    const filled = await startEmbeddedRegistry()
    for (const name of ['library/a', 'team/app', 'shared', 'secret/x'])
      await filled.putImage(name, image, 'v1')
    const { dir } = filled
    const auth = { kind, users, service: 'rules' } as const
    const registry = await startEmbeddedRegistry({ dir, auth, access })
    const dispose = async () => {
      await registry[Symbol.asyncDispose]()
      await filled[Symbol.asyncDispose]()
    }
    return { registry, [Symbol.asyncDispose]: dispose }
  }

  it('lets each do what is allowed, and says to users that the rest is denied', async () => {
    await using opened = await open()
    const as = (user: string | undefined) => asUser(opened.registry, user, kind)
    expect((await as(undefined)('GET', '/v2/library/a/manifests/v1')).status).toBe(200)
    expect((await as(undefined)('GET', '/v2/team/app/manifests/v1')).status).toBe(401)
    expect((await as('bob')('GET', '/v2/team/app/manifests/v1')).status).toBe(200)
    expect((await as('bob')('POST', '/v2/team/app/blobs/uploads/')).status).toBe(202)
    for (const [user, method, path] of [
      ['bob', 'DELETE', '/v2/team/app/manifests/v1'],
      ['bob', 'POST', '/v2/library/a/blobs/uploads/'],
      ['bob', 'GET', '/v2/secret/x/manifests/v1'],
      ['bob', 'GET', '/v2/secret/there-is-none/manifests/v1'],
      ['eve', 'POST', '/v2/team/app/blobs/uploads/'],
    ] as const) {
      expect(await as(user)(method, path)).toMatchObject({ status: 403, codes: ['DENIED'] })
    }
    expect((await as('ann')('DELETE', '/v2/team/app/manifests/v1')).status).toBe(202)
    expect(await opened.registry.ended(({ status }) => status === 403)).toMatchObject({ user: 'bob' })
  })

  it('shows to each in the catalog what they may pull', async () => {
    await using opened = await open()
    const catalog = async (user: string | undefined, query = '') =>
      (await asUser(opened.registry, user, kind)('GET', `/v2/_catalog${query}`)).json()
    expect(await catalog('bob')).toEqual({ repositories: ['library/a', 'shared', 'team/app'] })
    expect(await catalog('eve')).toEqual({ repositories: ['library/a', 'shared'] })
    expect(await catalog('eve', '?n=1&last=library/a')).toEqual({ repositories: ['shared'] })
    const answer = await asUser(opened.registry, undefined, kind)('GET', '/v2/_catalog')
    expect(answer.status).toBe(401)
  })

  it('mounts from where one may pull, and elsewhere does as if nothing were there', async () => {
    await using opened = await open()
    const ask = asUser(opened.registry, 'bob', kind)
    const { digest } = image.layer.descriptor
    const none = sampleBlob('nowhere').descriptor.digest
    const mount = (from: string, what: string = digest) =>
      ask('POST', `/v2/team/new/blobs/uploads/?mount=${what}&from=${from}`)
    const hidden = await mount('secret/x')
    const absent = await mount('library/a', none)
    expect(hidden.status).toBe(202)
    expect(Object.keys(hidden.headers).sort()).toEqual(Object.keys(absent.headers).sort())
    expect((await ask('HEAD', `/v2/team/new/blobs/${digest}`)).status).toBe(404)
    expect((await mount('library/a')).status).toBe(201)
    expect((await ask('HEAD', `/v2/team/new/blobs/${digest}`)).status).toBe(200)
  })
})

describe('a registry with rules and no logins', () => {
  it('lets all do what they say, and denies the rest', async () => {
    await using filled = await startEmbeddedRegistry()
    await filled.putImage('library/a', image, 'v1')
    await filled.putImage('secret/x', image, 'v1')
    await using registry = await startEmbeddedRegistry({ dir: filled.dir, access })
    expect((await registry.ask('GET', '/v2/')).status).toBe(200)
    expect((await registry.ask('GET', '/v2/library/a/manifests/v1')).status).toBe(200)
    const denied = await registry.ask('GET', '/v2/secret/x/manifests/v1')
    expect(denied).toMatchObject({ status: 403, codes: ['DENIED'] })
    expect((await registry.ask('GET', '/v2/_catalog')).json()).toEqual({ repositories: ['library/a'] })
  })

  it('refuses contradictions at the start', async () => {
    const auth = { kind: 'basic', users, anonymousPull: true } as const
    await expect(startEmbeddedRegistry({ auth, access })).rejects.toMatchObject({ code: 'USAGE' })
  })
})

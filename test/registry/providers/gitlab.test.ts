import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { gitlab } from '../../../src/registry/providers/gitlab.ts'
import { type FakeAnswer, json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type ApiScript, askScript, failureOf } from './ask-script.ts'
import { all } from './scripted-registry.ts'

const registry = 'registry.example.org'
const password = 'glpat-secretOfAda'
const credential = { kind: 'basic', username: 'ada', password } as const
const api = 'https://gitlab.example.org/api/v4'
const ping = `GET https://${registry}/v2/`
const realmed = (realm: string): FakeAnswer => ({
  status: 401,
  headers: { 'www-authenticate': `Bearer realm="${realm}",service="container_registry"` },
})
const challenged = { [ping]: realmed('https://gitlab.example.org/jwt/auth') }
const old = { repository: 'group/sub/project/app', tag: 'old', digest: digestOf('one'), force: false }
const byReference = `DELETE https://${registry}/v2/group/sub/project/app/tags/reference/old`
const repositoriesOf = (project: string) =>
  `GET ${api}/projects/${encodeURIComponent(project)}/registry/repositories?per_page=100`
const deletion = `DELETE ${api}/projects/9/registry/repositories/4/tags/old`
const absent = { status: 404, body: '{"message":"404 Project Not Found"}' }
const recorded = readRecorded('gitlab-repository') as object
const app = { ...recorded, id: 4, path: 'group/sub/project/app' }

const meet = (script: ApiScript, options = {}) =>
  askScript({ registry, credential, api: script, own: () => ({ status: 404 }), ...options })

describe('11. a tag at a GitLab whose registry deletes none', () => {
  it("is deleted by the way of GitLab's own registry where there is one", async () => {
    const { access, lines, ownLines } = meet({}, { own: () => ({ status: 202 }) })
    expect(await gitlab.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: false })
    expect(ownLines).toEqual([byReference])
    expect(lines).toEqual([])
  })

  it('else by the REST API, in the project that is found by its path', async () => {
    const { access, asked, lines, ownLines } = meet({
      ...challenged,
      [repositoriesOf('group/sub/project/app')]: absent,
      [repositoriesOf('group/sub/project')]: json([recorded, app]),
      [deletion]: { status: 200, body: '200' },
    })
    expect(await gitlab.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: false })
    expect(ownLines).toEqual([byReference])
    expect(lines).toEqual([
      ping,
      repositoriesOf('group/sub/project/app'),
      repositoriesOf('group/sub/project'),
      deletion,
    ])
    expect(asked[0]?.headers).toBeUndefined()
    for (const { headers } of asked.slice(1)) {
      expect(headers).toEqual({ accept: 'application/json', 'private-token': password })
    }
  })

  it('with the token of a job shows it as such', async () => {
    const job = { kind: 'basic', username: 'gitlab-ci-token', password: 'job-token-of-ci' } as const
    const { access, asked } = meet(
      {
        ...challenged,
        [repositoriesOf('group/sub/project/app')]: json([app]),
        [deletion]: { status: 204 },
      },
      { credential: job },
    )
    await gitlab.deleteTag?.(access, old)
    expect(asked.at(-1)?.headers).toEqual({ accept: 'application/json', 'job-token': 'job-token-of-ci' })
  })

  it('is found at a GitLab that lies below a path', async () => {
    const base = 'https://example.org/gitlab/api/v4'
    const list = `GET ${base}/projects/group%2Fapp/registry/repositories?per_page=100`
    const { access, lines } = meet({
      [ping]: realmed('https://example.org/gitlab/jwt/auth'),
      [list]: json([{ ...recorded, id: 4, path: 'group/app' }]),
      [`DELETE ${base}/projects/9/registry/repositories/4/tags/old`]: { status: 200 },
    })
    await gitlab.deleteTag?.(access, { ...old, repository: 'group/app' })
    expect(lines).toHaveLength(3)
  })

  it('is looked for in the paths that a project can have, two names above the image at most', async () => {
    const { access, lines } = meet({
      ...challenged,
      [repositoriesOf('a/b/c/d/e')]: absent,
      [repositoriesOf('a/b/c/d')]: absent,
      [repositoriesOf('a/b/c')]: json([]),
    })
    const { code, shown } = await failureOf(gitlab.deleteTag?.(access, { ...old, repository: 'a/b/c/d/e' }))
    expect(code).toBe('NOT_FOUND')
    expect(shown).toMatch(/gitlab\.example\.org shows this login no project with that image\n.*scope api/)
    expect(lines).toHaveLength(4)
  })

  it.each([
    [401, '{"message":"401 Unauthorized"}', 'UNAUTHORIZED', /401 Unauthorized \(401\)\n.*no deploy token/],
    [
      403,
      '{"error":"insufficient_scope","error_description":"The request requires higher privileges"}',
      'UNAUTHORIZED',
      /requires higher privileges \(403\)/,
    ],
    [429, 'Retry later', 'NETWORK', /Retry later \(429\)/],
    [502, '<html><title>502</title></html>', 'NETWORK', /\(502\)/],
  ])('refused with %i is told in the words of GitLab', async (status, body, code, shown) => {
    const { access } = meet({ ...challenged, [repositoriesOf('group/sub/project/app')]: { status, body } })
    const failure = await failureOf(gitlab.deleteTag?.(access, old))
    expect(failure.code).toBe(code)
    expect(failure.shown).toMatch(shown)
    expect(failure.shown).not.toContain(password)
  })

  it.each([
    ['plain http', realmed('http://gitlab.example.org/jwt/auth'), 'NETWORK'],
    ['a place that is no GitLab', realmed('https://auth.example.org/token'), 'UNSUPPORTED'],
    ['nowhere', { status: 200 }, 'UNSUPPORTED'],
  ])('sends no token to %s', async (_, answer, code) => {
    const { access, lines } = meet({ [ping]: answer })
    expect((await failureOf(gitlab.deleteTag?.(access, old))).code).toBe(code)
    expect(lines).toEqual([ping])
  })

  it('is not deleted by what is no list of repositories', async () => {
    const { access } = meet({ ...challenged, [repositoriesOf('group/sub/project/app')]: json({ id: 4 }) })
    expect((await failureOf(gitlab.deleteTag?.(access, old))).code).toBe('INTEGRITY')
  })
})

describe('24. the catalog of GitLab', () => {
  const projects = `GET ${api}/projects?membership=true&simple=true&order_by=id&per_page=100`

  it("is the images of the login's projects, all pages, without those whose registry is closed", async () => {
    const link = `<${api}/projects?membership=true&simple=true&order_by=id&per_page=100&page=2>; rel="next"`
    const { access } = meet({
      ...challenged,
      [projects]: { ...json([{ id: 1 }, { id: 2 }]), headers: { link } },
      [`${projects}&page=2`]: json([{ id: 9 }]),
      [repositoriesOf('1')]: { status: 403 },
      [repositoriesOf('2')]: { status: 404 },
      [repositoriesOf('9')]: json([recorded, app]),
    })
    expect(await all(gitlab.catalog?.(access))).toEqual(['group/project/releases', 'group/sub/project/app'])
  })

  it('does not go on at another host', async () => {
    const link = '<https://evil.example/projects?page=2>; rel="next"'
    const { access } = meet({ ...challenged, [projects]: { ...json([]), headers: { link } } })
    expect((await failureOf(all(gitlab.catalog?.(access)))).code).toBe('REGISTRY')
  })

  it('says what the login lacks', async () => {
    const { access } = meet({
      ...challenged,
      [projects]: { status: 401, body: '{"message":"401 Unauthorized"}' },
    })
    const { code, shown } = await failureOf(all(gitlab.catalog?.(access)))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).toContain('read_api')
  })
})

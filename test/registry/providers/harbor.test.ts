import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type Answers, all, refusals, scriptedRegistry } from './scripted-registry.ts'

const host = 'harbor.example.com'
const origin = `https://${host}`
const digest = digestOf('image')
const robot = { kind: 'basic', username: 'robot$ci', password: 'Vk9$x+/T=' } as const
const basic = `Basic ${Buffer.from('robot$ci:Vk9$x+/T=').toString('base64')}`
const there: FakeAnswer = { headers: { 'docker-content-digest': digest, 'content-length': '7' } }
const bearer = `Bearer realm="${origin}/service/token",service="harbor-registry"`

/** What tells that it is Harbor, and that it does not delete by tag. */
function byTagRefused(repository: string): Answers {
  const unsupported = {
    code: 'UNSUPPORTED',
    message: 'unsupported digest v1: invalid checksum digest format',
  }
  return {
    [`HEAD ${origin}/v2/${repository}/manifests/v1`]: there,
    [`DELETE ${origin}/v2/${repository}/manifests/v1`]: json({ errors: [unsupported] }, 400),
    [`GET ${origin}/v2/`]: challenge(bearer),
  }
}
const untag = (repository: string) =>
  `DELETE ${origin}/api/v2.0/projects/team/repositories/${repository}/artifacts/${digest}/tags/v1`

describe('a tag at Harbor', () => {
  it.each([
    ['app', 'app'],
    ['backend/app', 'backend%252Fapp'],
    ['a/b/c', 'a%252Fb%252Fc'],
  ])('11. of team/%s is deleted by its own API after the registry API refused', async (name, encoded) => {
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      { ...byTagRefused(`team/${name}`), [untag(encoded)]: { status: 200 } },
    )
    expect(await deleteImage(network.registry.repository(`team/${name}`), 'v1')).toMatchObject({
      tags: ['v1'],
      manifest: false,
    })
    expect(network.lines.at(-1)).toBe(untag(encoded))
    expect(network.authorizations.at(-1)).toBe(basic)
    expect(network.lines.filter(line => line.includes('DELETE'))).toHaveLength(2)
  })

  it.each(refusals)('stays where that is answered with %s', async (_, answer, code) => {
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      { ...byTagRefused('team/app'), [untag('app')]: answer },
    )
    const deleted = deleteImage(network.registry.repository('team/app'), 'v1', { force: true })
    const error = await deleted.catch(cause => cause)
    expect(error).toMatchObject({
      code,
      message: expect.stringContaining(`cannot delete ${host}/team/app:v1`),
    })
    expect(network.lines.at(-1)).toBe(untag('app'))
  })

  it('that the login may not delete stays, and what it lacks is said', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      { ...byTagRefused('team/app'), [untag('app')]: json({ errors: [{ code: 'FORBIDDEN' }] }, 403) },
    )
    const deleted = deleteImage(network.registry.repository('team/app'), 'v1')
    await expect(deleted).rejects.toMatchObject({
      hint: expect.stringContaining('delete tags in the project'),
    })
  })

  it('is deleted with the login that is kept for its path', async () => {
    const network = scriptedRegistry(
      { registry: host, byRepository: { 'team/app': robot } },
      { ...byTagRefused('team/app'), [untag('app')]: { status: 200 } },
    )
    await deleteImage(network.registry.repository('team/app'), 'v1')
    expect(network.authorizations.at(-1)).toBe(basic)
  })

  it('shows no login in an error that repeats the request', async () => {
    const answer = { status: 400, body: `bad request: authorization: ${basic}` }
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      { ...byTagRefused('team/app'), [untag('app')]: answer },
    )
    const deleted = deleteImage(network.registry.repository('team/app'), 'v1')
    const error = await deleted.catch(cause => cause)
    expect(error.message).toContain('bad request')
    expect(error.message).not.toContain(basic.slice('Basic '.length))
  })
})

describe('the catalog of Harbor', () => {
  const closed: Answers = {
    [`GET ${origin}/v2/_catalog?n=1000`]: challenge('Basic realm="harbor"'),
    [`GET ${origin}/v2/`]: challenge(bearer),
  }
  const page = (at: number) => `GET ${origin}/api/v2.0/repositories?page=${at}&page_size=100`
  const link = '</api/v2.0/repositories?page=2&page_size=100>; rel="next"'

  it('24. is read with a Basic login, where that may', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      {
        [`GET ${origin}/v2/_catalog?n=1000`]: ({ headers }) =>
          headers?.authorization === basic
            ? json({ repositories: ['team/app'] })
            : challenge('Basic realm="harbor"'),
      },
    )
    expect(await all(network.registry.catalog())).toEqual(['team/app'])
  })

  it('is listed by its own API otherwise, page by page', async () => {
    const back = '</api/v2.0/repositories?page=1&page_size=100>; rel="prev"'
    const network = scriptedRegistry(
      { registry: host, credential: robot },
      {
        ...closed,
        [page(1)]: { ...json([{ id: 1, name: 'team/app' }]), headers: { link } },
        [page(2)]: { ...json([readRecorded('harbor-repository')]), headers: { link: back } },
      },
    )
    expect(await all(network.registry.catalog())).toEqual(['team/app', 'team/backend/app'])
    expect(network.authorizations.slice(-2)).toEqual([basic, basic])
  })

  it('is listed without a login as far as it is public', async () => {
    const network = scriptedRegistry({ registry: host }, { ...closed, [page(1)]: json(null) })
    expect(await all(network.registry.catalog())).toEqual([])
    expect(network.authorizations.at(-1)).toBeUndefined()
  })

  it('ends at a page that was there before', async () => {
    const again = '</api/v2.0/repositories?page=1&page_size=100>; rel="next"'
    const network = scriptedRegistry(
      { registry: host },
      { ...closed, [page(1)]: { ...json([{ name: 'team/app' }]), headers: { link: again } } },
    )
    expect(await all(network.registry.catalog())).toEqual(['team/app'])
  })

  it.each([
    ['no JSON', { body: '<html>' }, 'INTEGRITY'],
    ['another shape', json({ repositories: [] }), 'INTEGRITY'],
    ['names that are none', json([{ name: 7 }]), 'INTEGRITY'],
    ['a Link elsewhere', { ...json([]), headers: { link: '<https://evil.example/>; rel=next' } }, 'REGISTRY'],
    ...refusals.map(([name, answer, code]) => [name, answer, code] as const),
  ] as const)('is not listed where the answer is %s', async (_, answer, code) => {
    const network = scriptedRegistry({ registry: host, credential: robot }, { ...closed, [page(1)]: answer })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({ code })
    expect(network.lines.join()).not.toContain('evil')
  })

  it('24. that nobody may read is said to need a login', async () => {
    const network = scriptedRegistry({ registry: host }, { ...closed, [page(1)]: { status: 401 } })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining(`dray login ${host}`),
    })
  })
})

describe('a search at Harbor', () => {
  const asked = `GET ${origin}/api/v2.0/search?q=app`
  const answer = json(readRecorded('harbor-search'))
  const open = { [`GET ${origin}/v2/`]: challenge(bearer) }

  it('finds names and how often they were pulled', async () => {
    const network = scriptedRegistry({ registry: host, credential: robot }, { ...open, [asked]: answer })
    const unknown = { description: null, stars: null, official: null }
    expect(await all(network.registry.search('app'))).toEqual([
      { name: `${host}/team/app`, pulls: 7, ...unknown },
      { name: `${host}/team/app-web`, pulls: null, ...unknown },
    ])
    expect(network.authorizations.at(-1)).toBe(basic)
  })

  it('finds names that hold every one of the words', async () => {
    const network = scriptedRegistry({ registry: host }, { ...open, [asked]: answer })
    const [found, ...others] = await all(network.registry.search('App WEB'))
    expect(found?.name).toBe(`${host}/team/app-web`)
    expect(others).toEqual([])
  })

  it('finds nothing where there is nothing', async () => {
    const nothing = json({ project: null, repository: null })
    const network = scriptedRegistry({ registry: host }, { ...open, [asked]: nothing })
    expect(await all(network.registry.search('app'))).toEqual([])
  })

  it.each(refusals)('fails where the answer is %s', async (_, refusal, code) => {
    const network = scriptedRegistry({ registry: host }, { ...open, [asked]: refusal })
    await expect(all(network.registry.search('app'))).rejects.toMatchObject({ code })
  })
})

import nock from 'nock'
import { describe, expect, it } from 'vitest'
import { useDialogues } from './dialogue.ts'

const meet = useDialogues()
const origin = 'https://reg.example'
const path = '/v2/app/tags/list'
const next = (target: string) => ({ link: `<${target}>; rel="next"` })

const page = (query: Record<string, string | number>, tags: string[] | null, headers = {}) =>
  nock(origin).get(path).query(query).reply(200, { name: 'app', tags }, headers)

async function tags(pageSize?: number): Promise<string[]> {
  return list(meet('reg.example').registry.repository('app').tags(pageSize))
}

async function list(names: AsyncIterable<string>): Promise<string[]> {
  const listed: string[] = []
  for await (const name of names) listed.push(name)
  return listed
}

describe('tags are listed', () => {
  it('from one page of a thousand', async () => {
    page({ n: 1000 }, ['v1', 'v2'])
    expect(await tags()).toEqual(['v1', 'v2'])
  })

  it.each([
    ['a relative Link', `${path}?n=2&last=b`],
    ['an absolute Link', `${origin}${path}?n=2&last=b`],
    ['a Link by another scheme', `http://reg.example${path}?n=2&last=b`],
    ['a Link that lost half of its path (Artifactory)', '/app/tags/list?n=2&last=b'],
  ])('page by page after %s', async (_, target) => {
    page({ n: 2 }, ['a', 'b'], next(target))
    page({ n: 2, last: 'b' }, ['c'])
    expect(await tags(2)).toEqual(['a', 'b', 'c'])
  })

  it('page by page after a Link with a comma behind', async () => {
    page({ n: 2 }, ['a', 'b'], { link: `<${path}?last=b&n=2>; rel="next",` })
    page({ n: 2, last: 'b' }, ['c'])
    expect(await tags(2)).toEqual(['a', 'b', 'c'])
  })

  it('with the page size of the Link', async () => {
    page({ n: 2 }, ['a'], next(`${path}?n=100&next_page=token`))
    page({ n: 100, next_page: 'token' }, ['b'])
    expect(await tags(2)).toEqual(['a', 'b'])
  })

  it('to the first page that was there before', async () => {
    page({ n: 2 }, ['a', 'b'], next(`${path}?n=2&last=b`))
    page({ n: 2, last: 'b' }, ['c'], next(`${path}?n=2`))
    expect(await tags(2)).toEqual(['a', 'b', 'c'])
  })

  it('to a page that names itself', async () => {
    page({ n: 2 }, ['a'], next(`${path}?n=2`))
    expect(await tags(2)).toEqual(['a'])
  })

  it('once each, where pages overlap', async () => {
    page({ n: 2 }, ['a', 'b'], next('?last=a'))
    page({ last: 'a' }, ['b', 'c'])
    expect(await tags(2)).toEqual(['a', 'b', 'c'])
  })

  it('as none where they are null', async () => {
    page({ n: 1000 }, null)
    expect(await tags()).toEqual([])
  })

  it('out of an answer with more in it (Google)', async () => {
    nock(origin)
      .get(path)
      .query({ n: 1000 })
      .reply(200, {
        child: [],
        manifest: { 'sha256:x': { imageSizeBytes: '1', tag: ['v1'] } },
        name: 'app',
        tags: ['v1'],
      })
    expect(await tags()).toEqual(['v1'])
  })

  it('by a thousand at the most', async () => {
    page({ n: 1000 }, ['a'])
    expect(await tags(5000)).toEqual(['a'])
  })

  it.each([
    [
      400,
      { errors: [{ code: 'PAGINATION_NUMBER_INVALID', message: 'invalid number of results requested' }] },
    ],
    [
      405,
      { errors: [{ code: 'UNSUPPORTED', message: 'Member must have value less than or equal to 1000' }] },
    ],
  ])('as many as the registry likes, where it refuses ours with %i', async (status, body) => {
    nock(origin).get(path).query({ n: 1000 }).reply(status, body)
    page({}, ['a'], next('?last=a'))
    page({ last: 'a' }, ['b'])
    expect(await tags()).toEqual(['a', 'b'])
  })

  it('lazily: who stops early asks for no other page', async () => {
    page({ n: 2 }, ['a', 'b'], next('?last=b'))
    for await (const tag of meet('reg.example').registry.repository('app').tags(2)) {
      expect(tag).toBe('a')
      break
    }
  })
})

describe('a list is an error', () => {
  it('when a Link leads to another host, after the names before it', async () => {
    page({ n: 2 }, ['a'], next('https://evil.example/v2/app/tags/list?last=a'))
    const listed: string[] = []
    const listing = (async () => {
      for await (const tag of meet('reg.example').registry.repository('app').tags(2)) listed.push(tag)
    })()
    await expect(listing).rejects.toMatchObject({
      code: 'REGISTRY',
      message: 'reg.example continues its list at another host, evil.example; not followed',
    })
    expect(listed).toEqual(['a'])
  })

  it.each([
    [404, 'NOT_FOUND'],
    [403, 'UNAUTHORIZED'],
    [405, 'UNSUPPORTED'],
    [400, 'REGISTRY'],
  ])('when the registry answers %i', async (status, code) => {
    nock(origin)
      .get(path)
      .query(true)
      .times(status === 400 || status === 405 ? 2 : 1)
      .reply(status, { errors: [{ code: 'X', message: 'no' }] })
    await expect(tags()).rejects.toMatchObject({
      code,
      message: `cannot list the tags of reg.example/app: no (${status} X)`,
    })
  })
})

describe('the catalog', () => {
  it('is listed page by page', async () => {
    nock(origin)
      .get('/v2/_catalog')
      .query({ n: 1000 })
      .reply(200, { repositories: ['a', 'b/c'] }, { link: '</v2/_catalog?last=b%2Fc&n=1000>; rel="next"' })
    nock(origin)
      .get('/v2/_catalog')
      .query({ n: 1000, last: 'b/c' })
      .reply(200, { repositories: ['d'] })
    expect(await list(meet('reg.example').registry.catalog())).toEqual(['a', 'b/c', 'd'])
  })

  it.each([
    [401, 'UNAUTHORIZED'],
    [403, 'UNAUTHORIZED'],
    [404, 'UNSUPPORTED'],
    [405, 'UNSUPPORTED'],
  ])('that is closed with %i is told with a hint', async (status, code) => {
    nock(origin)
      .get(/\/v2\/(_catalog)?/)
      .query(true)
      .reply(status, 'no')
      .persist()
    await expect(list(meet('reg.example').registry.catalog())).rejects.toMatchObject({
      code,
      status,
      message: `cannot list reg.example: no (${status})`,
      hint: expect.stringContaining('keep their catalog closed'),
    })
    nock.cleanAll()
  })
})

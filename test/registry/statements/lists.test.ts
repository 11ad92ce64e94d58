import { describe, expect, it } from 'vitest'
import type { Credential } from '../../../src/credential.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { playTurns, type Turn } from '../turns.ts'
import { anna, annasBasic } from './speech.ts'

const list = 'https://reg.example/v2/app/tags/list'

/** A page of tags, and the Link that comes with it. */
const page = (tags: readonly string[] | null, link?: string): FakeAnswer => ({
  ...json({ name: 'app', tags }),
  headers: link === undefined ? {} : { link },
})

const turn = (search: string, answer: FakeAnswer): Turn => [`GET ${list}${search}`, undefined, answer]

async function tagsOf(turns: readonly Turn[], pageSize?: number): Promise<string[]> {
  const { registry, expectTold } = playTurns('reg.example', turns)
  const tags: string[] = []
  for await (const tag of registry.repository('app').tags(pageSize)) tags.push(tag)
  expectTold()
  return tags
}

describe('tags', () => {
  it.each([
    ['relative (distribution)', '</v2/app/tags/list?last=b&n=2>; rel="next"', '?last=b&n=2'],
    ['absolute (Quay)', `<${list}?last=b&n=2>; rel="next"`, '?last=b&n=2'],
    ['older Quay', `<${list}?n=2&next_page=gAAAAA%3D%3D>; rel="next"`, '?n=2&next_page=gAAAAA%3D%3D'],
    [
      'with an empty orderby (ACR)',
      '</v2/app/tags/list?last=b&n=2&orderby=>; rel="next"',
      '?last=b&n=2&orderby=',
    ],
    ['with a comma behind', '</v2/app/tags/list?last=b&n=2>; rel="next",', '?last=b&n=2'],
    ['without quotes', '</v2/app/tags/list?last=b&n=2>;rel=next', '?last=b&n=2'],
  ])('8. go on where a Link says that is %s', async (_, link, next) => {
    expect(await tagsOf([turn('?n=2', page(['a', 'b'], link)), turn(next, page(['c']))], 2)).toEqual([
      'a',
      'b',
      'c',
    ])
  })

  it('8. go on at no other origin', async () => {
    const link = '<https://evil.example/v2/app/tags/list?last=b>; rel="next"'
    await expect(tagsOf([turn('?n=1000', page(['a'], link))])).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('evil.example; not followed'),
    })
  })

  it('8. end at a page that was there before', async () => {
    const back = '</v2/app/tags/list?n=2>; rel="next"'
    const on = '</v2/app/tags/list?n=2&last=a>; rel="next"'
    expect(await tagsOf([turn('?n=2', page(['a'], on)), turn('?n=2&last=a', page(['b'], back))], 2)).toEqual([
      'a',
      'b',
    ])
  })

  it("9. go on with last= on the original URL where Artifactory's Link has lost repository key and /v2", async () => {
    const key = 'https://h.example/v2/docker-local/app/tags/list'
    const { registry, expectTold } = playTurns('h.example', [
      [`GET ${key}?n=2`, undefined, page(['a', 'b'], '</app/tags/list?last=b&n=2>; rel="next",')],
      [`GET ${key}?last=b&n=2`, undefined, page(['c'])],
    ])
    const tags: string[] = []
    for await (const tag of registry.repository('docker-local/app').tags(2)) tags.push(tag)
    expect(tags).toEqual(['a', 'b', 'c'])
    expectTold()
  })

  it('10. are never asked for by more than a thousand', async () => {
    expect(await tagsOf([turn('?n=1000', page(['a']))], 100_000)).toEqual(['a'])
  })

  it.each([
    ['400 (distribution)', 400, { errors: [{ code: 'PAGINATION_NUMBER_INVALID', message: 'invalid n' }] }],
    [
      '405 (ECR)',
      405,
      { errors: [{ code: 'UNSUPPORTED', message: 'must have value less than or equal to 1000' }] },
    ],
  ])('10. are asked for by fewer where a page is too large: %s', async (_, status, body) => {
    const link = '</v2/app/tags/list?last=a&n=50>; rel="next"'
    expect(
      await tagsOf([
        turn('?n=1000', json(body, status)),
        turn('', page(['a'], link)),
        turn('?last=a&n=50', page(['b'])),
      ]),
    ).toEqual(['a', 'b'])
  })

  it('also: "tags":null is no tag (distribution 2.x)', async () => {
    expect(await tagsOf([turn('?n=1000', page(null))])).toEqual([])
  })

  it("also: Google's more is passed over", async () => {
    const manifest = { 'sha256:a': { imageSizeBytes: '7', tag: ['v1'], timeCreatedMs: '0' } }
    expect(await tagsOf([turn('?n=1000', json({ child: [], manifest, name: 'app', tags: ['v1'] }))])).toEqual(
      ['v1'],
    )
  })
})

describe('the catalog', () => {
  const catalog = 'GET https://reg.example/v2/_catalog?n=1000'
  const names = async (turns: readonly Turn[], credential?: Credential) => {
    const { registry, expectTold } = playTurns('reg.example', turns, { credential, provider: 'distribution' })
    const found: string[] = []
    for await (const name of registry.catalog()) found.push(name)
    expectTold()
    return found
  }

  it.each([
    [401, 'UNAUTHORIZED'],
    [403, 'UNAUTHORIZED'],
    [404, 'UNSUPPORTED'],
    [405, 'UNSUPPORTED'],
  ])('24. that is closed with %i says so, and why that may be', async (status, code) => {
    const closed = json({ errors: [{ code: 'X', message: 'no' }] }, status)
    const turns: Turn[] = [[catalog, undefined, closed]]
    if (status === 401) turns.push(['GET https://reg.example/v2/', undefined, { status: 200 }])
    if (status === 405) turns.push([catalog.split('?')[0] ?? '', undefined, closed])
    await expect(names(turns)).rejects.toMatchObject({
      code,
      status,
      message: `cannot list reg.example: no (${status} X)`,
      hint: 'many registries keep their catalog closed or open it to administrators only',
    })
  })

  it('24. that asks for Basic is opened so, beside tokens for the rest (Harbor)', async () => {
    const tags = 'GET https://reg.example/v2/app/tags/list?n=1000'
    const { registry, expectTold } = playTurns(
      'reg.example',
      [
        [
          tags,
          undefined,
          challenge(
            'Bearer realm="https://reg.example/service/token",service="harbor-registry",scope="repository:app:pull"',
          ),
        ],
        [
          'GET https://reg.example/service/token?service=harbor-registry&scope=repository%3Aapp%3Apull&client_id=dray',
          annasBasic,
          json({ token: 't', access_token: '' }),
        ],
        [tags, 'Bearer t', page(['v1'])],
        [catalog, undefined, challenge('Basic realm="harbor"')],
        [catalog, annasBasic, json({ repositories: ['app'] })],
      ],
      { credential: anna },
    )
    for await (const tag of registry.repository('app').tags()) expect(tag).toBe('v1')
    for await (const name of registry.catalog()) expect(name).toBe('app')
    expectTold()
  })
})

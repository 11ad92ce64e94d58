import { describe, expect, it } from 'vitest'
import { nextPage } from '../../src/registry/pages.ts'
import { startFront } from './front.ts'

const current = new URL('https://h:5000/v2/app/tags/list?n=2')

describe('the next page', () => {
  it.each<[what: string, link: string | undefined, expected: string | undefined]>([
    ['none without a Link', undefined, undefined],
    ['none of an empty Link', '', undefined],
    ['none of another relation', '</v2/app/tags/list?last=b>; rel="prev"', undefined],
    ['none of a relation that only begins so', '</v2/app/tags/list?last=b>; rel="nextish"', undefined],
    ['none of no URL', '<https://>; rel="next"', undefined],
    ['none of garbage', 'next', undefined],
    ['relative', '</v2/app/tags/list?last=b&n=2>; rel="next"', '?last=b&n=2'],
    ['absolute', '<https://h:5000/v2/app/tags/list?last=b&n=2>; rel="next"', '?last=b&n=2'],
    [
      'on the same host by another scheme and port',
      '<http://h/v2/app/tags/list?last=b>; rel="next"',
      '?last=b',
    ],
    ['without quotes, in any case', '<?last=b>;REL=Next', '?last=b'],
    ['with other parameters before', '<?last=b>; title="x"; rel="next"', '?last=b'],
    ['with a comma behind (Artifactory)', '</v2/app/tags/list?last=b&n=2>; rel="next",', '?last=b&n=2'],
    ['of a path that lost its half (Artifactory)', '</app/tags/list?last=b&n=2>; rel="next"', '?last=b&n=2'],
    ['behind another relation', '<?last=a>; rel="prev", <?last=b>; rel="next"', '?last=b'],
    ['before another relation', '<?last=b>; rel="next", <?last=a>; rel="prev"', '?last=b'],
    [
      'that ends in an empty parameter (ACR)',
      '</v2/app/tags/list?last=b&n=2&orderby=>; rel="next"',
      '?last=b&n=2&orderby=',
    ],
    [
      'with a token (Quay)',
      '<https://h:5000/v2/app/tags/list?n=2&next_page=gAAA%3D>; rel="next"',
      '?n=2&next_page=gAAA%3D',
    ],
  ])('is %s', (_, link, expected) => {
    const next = nextPage(link, current)
    expect(next?.href).toBe(expected === undefined ? undefined : `https://h:5000/v2/app/tags/list${expected}`)
  })

  it.each(['https://evil/v2/app/tags/list?last=b', '//evil/?last=b', 'https://h.evil/?last=b'])(
    'is refused at another host: %s',
    target => {
      expect(() => nextPage(`<${target}>; rel="next"`, current)).toThrow(
        expect.objectContaining({
          code: 'REGISTRY',
          message: expect.stringMatching(/another host, \S*evil; not followed/),
        }),
      )
    },
  )

  it.each(['<', '<a', '<>;', '<>; rel='])('is looked for in little time in 16 KiB of %s', piece => {
    const start = performance.now()
    nextPage(piece.repeat((16 * 1024) / piece.length), current)
    expect(performance.now() - start).toBeLessThan(200)
  })
})

it('a list of empty pages without end ends', async () => {
  await using front = await startFront(({ path }, response) => {
    const last = Number(new URL(path, 'http://h').searchParams.get('last')) + 1
    response.writeHead(200, { link: `<?last=${last}>; rel="next"` }).end('{"tags":[]}')
  })
  await expect(list(front.repository.tags())).rejects.toMatchObject({
    code: 'REGISTRY',
    message: `cannot list the tags of ${front.host}/app: the registry sends pages without end`,
  })
  expect(front.seen).toHaveLength(1001)
})

describe('a page that is no list of names is malformed', () => {
  it.each(['', 'not JSON', '[]', 'null', '"text"', '{"tags":"v1"}', '{"tags":[1]}', '{"tags":{"a":"b"}}'])(
    '%s',
    async body => {
      await using front = await startFront((_, response) => response.end(body))
      await expect(list(front.repository.tags())).rejects.toMatchObject({
        code: 'INTEGRITY',
        message: `cannot list the tags of ${front.host}/app: the answer is not a list of tags`,
      })
    },
  )

  it.each(['{}', '{"tags":null}', '{"tags":[]}', '{"name":"app","tags":[],"child":[]}'])(
    'but %s is an empty one',
    async body => {
      await using front = await startFront((_, response) => response.end(body))
      expect(await list(front.repository.tags())).toEqual([])
    },
  )
})

async function list(names: AsyncIterable<string>): Promise<string[]> {
  const listed: string[] = []
  for await (const name of names) listed.push(name)
  return listed
}

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { putSample, sampleImage } from '../../support/sample-image.ts'

const image = sampleImage('one')
const tags = ['1.0', '1.10', '1.2', 'Latest', '_x', 'a', 'latest', 'v1', 'v1.', 'v1..2', 'z'.repeat(128)]
const repositories = ['a', 'a.b', 'a/b', 'a/b/c', 'b', 'tags/list', 'x/manifests/y']

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
  for (const repository of repositories) await registry.putImage(repository, image, 'v1')
  const layout = await openLayout(join(registry.dir, 'many'), { create: true })
  await putSample(layout, image, [...tags, 'docker.io/library/no:tag'].reverse())
  await mkdir(join(registry.dir, 'no-layout'))
  await mkdir(join(registry.dir, 'Upper'))
  await writeFile(join(registry.dir, 'Upper', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(registry.dir, 'README.md'), 'a file')
})
afterAll(() => registry[Symbol.asyncDispose]())

const lists = [
  { what: 'tags', path: '/v2/many/tags/list', field: 'tags', all: tags },
  {
    what: 'repositories',
    path: '/v2/_catalog',
    field: 'repositories',
    all: [...repositories, 'many'].sort(),
  },
]

async function list(path: string, field: string): Promise<{ names: string[]; next: string | undefined }> {
  const answer = await registry.ask('GET', path)
  expect(answer.status).toBe(200)
  const [, next] = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link)) ?? []
  const names = (answer.json() as Record<string, string[]>)[field] ?? []
  return { names, next }
}

describe.each(lists)('the list of $what', ({ path, field, all }) => {
  it('is whole and in order without n', async () => {
    expect(await list(path, field)).toEqual({ names: all, next: undefined })
  })

  it('is the same in pages of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: all.length + 2 }), async size => {
        const found: string[] = []
        let next: string | undefined = `${path}?n=${size}`
        while (next !== undefined) {
          const page: Awaited<ReturnType<typeof list>> = await list(next, field)
          expect(page.names.length).toBeLessThanOrEqual(size)
          expect(page.names.length).toBeGreaterThan(0)
          found.push(...page.names)
          next = page.next
        }
        expect(found).toEqual(all)
      }),
    )
  })

  it('goes on behind last, which need not be in it', async () => {
    expect((await list(`${path}?last=b!`, field)).names).toEqual(all.filter(name => name > 'b!'))
    expect((await list(`${path}?last=zzzz`, field)).next).toBeUndefined()
  })

  it('is empty with n=0, and has no next page', async () => {
    expect(await list(`${path}?n=0`, field)).toEqual({ names: [], next: undefined })
  })

  it('goes on with the query that it was asked by', async () => {
    const { next } = await list(`${path}?ns=example.com&n=2&last=a`, field)
    expect(next).toMatch(/^[^?]+\?ns=example.com&n=2&last=/)
  })

  it('takes any n that is a number', async () => {
    expect((await list(`${path}?n=99999999999`, field)).next).toBeUndefined()
  })

  it.each(['-1', 'x', '1.5'])('refuses n=%s', async n => {
    const answer = await registry.ask('GET', `${path}?n=${n}`)
    expect(answer).toMatchObject({ status: 400, codes: ['UNSUPPORTED'] })
  })
})

describe('the list of tags', () => {
  it('is refused for a repository that is not there', async () => {
    for (const repository of ['none', 'no-layout']) {
      const answer = await registry.ask('GET', `/v2/${repository}/tags/list`)
      expect(answer).toMatchObject({ status: 404, codes: ['NAME_UNKNOWN'] })
    }
  })

  it('names the repository, whatever its parts are called', async () => {
    for (const repository of repositories) {
      const answer = await registry.ask('GET', `/v2/${repository}/tags/list`)
      expect(answer.json()).toEqual({ name: repository, tags: ['v1'] })
    }
  })
})

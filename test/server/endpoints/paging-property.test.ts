import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { layoutFileText } from '../../../src/layout/layout-file.ts'
import { descriptorOf } from '../../../src/oci/manifest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { putSample, sampleImage, sampleIndex } from '../../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const image = sampleImage('one')
const characters = [...'abzABZ019_.-']

const tag = fc
  .tuple(
    fc.constantFrom(...characters.filter(one => /\w/.test(one))),
    fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 }),
  )
  .map(([first, rest]) => first + rest)
/** Names as their parts are, of which some are the beginnings of others. */
const name = fc
  .array(fc.stringMatching(/^[a-c][a-c0]{0,2}$/), { minLength: 1, maxLength: 3 })
  .map(parts => parts.join('/'))
const artifactType = fc.constantFrom('x/one', 'x/two')
const size = fc.integer({ min: 1, max: 12 })
/** Where a listing goes on: at one of its names, beside them, or with what needs quoting in a URL. */
const last = (own: fc.Arbitrary<string>) =>
  fc.oneof(own, fc.string({ unit: 'grapheme', maxLength: 5 }), fc.constant(''))

interface Listing {
  readonly registry: EmbeddedRegistry
  readonly path: string
  /** The names in an answer's body. */
  readonly namesIn: (json: unknown) => readonly string[]
}

interface Pages {
  readonly names: readonly string[]
  readonly lengths: readonly number[]
}

/** All pages, from `last` on, by the links from one to the next. */
async function follow({ registry, path, namesIn }: Listing, query: Record<string, string>): Promise<Pages> {
  const names: string[] = []
  const lengths: number[] = []
  let next: string | undefined = `${path}?${new URLSearchParams(query)}`
  while (next !== undefined) {
    const answer = await registry.ask('GET', next)
    expect(answer.status).toBe(200)
    const page = namesIn(answer.json())
    names.push(...page)
    lengths.push(page.length)
    const { link } = answer.headers
    const target: string | undefined = /^<(\/v2\/[^>]+)>; rel="next"$/.exec(String(link))?.[1]
    expect(target === undefined).toBe(link === undefined)
    next = target
    // A listing that does not end would be one that never fails.
    expect(lengths.length).toBeLessThan(100)
  }
  return { names, lengths }
}

/** Each name behind `last` once and in order, in full pages up to the final one. */
async function expectPages(
  listing: Listing,
  all: Iterable<string>,
  query: { n: string; last: string },
): Promise<void> {
  const expected = [...new Set(all)].sort().filter(one => one > query.last)
  const { names, lengths } = await follow(listing, query)
  expect(names).toEqual(expected)
  const n = Number(query.n)
  expect(lengths.slice(0, -1)).toEqual(Array(Math.max(Math.ceil(expected.length / n) - 1, 0)).fill(n))
  expect(lengths.at(-1)).toBeLessThanOrEqual(n)
}

describe('following the links of a listing gives each name once, in order,', () => {
  it('of tags, whatever they are, wherever it begins and however long its pages are', async () => {
    let count = 0
    const tags = fc.uniqueArray(tag, { maxLength: 20 })
    const property = fc.asyncProperty(tags, size, last(tag), async (all, n, from) => {
      count += 1
      const layout = await openLayout(join(registry.dir, `tags${count}`), { create: true })
      await putSample(layout, image, all)
      const namesIn = (json: unknown) => (json as { tags: string[] }).tags
      await expectPages({ registry, path: `/v2/tags${count}/tags/list`, namesIn }, all, {
        n: `${n}`,
        last: from,
      })
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('of repositories, of which some lie within others', async () => {
    const repositories = fc.uniqueArray(name, { maxLength: 12 })
    const namesIn = (json: unknown) => (json as { repositories: string[] }).repositories
    const property = fc.asyncProperty(repositories, size, last(name), async (all, n, from) => {
      await using own = await startEmbeddedRegistry()
      for (const one of all) {
        await mkdir(join(own.dir, one), { recursive: true })
        await writeFile(join(own.dir, one, 'oci-layout'), layoutFileText)
      }
      await expectPages({ registry: own, path: '/v2/_catalog', namesIn }, all, { n: `${n}`, last: from })
    })
    await fc.assert(property, { numRuns: 40 })
  })

  it('of referrers, with a filter and without', async () => {
    let count = 0
    const types = fc.array(artifactType, { maxLength: 15 })
    const filter = fc.option(artifactType)
    const subject = descriptorOf(image.manifest)
    const digest = fc.stringMatching(/^sha256:[0-9a-f]{64}$/)
    const property = fc.asyncProperty(types, filter, size, last(digest), async (all, wanted, n, from) => {
      count += 1
      const layout = await openLayout(join(registry.dir, `referrers${count}`), { create: true })
      const referrers = all.map((type, number) =>
        sampleIndex([], { subject, artifactType: type, annotations: { number: `${number}` } }),
      )
      for (const referrer of referrers) await layout.putManifest(referrer, [])
      const namesIn = (json: unknown) =>
        (json as { manifests: { digest: string }[] }).manifests.map(one => one.digest)
      const listing = { registry, path: `/v2/referrers${count}/referrers/${subject.digest}`, namesIn }
      const fitting = referrers.filter((_, number) => wanted === null || all[number] === wanted)
      const query = { n: `${n}`, last: from, ...(wanted === null ? {} : { artifactType: wanted }) }
      await expectPages(
        listing,
        fitting.map(one => one.digest),
        query,
      )
    })
    await fc.assert(property, { numRuns: 25 })
  })
})

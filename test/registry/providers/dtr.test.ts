import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type Answers, all, refusals, scriptedRegistry } from './scripted-registry.ts'

const host = 'dtr.example.com'
const origin = `https://${host}`
const login = { kind: 'basic', username: 'ci', password: 'dtr-passw0rd' } as const
const basic = `Basic ${Buffer.from('ci:dtr-passw0rd').toString('base64')}`
const ping = challenge(`Bearer realm="${origin}/auth/token",service="dtr",scope="registry:catalog:*"`)
const there: FakeAnswer = {
  headers: { 'docker-content-digest': digestOf('image'), 'content-length': '7' },
}

describe('a tag at Docker Trusted Registry', () => {
  const refused: Answers = {
    [`GET ${origin}/v2/`]: ping,
    [`HEAD ${origin}/v2/acme/app/manifests/v1`]: there,
    [`DELETE ${origin}/v2/acme/app/manifests/v1`]: json({ errors: [{ code: 'UNSUPPORTED' }] }, 405),
  }
  const untag = `DELETE ${origin}/api/v0/repositories/acme/app/tags/v1`

  it('11. is deleted by its own API after the registry API refused', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: login },
      { ...refused, [untag]: { status: 204 } },
    )
    expect(await deleteImage(network.registry.repository('acme/app'), 'v1')).toMatchObject({
      tags: ['v1'],
      manifest: false,
    })
    expect(network.lines.at(-1)).toBe(untag)
    expect(network.authorizations.at(-1)).toBe(basic)
  })

  it.each(refusals)('stays where that is answered with %s', async (_, answer, code) => {
    const network = scriptedRegistry({ registry: host, credential: login }, { ...refused, [untag]: answer })
    const deleted = deleteImage(network.registry.repository('acme/app'), 'v1', { force: true })
    await expect(deleted).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`cannot delete ${host}/acme/app:v1`),
    })
    expect(network.lines.at(-1)).toBe(untag)
  })
})

it('4. the first of two tokens is the one that opens the registry', async () => {
  const list = `GET ${origin}/v2/acme/app/tags/list?n=1000`
  const scope = encodeURIComponent('repository:acme/app:pull')
  const network = scriptedRegistry(
    { registry: host, credential: login },
    {
      [list]: ({ headers }) =>
        headers?.authorization === 'Bearer right'
          ? json({ tags: ['v1'] })
          : challenge(`Bearer realm="${origin}/auth/token",service="dtr",scope="repository:acme/app:pull"`),
      [`GET ${origin}/auth/token?service=dtr&scope=${scope}&client_id=dray`]: json({
        token: 'right',
        access_token: 'wrong',
      }),
    },
  )
  expect(await all(network.registry.repository('acme/app').tags())).toEqual(['v1'])
})

describe('the catalog of Docker Trusted Registry', () => {
  const closed: Answers = {
    [`GET ${origin}/v2/`]: ping,
    [`GET ${origin}/v2/_catalog?n=1000`]: { status: 403 },
  }
  const first = `GET ${origin}/api/v0/repositories?pageSize=100`
  const second = `${first}&pageStart=acme%2Fweb`
  const recorded = readRecorded('dtr-repositories')
  const web = { repositories: [{ namespace: 'acme', name: 'web' }] }
  const page = (list: unknown, next?: string): FakeAnswer => ({
    ...json(list),
    headers: next === undefined ? {} : { 'x-next-page-start': next },
  })

  it('24. is listed by its own API, page by page', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: login },
      { ...closed, [first]: page(recorded, 'acme/web'), [second]: page(web) },
    )
    expect(await all(network.registry.catalog())).toEqual(['acme/app', 'acme/web'])
    expect(network.authorizations.slice(-2)).toEqual([basic, basic])
  })

  it('ends at a page that was there before', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: login },
      { ...closed, [first]: page(recorded, 'acme/web'), [second]: page(web, 'acme/web') },
    )
    expect(await all(network.registry.catalog())).toEqual(['acme/app', 'acme/web'])
  })

  it('may be empty', async () => {
    const network = scriptedRegistry({ registry: host }, { ...closed, [first]: json({ repositories: null }) })
    expect(await all(network.registry.catalog())).toEqual([])
  })

  it.each([
    ['no JSON', { body: '<html>' }, 'INTEGRITY'],
    ['another shape', json([]), 'INTEGRITY'],
    ...refusals,
  ] as const)('is not listed where the answer is %s', async (_, answer, code) => {
    const network = scriptedRegistry({ registry: host, credential: login }, { ...closed, [first]: answer })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({ code })
  })

  it('24. that nobody may read is said to need a login', async () => {
    const network = scriptedRegistry({ registry: host }, { ...closed, [first]: { status: 401 } })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining(`dray login ${host}`),
    })
  })
})

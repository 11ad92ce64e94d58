import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { all, refusals, scriptedRegistry } from './scripted-registry.ts'

const host = 'acme.azurecr.io'
const origin = `https://${host}`
const digest = digestOf('image')
const login = { kind: 'basic', username: 'ci', password: 's3cret-of-acr' } as const
const there: FakeAnswer = { headers: { 'docker-content-digest': digest, 'content-length': '7' } }

const untag = `DELETE ${origin}/acr/v1/team/app/_tags/v1`
const scope = 'repository:team/app:delete'
const bearer = `Bearer realm="${origin}/oauth2/token",service="${host}"`
const tokenFor = (wanted: string) =>
  `GET ${origin}/oauth2/token?service=${host}&scope=${encodeURIComponent(wanted)}&client_id=dray`

describe('a tag at Azure Container Registry', () => {
  it('11. is deleted by its own API, with a token for deleting and nothing else', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: login },
      {
        [`HEAD ${origin}/v2/team/app/manifests/v1`]: there,
        [untag]: ({ headers }) =>
          headers?.authorization === 'Bearer to-delete'
            ? { status: 202 }
            : challenge(`${bearer},scope="${scope}"`),
        [tokenFor(scope)]: json({ access_token: 'to-delete' }),
      },
    )
    expect(await deleteImage(network.registry.repository('team/app'), 'v1')).toMatchObject({
      digest,
      tags: ['v1'],
      manifest: false,
    })
    expect(network.lines.slice(1)).toEqual([untag, tokenFor(scope), untag])
    expect(network.requests.at(-1)?.headers?.accept ?? '').not.toContain('manifest')
  })

  it('is deleted with the login that is kept for its path', async () => {
    const network = scriptedRegistry(
      { registry: host, byRepository: { 'team/app': login } },
      {
        [`HEAD ${origin}/v2/team/app/manifests/v1`]: there,
        [untag]: ({ headers }) => (headers?.authorization ? { status: 202 } : challenge(bearer)),
        [tokenFor(scope)]: ({ headers }) =>
          headers?.authorization ? json({ access_token: 'token' }) : { status: 401 },
      },
    )
    await deleteImage(network.registry.repository('team/app'), 'v1')
    expect(network.lines.at(-1)).toBe(untag)
  })

  it.each(refusals)('stays where that is answered with %s', async (_, answer, code) => {
    const network = scriptedRegistry(
      { registry: host },
      { [`HEAD ${origin}/v2/team/app/manifests/v1`]: there, [untag]: answer, [`GET ${origin}/v2/`]: {} },
    )
    const deleted = deleteImage(network.registry.repository('team/app'), 'v1', { force: true })
    await expect(deleted).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`cannot delete ${host}/team/app:v1`),
    })
    expect(network.lines.filter(line => line.startsWith('DELETE'))).toEqual([untag])
  })

  it('that the login may not delete stays, and what it lacks is said', async () => {
    const refused = json({ errors: [{ code: 'DENIED', message: 'insufficient scope' }] }, 403)
    const network = scriptedRegistry(
      { registry: host },
      { [`HEAD ${origin}/v2/team/app/manifests/v1`]: there, [untag]: refused },
    )
    const deleted = deleteImage(network.registry.repository('team/app'), 'v1')
    await expect(deleted).rejects.toMatchObject({ hint: expect.stringContaining('AcrDelete') })
  })
})

describe('lists at Azure Container Registry', () => {
  it('8. go on behind a Link that is relative and ends in a field without a value', async () => {
    const path = `${origin}/v2/team/app/tags/list`
    const link = '</v2/team/app/tags/list?last=v1&n=1&orderby=>; rel="next"'
    const network = scriptedRegistry(
      { registry: host },
      {
        [`GET ${path}?n=1000`]: { ...json({ name: 'team/app', tags: ['v1'] }), headers: { link } },
        [`GET ${path}?last=v1&n=1&orderby=`]: json({ name: 'team/app', tags: ['v2'] }),
      },
    )
    expect(await all(network.registry.repository('team/app').tags())).toEqual(['v1', 'v2'])
  })

  it('1. of tags are read with a token for metadata, since the challenge asks for that', async () => {
    const wanted = 'repository:team/app:metadata_read'
    const list = `GET ${origin}/v2/team/app/tags/list?n=1000`
    const network = scriptedRegistry(
      { registry: host, credential: login },
      {
        [list]: ({ headers }) =>
          headers?.authorization === 'Bearer metadata'
            ? json({ name: 'team/app', tags: ['v1'] })
            : challenge(`${bearer},scope="${wanted}"`),
        [tokenFor(wanted)]: json({ access_token: 'metadata' }),
      },
    )
    expect(await all(network.registry.repository('team/app').tags())).toEqual(['v1'])
  })

  it('24. of repositories that a login may not read are said to need another right', async () => {
    const refused = json({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }, 401)
    const network = scriptedRegistry(
      { registry: host },
      { [`GET ${origin}/v2/_catalog?n=1000`]: refused, [`GET ${origin}/v2/`]: { status: 401 } },
    )
    await expect(all(network.registry.catalog())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining('registry:catalog:*'),
    })
  })
})

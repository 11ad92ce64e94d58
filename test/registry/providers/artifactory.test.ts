import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { challenge, type FakeAnswer, json, type SeenRequest } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type Answers, all, refusals, scriptedRegistry } from './scripted-registry.ts'

const login = { kind: 'basic', username: 'ci', password: 'cmVmdGtuOjAx' } as const
const basic = `Basic ${Buffer.from('ci:cmVmdGtuOjAx').toString('base64')}`
const digest = digestOf('image')
const there: FakeAnswer = { headers: { 'docker-content-digest': digest, 'content-length': '7' } }
const notByTag = json({ errors: [{ status: 405, message: 'Method Not Allowed' }] }, 405)

/** Artifactory at a host whose challenge has this realm. */
function artifactory(host: string, realm: string, repository: string): Answers {
  const origin = `https://${host}`
  const ping = challenge(`Bearer realm="${realm}",service="${host}:443"`)
  return {
    [`GET ${origin}/v2/`]: { ...ping, headers: { ...ping.headers, 'x-jfrog-version': 'Artifactory/7.98.9' } },
    [`HEAD ${origin}/v2/${repository}/manifests/v1`]: there,
    [`DELETE ${origin}/v2/${repository}/manifests/v1`]: notByTag,
  }
}

describe('a tag at Artifactory', () => {
  it.each([
    ['acme.jfrog.io', 'null', 'docker-local/team/app', 'docker-local/team/app'],
    ['art.example.com', 'docker-local', 'docker-local/team/app', 'docker-local/team/app'],
    ['docker-local.art.example.com', 'docker-local', 'team/app', 'docker-local/team/app'],
  ])('11. of %s (key %s) is deleted as the folder that it is', async (host, key, repository, folder) => {
    const realm = `https://${host}:443/artifactory/api/docker/${key}/v2/token`
    const remove = `DELETE https://${host}/artifactory/${folder}/v1`
    const network = scriptedRegistry(
      { registry: host, credential: login },
      { ...artifactory(host, realm, repository), [remove]: { status: 204 } },
    )
    expect(await deleteImage(network.registry.repository(repository), 'v1')).toMatchObject({
      tags: ['v1'],
      manifest: false,
    })
    expect(network.lines.at(-1)).toBe(remove)
    expect(network.authorizations.at(-1)).toBe(basic)
  })

  it('is deleted where there is no token service, and no other path is known', async () => {
    const remove = 'DELETE https://art.example.com/artifactory/docker-local/app/v1'
    const network = scriptedRegistry(
      { registry: 'art.example.com', credential: login },
      {
        ...artifactory('art.example.com', '', 'docker-local/app'),
        'GET https://art.example.com/v2/': challenge('Basic realm="Artifactory Realm"'),
        [remove]: { status: 204 },
      },
    )
    await deleteImage(network.registry.repository('docker-local/app'), 'v1')
    expect(network.lines.at(-1)).toBe(remove)
  })

  it.each([
    'https://x//evil.example/api/docker/k/v2/token',
    'https://x/\\evil.example/api/docker/k/v2/token',
  ])('keeps the login at its own host, whatever the realm is: %s', async realm => {
    const host = 'acme.jfrog.io'
    const removed: SeenRequest[] = []
    const answers = artifactory(host, realm, 'k/app')
    const network = scriptedRegistry(
      { registry: host, credential: login },
      new Proxy(answers, {
        get: (table, line: string) =>
          table[line] ??
          ((request: SeenRequest) => {
            removed.push(request)
            return { status: 204 }
          }),
      }),
    )
    await deleteImage(network.registry.repository('k/app'), 'v1')
    expect(removed.map(({ url }) => url.origin)).toEqual([`https://${host}`])
  })

  it.each(refusals)('stays where that is answered with %s', async (_, answer, code) => {
    const host = 'acme.jfrog.io'
    const remove = `DELETE https://${host}/artifactory/k/app/v1`
    const network = scriptedRegistry(
      { registry: host, credential: login },
      { ...artifactory(host, '', 'k/app'), [remove]: answer },
    )
    const deleted = deleteImage(network.registry.repository('k/app'), 'v1', { force: true })
    await expect(deleted).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`cannot delete ${host}/k/app:v1`),
    })
    expect(network.lines.at(-1)).toBe(remove)
  })

  it('is not looked for in its own API where the registry API deletes it; 13. no manifest types are sent', async () => {
    const host = 'acme.jfrog.io'
    const remove = `DELETE https://${host}/v2/k/app/manifests/v1`
    const network = scriptedRegistry(
      { registry: host },
      {
        ...artifactory(host, '', 'k/app'),
        [remove]: ({ headers }) =>
          headers?.accept?.includes('manifest') ? { status: 406 } : { status: 202 },
      },
    )
    await deleteImage(network.registry.repository('k/app'), 'v1')
    expect(network.lines).toEqual([`HEAD https://${host}/v2/k/app/manifests/v1`, remove])
  })
})

describe('lists at Artifactory', () => {
  it('9. go on behind a Link that has lost the key and ends in a comma, on the original URL', async () => {
    const list = 'https://acme.jfrog.io/v2/k/node/tags/list'
    const link = '</node/tags/list?n=1&last=v1>; rel="next",'
    const network = scriptedRegistry(
      { registry: 'acme.jfrog.io' },
      {
        [`GET ${list}?n=1000`]: { ...json({ name: 'node', tags: ['v1'] }), headers: { link } },
        [`GET ${list}?n=1&last=v1`]: json({ name: 'node', tags: ['v2'] }),
      },
    )
    expect(await all(network.registry.repository('k/node').tags())).toEqual(['v1', 'v2'])
  })
})

describe('the catalog of Artifactory', () => {
  const host = 'acme.jfrog.io'
  const api = `https://${host}/artifactory/api`
  const closed: Answers = {
    [`GET https://${host}/v2/_catalog?n=1000`]: { status: 404, body: '<!doctype html><title>404</title>' },
    [`GET https://${host}/v2/`]: challenge(`Bearer realm="${api}/docker/null/v2/token"`),
  }
  const keys = `GET ${api}/repositories?packageType=docker`
  const images = (key: string) => `GET ${api}/docker/${key}/v2/_catalog?n=1000`

  it('24. is that of every key, page by page', async () => {
    const link = '</_catalog?n=1000&last=team/app>; rel="next",'
    const network = scriptedRegistry(
      { registry: host, credential: login },
      {
        ...closed,
        [keys]: json(readRecorded('artifactory-keys')),
        [images('docker-local')]: { ...json({ repositories: ['team/app'] }), headers: { link } },
        [`${images('docker-local')}&last=team/app`]: json({ repositories: ['team/web'] }),
        [images('hub')]: json({ repositories: null }),
      },
    )
    expect(await all(network.registry.catalog())).toEqual(['docker-local/team/app', 'docker-local/team/web'])
    expect(network.authorizations.slice(-4)).toEqual([basic, basic, basic, basic])
  })

  it('is that of its key, without the key, where the host stands for one', async () => {
    const network = scriptedRegistry(
      { registry: host, credential: login },
      {
        ...closed,
        [`GET https://${host}/v2/`]: challenge(`Bearer realm="${api}/docker/docker-local/v2/token"`),
        [images('docker-local')]: json({ repositories: ['team/app'] }),
      },
    )
    expect(await all(network.registry.catalog())).toEqual(['team/app'])
  })

  it.each([
    ['no JSON', { body: '<html>' }, 'INTEGRITY'],
    ['another shape', json({ repositories: [] }), 'INTEGRITY'],
    ...refusals,
  ] as const)('is not listed where the answer is %s', async (_, answer, code) => {
    const network = scriptedRegistry({ registry: host, credential: login }, { ...closed, [keys]: answer })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({ code })
  })

  it('24. that nobody may read is said to need a login', async () => {
    const network = scriptedRegistry({ registry: host }, { ...closed, [keys]: { status: 401 } })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining(`dray login ${host}`),
    })
  })
})

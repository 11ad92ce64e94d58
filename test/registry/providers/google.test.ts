import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import { google } from '../../../src/registry/providers/google.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type Answers, all, scriptedRegistry } from './scripted-registry.ts'

const host = 'europe-docker.pkg.dev'
const api = `https://${host}/v2`
const image = 'acme-prod/images/app'
const digest = digestOf('image')
const there: FakeAnswer = { headers: { 'docker-content-digest': digest, 'content-length': '7' } }
const other: FakeAnswer = {
  headers: { 'docker-content-digest': digestOf('other'), 'content-length': '7' },
}

const tagged: Answers = {
  [`HEAD ${api}/${image}/manifests/${digest}`]: there,
  [`GET ${api}/${image}/tags/list?n=1000`]: json({ name: image, tags: ['v1', 'old', 'latest'] }),
  [`HEAD ${api}/${image}/manifests/v1`]: there,
  [`HEAD ${api}/${image}/manifests/old`]: other,
  [`HEAD ${api}/${image}/manifests/latest`]: there,
}
const remove = (reference: string) => `DELETE ${api}/${image}/manifests/${reference}`
const deletes = (lines: readonly string[]) => lines.filter(line => line.startsWith('DELETE'))

describe("12. Google's digest delete", () => {
  it('removes the tags first, and no other', async () => {
    const network = scriptedRegistry(
      { registry: host },
      {
        ...tagged,
        [remove('v1')]: { status: 202 },
        [remove('latest')]: { status: 202 },
        [remove(digest)]: { status: 202 },
      },
    )
    const deleted = await deleteImage(network.registry.repository(image), digest, { force: true })
    expect(deleted).toMatchObject({ tags: ['v1', 'latest'], manifest: true })
    expect(deletes(network.lines)).toEqual([remove('v1'), remove('latest'), remove(digest)])
  })

  it('asks for one token for all of it', async () => {
    const scope = `repository:${image}:pull,push`
    const bearer = `Bearer realm="${api}/token",scope="repository:${image}:pull,push"`
    const gone = ({ headers }: { headers?: Readonly<Record<string, string>> }) =>
      headers?.authorization === 'Bearer token' ? { status: 202 } : challenge(bearer)
    const network = scriptedRegistry(
      { registry: host },
      {
        ...tagged,
        [remove('v1')]: gone,
        [remove('latest')]: gone,
        [remove(digest)]: gone,
        [`GET ${api}/token?scope=${encodeURIComponent(scope)}`]: json({ token: 'token' }),
      },
    )
    await deleteImage(network.registry.repository(image), digest, { force: true })
    const first = remove('v1')
    expect(deletes(network.lines)).toEqual([first, first, remove('latest'), remove(digest)])
    expect(network.lines.filter(line => line.includes('/token'))).toHaveLength(1)
  })

  it('goes on where somebody else has deleted a tag', async () => {
    const network = scriptedRegistry(
      { registry: host },
      {
        ...tagged,
        [remove('v1')]: json({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'gone' }] }, 404),
        [remove('latest')]: { status: 202 },
        [remove(digest)]: { status: 202 },
      },
    )
    await deleteImage(network.registry.repository(image), digest, { force: true })
    expect(deletes(network.lines)).toHaveLength(3)
  })

  it('ends at a tag that may not be deleted', async () => {
    const network = scriptedRegistry(
      { registry: host },
      { ...tagged, [remove('v1')]: json({ errors: [{ code: 'DENIED', message: 'no' }] }, 403) },
    )
    const deleted = deleteImage(network.registry.repository(image), digest, { force: true })
    await expect(deleted).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining(`${host}/${image}:v1`),
    })
    expect(deletes(network.lines)).toEqual([remove('v1')])
  })

  it("is refused in Google's words where a tag came in the meantime", async () => {
    const error = { code: 'GOOGLE_MANIFEST_DANGLING_TAG', message: 'Manifest is still referenced by tag: v3' }
    const network = scriptedRegistry(
      { registry: host },
      {
        ...tagged,
        [remove('v1')]: { status: 202 },
        [remove('latest')]: { status: 202 },
        [remove(digest)]: json({ errors: [error] }, 400),
      },
    )
    const deleted = deleteImage(network.registry.repository(image), digest, { force: true })
    await expect(deleted).rejects.toMatchObject({
      code: 'REGISTRY',
      message: expect.stringContaining('still referenced by tag: v3'),
    })
  })

  it('is not tried while there are tags, without force', async () => {
    const network = scriptedRegistry({ registry: host }, tagged)
    await expect(deleteImage(network.registry.repository(image), digest)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    expect(deletes(network.lines)).toEqual([])
  })
})

it('11. one tag is deleted by the registry API, and nothing else', async () => {
  const network = scriptedRegistry({ registry: host }, { ...tagged, [remove('v1')]: { status: 202 } })
  await deleteImage(network.registry.repository(image), 'v1')
  expect(network.lines).toEqual([`HEAD ${api}/${image}/manifests/v1`, remove('v1')])
})

describe("a project's repositories at Google", () => {
  const list = (name: string) => `GET ${api}/${name}/tags/list?n=1000`
  const tree: Answers = {
    [list('acme-prod')]: json({ name: 'acme-prod', child: ['images'], manifest: {}, tags: [] }),
    [list('acme-prod/images')]: json({ child: ['app', 'team'], manifest: {}, tags: [] }),
    [list('acme-prod/images/app')]: json({
      child: [],
      manifest: { [digest]: readRecorded('google-manifest') },
    }),
    [list('acme-prod/images/team')]: json({ child: ['api'], manifest: { [digest]: { tag: [] } } }),
    [list('acme-prod/images/team/api')]: json({ child: null, manifest: { [digest]: { tag: [] } } }),
  }
  const found = ['acme-prod/images/app', 'acme-prod/images/team', 'acme-prod/images/team/api']
  const key = JSON.stringify({ type: 'service_account', project_id: 'acme-prod' })
  const encoded = Buffer.from(key).toString('base64')

  async function catalog(network: ReturnType<typeof scriptedRegistry>): Promise<string[]> {
    const { access } = await network.registry.provider()
    return all(google.catalog?.(access))
  }

  it.each([
    ['the environment', { env: { GOOGLE_CLOUD_PROJECT: 'acme-prod' } }],
    ['a key', { credential: { kind: 'basic', username: '_json_key', password: key } }],
    ['an encoded key', { credential: { kind: 'basic', username: '_json_key_base64', password: encoded } }],
  ] as const)('are found by a walk through the project that %s names', async (_, options) => {
    const network = scriptedRegistry({ registry: host, ...options }, tree)
    expect(await catalog(network)).toEqual(found)
  })

  it('are found where a folder has more than one page', async () => {
    const link = `<${api}/acme-prod/tags/list?n=1000&last=a>; rel="next"`
    const second = `GET ${api}/acme-prod/tags/list?n=1000&last=a`
    const network = scriptedRegistry(
      { registry: host, env: { GOOGLE_CLOUD_PROJECT: 'acme-prod' } },
      {
        [list('acme-prod')]: { ...json({ child: ['a'] }), headers: { link } },
        [second]: json({ child: ['b'] }),
        [list('acme-prod/a')]: json({ manifest: { [digest]: {} } }),
        [list('acme-prod/b')]: json({ manifest: { [digest]: {} } }),
      },
    )
    expect(await catalog(network)).toEqual(['acme-prod/a', 'acme-prod/b'])
  })

  it('of a project with a domain are found under both', async () => {
    const network = scriptedRegistry(
      { registry: 'gcr.io', env: { GOOGLE_CLOUD_PROJECT: 'example.com:app' } },
      { 'GET https://gcr.io/v2/example.com/app/tags/list?n=1000': json({ manifest: { [digest]: {} } }) },
    )
    expect(await catalog(network)).toEqual(['example.com/app'])
  })

  it.each([
    ['no login', undefined],
    ['a token', { kind: 'basic', username: 'oauth2accesstoken', password: 'ya29' }],
    ['a key that cannot be read', { kind: 'basic', username: '_json_key', password: 's3cret{' }],
  ] as const)('are not listed where nothing names the project: %s', async (_, credential) => {
    const error = await catalog(scriptedRegistry({ registry: host, credential }, {})).catch(cause => cause)
    expect(error).toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('GOOGLE_CLOUD_PROJECT'),
    })
    expect(error.message).not.toContain('s3cret')
  })

  it.each([
    ['no JSON', { body: '<html>' }, 'INTEGRITY'],
    ['another shape', json({ child: [{}] }), 'INTEGRITY'],
    ['names that leave the project', json({ child: ['..'] }), 'INTEGRITY'],
    ['a refusal', { status: 403 }, 'UNAUTHORIZED'],
    ['nothing', { status: 404 }, 'NOT_FOUND'],
    [
      'a Link elsewhere',
      { ...json({}), headers: { link: '<https://evil.example/x?n=1>; rel="next"' } },
      'REGISTRY',
    ],
  ] as const)('are not listed where the answer is %s', async (_, answer, code) => {
    const env = { GOOGLE_CLOUD_PROJECT: 'acme-prod' }
    const network = scriptedRegistry({ registry: host, env }, { [list('acme-prod')]: answer })
    await expect(catalog(network)).rejects.toMatchObject({ code })
  })

  it('that never end are given up', async () => {
    const many = Array.from({ length: 1000 }, (_, at) => `c${at}`)
    const network = scriptedRegistry(
      { registry: host, env: { GOOGLE_CLOUD_PROJECT: 'p' } },
      new Proxy({}, { get: () => json({ child: many }) }),
    )
    await expect(catalog(network)).rejects.toMatchObject({ code: 'REGISTRY' })
  })
})

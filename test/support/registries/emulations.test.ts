import { afterEach, describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { awsKeys } from './aws-api.ts'
import { dockerHub } from './docker-hub.ts'
import { ecr } from './ecr.ts'
import { ecrPublic } from './ecr-public.ts'
import { ghcr } from './ghcr.ts'
import { gitlab, olderGitlab } from './gitlab.ts'
import { image, meetEmulation, other, type Reply } from './meet-emulation.ts'

const codesOf = ({ text }: Reply): string[] =>
  JSON.parse(text).errors.map(({ code }: { code: string }) => code)

afterEach(() => {
  vi.useRealTimers()
})

/** What those with tokens have in common. */
const withTokens = [
  ['Docker Hub', dockerHub, 'registry-1.docker.io', 'auth.docker.io/token?service=registry.docker.io', 401],
  ['GHCR', ghcr, 'ghcr.io', 'ghcr.io/token?service=ghcr.io', 403],
  ['GitLab', gitlab, 'registry.gitlab.com', 'gitlab.com/jwt/auth?service=container_registry', 401],
] as const

describe.each(withTokens)('the tokens of %s', (_, emulate, host, realm, whenSpent) => {
  const scope = (repository: string, actions: string) =>
    `https://${realm}&scope=repository:${repository}:${actions}`

  it('open the repository and the actions that they are for, and no others', async () => {
    await using met = await meetEmulation(emulate)
    const { repository } = met
    const upload = `POST https://${host}/v2/${repository}/blobs/uploads/`
    const read = `GET https://${host}/v2/${repository}/tags/list`
    const pull = await met.login(scope(repository, 'pull'))
    expect((await met.ask(read, pull)).status).toBe(200)
    const refused = await met.ask(upload, pull)
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain(`scope="repository:${repository}:pull,push"`)
    const elsewhere = await met.login(scope(`${repository}/other`, 'pull,push'))
    expect((await met.ask(read, elsewhere)).status).toBe(401)
    const push = await met.login(scope(repository, 'pull,push'))
    expect((await met.ask(upload, push)).status).toBe(202)
  })

  it('end', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await using met = await meetEmulation(emulate)
    const read = `GET https://${host}/v2/${met.repository}/tags/list`
    const pull = await met.login(scope(met.repository, 'pull'))
    vi.advanceTimersByTime(301_000)
    expect((await met.ask(read, pull)).status).toBe(whenSpent)
  })

  it('are given to nobody with a wrong password, nor for another service', async () => {
    await using met = await meetEmulation(emulate)
    const wrong = { authorization: `Basic ${Buffer.from('someone:wrong').toString('base64')}` }
    expect((await met.ask(`GET ${scope(met.repository, 'pull')}`, wrong)).status).toBeGreaterThanOrEqual(401)
    const url = scope(met.repository, 'pull').replace(/service=[^&]+/, 'service=other')
    expect((await met.ask(`GET ${url}`, met.basic)).status).toBeGreaterThanOrEqual(400)
  })

  it('do not go to the host that has the blobs, which refuses them', async () => {
    await using met = await meetEmulation(emulate)
    const pull = await met.login(scope(met.repository, 'pull'))
    const blob = `GET https://${host}/v2/${met.repository}/blobs/${image.layer.descriptor.digest}`
    const { status, headers } = await met.ask(blob, pull)
    expect(status).toBe(307)
    const elsewhere = `GET ${headers.location}`
    expect(elsewhere).not.toContain(`https://${host}/`)
    expect((await met.ask(elsewhere, pull)).status).toBe(400)
    expect((await met.ask(elsewhere.split('?')[0] ?? '')).status).toBe(403)
    const content = await met.ask(elsewhere)
    expect(content.status).toBe(200)
    expect(digestOf(Buffer.from(content.text))).toBe(image.layer.descriptor.digest)
  })
})

describe('Docker Hub', () => {
  const host = 'https://registry-1.docker.io'
  const realm = 'https://auth.docker.io/token?service=registry.docker.io&scope=repository:someone/app'

  it('refuses who does not say what it is, its catalog, and a deletion by tag', async () => {
    await using met = await meetEmulation(dockerHub)
    expect((await met.ask(`GET ${host}/v2/`, { 'user-agent': undefined })).status).toBe(403)
    const login = await met.login(`${realm}:delete&scope=registry:catalog:*`)
    expect((await met.ask(`GET ${host}/v2/_catalog`, login)).headers['www-authenticate']).toContain(
      'error="insufficient_scope"',
    )
    const byTag = await met.ask(`DELETE ${host}/v2/someone/app/manifests/one`, login)
    expect([byTag.status, codesOf(byTag)]).toEqual([405, ['UNSUPPORTED']])
    const byDigest = await met.ask(`DELETE ${host}/v2/someone/app/manifests/${image.manifest.digest}`, login)
    expect(byDigest.status).toBe(202)
  })

  it('counts what is read by GET, and shows an old image to who asks for none in particular', async () => {
    await using met = await meetEmulation(dockerHub)
    const login = await met.login(`${realm}:pull`)
    const manifest = `${host}/v2/someone/app/manifests/one`
    const accept = `${mediaTypes.dockerList}, ${mediaTypes.ociManifest}`
    const remaining = async (method: string) =>
      (await met.ask(`${method} ${manifest}`, { ...login, accept })).headers['ratelimit-remaining']
    expect([await remaining('HEAD'), await remaining('GET'), await remaining('HEAD')]).toEqual([
      '200;w=21600',
      '199;w=21600',
      '199;w=21600',
    ])
    expect((await met.ask(`HEAD ${manifest}`, login)).headers['content-type']).toBe(
      mediaTypes.dockerSchema1Signed,
    )
    for (let count = 0; count < 199; count += 1) await remaining('GET')
    const refused = await met.ask(`GET ${manifest}`, login)
    expect([refused.status, codesOf(refused)]).toEqual([429, ['TOOMANYREQUESTS']])
  })
})

describe('GHCR', () => {
  const host = 'https://ghcr.io'
  const realm = 'https://ghcr.io/token?service=ghcr.io&scope=repository:octo/tools/app:pull,push'
  const versions = 'https://api.github.com/users/octo/packages/container/tools%2Fapp/versions'

  it('asks with a scope that is none, and says nothing to a token that it does not know', async () => {
    await using met = await meetEmulation(ghcr)
    const { headers } = await met.ask(`GET ${host}/v2/`)
    expect(headers['www-authenticate']).toContain('scope="repository:user/image:pull"')
    const unknown = await met.ask(`GET ${host}/v2/`, { authorization: 'Bearer nobody' })
    expect([unknown.status, codesOf(unknown)]).toEqual([403, ['DENIED']])
    expect(unknown.headers['www-authenticate']).toBeUndefined()
    expect((await met.ask(`GET ${realm}`)).status).toBe(401)
  })

  it('has no catalog, deletes nothing, takes 4 MiB at a time, and shows a page for referrers', async () => {
    await using met = await meetEmulation(ghcr)
    const login = await met.login(realm)
    const base = `${host}/v2/octo/tools/app`
    expect((await met.ask(`GET ${host}/v2/_catalog`, login)).status).toBe(404)
    expect((await met.ask(`DELETE ${base}/manifests/one`, login)).status).toBe(405)
    const { headers } = await met.ask(`POST ${base}/blobs/uploads/`, login)
    const upload = `${new URL(headers.location ?? '', host)}`
    expect((await met.ask(`DELETE ${upload}`, login)).status).toBe(405)
    const tooMuch = Buffer.alloc(4 * 1024 * 1024 + 1)
    const length = { 'content-length': tooMuch.length }
    expect((await met.ask(`PATCH ${upload}`, { ...login, ...length }, tooMuch)).status).toBe(416)
    const referrers = await met.ask(`GET ${base}/referrers/${image.manifest.digest}`, login)
    expect([referrers.status, referrers.headers.location]).toEqual([303, 'https://github.com/octo/tools/app'])
  })

  it('lists tags in the order in which they came, page by page', async () => {
    await using met = await meetEmulation(ghcr)
    const login = await met.login(realm)
    const put = (tag: string) =>
      met.ask(
        `PUT ${host}/v2/octo/tools/app/manifests/${tag}`,
        { ...login, 'content-type': image.manifest.mediaType },
        image.manifest.bytes,
      )
    for (const tag of ['z', 'a', 'm']) expect((await put(tag)).status).toBe(201)
    const first = await met.ask(`GET ${host}/v2/octo/tools/app/tags/list`, login)
    expect(JSON.parse(first.text).tags).toEqual(['z', 'a'])
    const next = /<([^>]+)>/.exec(String(first.headers.link))?.[1]
    const second = await met.ask(`GET ${host}${next}`, login)
    expect([JSON.parse(second.text).tags, second.headers.link]).toEqual([['m'], undefined])
  })

  it("deletes versions by GitHub's API, all tags of one, but not the last with a tag", async () => {
    await using met = await meetEmulation(ghcr)
    const pat = { authorization: 'Bearer ghp_16C7e42F292c6912E7710c838347Ae178B4a' }
    expect((await met.ask(`GET ${versions}`, { authorization: 'Bearer other' })).status).toBe(401)
    const list = JSON.parse((await met.ask(`GET ${versions}?per_page=100`, pat)).text)
    const idOf = (digest: string) => list.find(({ name }: { name: string }) => name === digest).id
    const remove = (digest: string) => met.ask(`DELETE ${versions}/${idOf(digest)}`, pat)
    expect((await remove(image.manifest.digest)).status).toBe(204)
    const left = JSON.parse((await met.ask(`GET ${versions}?per_page=100`, pat)).text)
    expect(left.map(({ metadata }: { metadata: { container: unknown } }) => metadata.container)).toEqual([
      { tags: ['two'] },
    ])
    const last = await remove(other.manifest.digest)
    expect([last.status, JSON.parse(last.text).message]).toEqual([
      400,
      'You cannot delete the last tagged version of a package. You must delete the package instead.',
    ])
  })
})

describe('GitLab', () => {
  const realm = 'https://gitlab.com/jwt/auth?service=container_registry'

  it('gives a token and nothing beside it, leaves out what may not be done, and denies in its own way', async () => {
    await using met = await meetEmulation(gitlab)
    const { text } = await met.ask(`GET ${realm}&scope=repository:group/project/app:pull`, met.basic)
    expect(Object.keys(JSON.parse(text))).toEqual(['token'])
    const login = await met.login(`${realm}&scope=registry:catalog:*`)
    const catalog = await met.ask('GET https://registry.gitlab.com/v2/_catalog', login)
    expect(catalog.status).toBe(401)
    expect(catalog.headers['www-authenticate']).toContain('error="insufficient_scope"')
    const wrong = await met.ask(`GET ${realm}`, { authorization: 'Basic YTpi' })
    expect([wrong.status, codesOf(wrong)]).toEqual([403, ['DENIED']])
  })

  it('of 2018 deletes no tag but by its REST API', async () => {
    await using met = await meetEmulation(olderGitlab)
    const host = 'https://registry.example.org/v2/group/project/app'
    const login = await met.login(
      'https://gitlab.example.org/jwt/auth?service=container_registry&scope=repository:group/project/app:delete',
    )
    const byTag = await met.ask(`DELETE ${host}/manifests/one`, login)
    expect([byTag.status, codesOf(byTag)]).toEqual([400, ['DIGEST_INVALID']])
    expect((await met.ask(`DELETE ${host}/tags/reference/one`, login)).status).toBe(404)
    const api = 'https://gitlab.example.org/api/v4/projects'
    const token = { 'private-token': 'glpat-Zx81_q0kMbT4uWcY7dRe' }
    expect((await met.ask(`GET ${api}?membership=true`)).status).toBe(401)
    const tag = `${api}/group%2Fproject/registry/repositories/2/tags/one`
    expect((await met.ask(`DELETE ${tag}`, token)).status).toBe(200)
    expect((await met.ask(`DELETE ${tag}`, token)).status).toBe(404)
  })
})

describe('Amazon ECR', () => {
  const host = 'https://123456789012.dkr.ecr.eu-central-1.amazonaws.com'
  const app = `${host}/v2/team/app`

  it('asks for Basic, and answers a wrong password with 400 and no challenge', async () => {
    await using met = await meetEmulation(ecr)
    const first = await met.ask(`GET ${host}/v2/`)
    expect([first.status, first.headers['www-authenticate']]).toEqual([
      401,
      `Basic realm="${host}/",service="ecr.amazonaws.com"`,
    ])
    const wrong = await met.ask(`GET ${host}/v2/`, { authorization: 'Basic QVdTOng=' })
    expect([wrong.status, wrong.headers['www-authenticate']]).toEqual([400, undefined])
  })

  it('knows its own repositories only, pages of 1000, and no image without a type', async () => {
    await using met = await meetEmulation(ecr)
    const absent = await met.ask(`POST ${host}/v2/new/app/blobs/uploads/`, met.basic)
    expect([absent.status, codesOf(absent)]).toEqual([404, ['NAME_UNKNOWN']])
    const paged = await met.ask(`GET ${app}/tags/list?n=1001`, met.basic)
    expect([paged.status, codesOf(paged)]).toEqual([405, ['UNSUPPORTED']])
    const untyped = JSON.stringify({ ...JSON.parse(image.manifest.bytes.toString()), mediaType: undefined })
    const headers = { ...met.basic, 'content-type': mediaTypes.ociManifest }
    const put = await met.ask(`PUT ${app}/manifests/x`, headers, untyped)
    expect([put.status, codesOf(put)]).toEqual([405, ['UNSUPPORTED']])
  })

  it('keeps the first part of an upload alone, tells no digest by HEAD, and deletes nothing', async () => {
    await using met = await meetEmulation(ecr)
    const { headers } = await met.ask(`POST ${app}/blobs/uploads/?mount=x&from=y`, met.basic)
    const upload = `PATCH ${new URL(headers.location ?? '', host)}`
    const first = await met.ask(upload, { ...met.basic, 'content-length': 3 }, 'abc')
    const second = await met.ask(upload, { ...met.basic, 'content-length': 3 }, 'def')
    expect([first.status, second.status]).toEqual([201, 201])
    expect([first.headers.range, second.headers.range]).toEqual(['0-2', '0-2'])
    const head = await met.ask(`HEAD ${app}/manifests/one`, { ...met.basic, accept: mediaTypes.ociManifest })
    expect([head.status, head.headers['docker-content-digest']]).toEqual([200, undefined])
    const removed = await met.ask(`DELETE ${app}/manifests/one`, met.basic)
    expect([removed.status, removed.text]).toEqual([404, '404 page not found\n'])
  })

  it('lets nobody use the AWS API whose request is not signed for it', async () => {
    await using met = await meetEmulation(ecr)
    const api = 'POST https://api.ecr.eu-central-1.amazonaws.com/'
    const signature = `SignedHeaders=host, Signature=${'0'.repeat(64)}`
    const signed = (scope: string) => ({
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage',
      authorization: `AWS4-HMAC-SHA256 Credential=${awsKeys.AWS_ACCESS_KEY_ID}/20260101/${scope}/aws4_request, ${signature}`,
    })
    const ask = async (scope: string, payload: object) => {
      const { status, text } = await met.ask(api, signed(scope), JSON.stringify(payload))
      return [status, JSON.parse(text)]
    }
    const old = { registryId: '123456789012', repositoryName: 'team/app', imageIds: [{ imageTag: 'same' }] }
    expect(await ask('us-east-1/ecr', old)).toEqual([
      400,
      expect.objectContaining({ __type: 'UnrecognizedClientException' }),
    ])
    expect(await ask('eu-central-1/ecr', { ...old, registryId: '1' })).toEqual([
      400,
      expect.objectContaining({ __type: 'RepositoryNotFoundException' }),
    ])
    const imageIds = [{ imageDigest: image.manifest.digest, imageTag: 'same' }]
    expect(await ask('eu-central-1/ecr', old)).toEqual([200, { imageIds, failures: [] }])
    expect((await ask('eu-central-1/ecr', old))[1].failures).toHaveLength(1)
    expect((await met.ask(`HEAD ${app}/manifests/one`, met.basic)).status).toBe(200)
  })
})

describe('Amazon ECR Public', () => {
  const host = 'https://public.ecr.aws'
  const realm = `${host}/token/?service=public.ecr.aws&scope=aws`
  const tags = `GET ${host}/v2/a1b2c3d4/team/app/tags/list`

  it('gives one token for all, and says 400 to one that has ended', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await using met = await meetEmulation(ecrPublic)
    expect((await met.ask(tags)).headers['www-authenticate']).toBe(
      `Bearer realm="${host}/token/",service="public.ecr.aws",scope="aws"`,
    )
    const login = await met.login(realm)
    expect((await met.ask(tags, login)).status).toBe(200)
    vi.advanceTimersByTime(13 * 3600_000)
    const ended = await met.ask(tags, login)
    expect([ended.status, ended.headers['www-authenticate']]).toEqual([400, undefined])
    const stale = await met.ask(`GET ${realm}`, { authorization: 'Basic QVdTOng=' })
    expect([stale.status, codesOf(stale)]).toEqual([403, ['DENIED']])
  })

  it('lets who has no login read once a second, and write never', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await using met = await meetEmulation(ecrPublic)
    const anonymous = await met.login(realm, 'anonymous')
    expect((await met.ask(tags, anonymous)).status).toBe(200)
    expect((await met.ask(tags, anonymous)).status).toBe(429)
    vi.advanceTimersByTime(1000)
    const upload = await met.ask(`POST ${host}/v2/a1b2c3d4/team/app/blobs/uploads/`, anonymous)
    expect([upload.status, codesOf(upload)]).toEqual([403, ['DENIED']])
  })

  it('deletes and lists nothing by the registry API', async () => {
    await using met = await meetEmulation(ecrPublic)
    const login = await met.login(realm)
    expect((await met.ask(`DELETE ${host}/v2/a1b2c3d4/team/app/manifests/one`, login)).status).toBe(404)
    expect((await met.ask(`GET ${host}/v2/_catalog`, login)).status).toBe(404)
  })
})

import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { ghcr } from '../../../src/registry/providers/ghcr.ts'
import { json } from '../../support/fake-send.ts'
import { readRecorded } from '../../support/fixtures.ts'
import { type ApiScript, askScript, failureOf } from './ask-script.ts'
import { all } from './scripted-registry.ts'

const registry = 'ghcr.io'
const password = 'ghp_secretOfOcto'
const credential = { kind: 'basic', username: 'whoever', password } as const
const api = 'https://api.github.com'
const one = digestOf('one')
const old = { repository: 'octo/tools/app', tag: 'old', digest: one, force: false }
const orgVersions = `${api}/orgs/octo/packages/container/tools%2Fapp/versions`
const userVersions = `${api}/users/octo/packages/container/tools%2Fapp/versions`
const absent = { status: 404, body: '{"message":"Package not found."}' }
const recorded = readRecorded('ghcr-version') as object

const version = (id: number, digest: string, tags: readonly string[]) => ({
  ...recorded,
  id,
  name: digest,
  metadata: { package_type: 'container', container: { tags } },
})

const meet = (script: ApiScript, options = {}) => askScript({ registry, credential, api: script, ...options })

describe('11. a tag at GitHub Container Registry', () => {
  it('is deleted with its version, which has no other tag', async () => {
    const { access, asked, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: json([
        version(8, digestOf('two'), ['new']),
        version(7, one, ['old']),
      ]),
      [`DELETE ${orgVersions}/7`]: { status: 204 },
    })
    expect(await ghcr.deleteTag?.(access, old)).toEqual({ tags: ['old'], manifest: true })
    expect(lines).toEqual([`GET ${orgVersions}?per_page=100`, `DELETE ${orgVersions}/7`])
    for (const { headers } of asked) {
      expect(headers).toEqual({
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        authorization: `Bearer ${password}`,
      })
    }
  })

  it('is looked for at a user where no organization has the package', async () => {
    const { access, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: absent,
      [`GET ${userVersions}?per_page=100`]: json([version(7, one, ['old'])]),
      [`DELETE ${userVersions}/7`]: { status: 204 },
    })
    await ghcr.deleteTag?.(access, old)
    expect(lines.at(-1)).toBe(`DELETE ${userVersions}/7`)
  })

  it('is looked for on all pages, which lie at the number of the account', async () => {
    const link = `<${api}/organizations/5/packages/container/tools%2Fapp/versions?per_page=100&page=2>; rel="next"`
    const { access, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: { ...json([version(8, digestOf('two'), [])]), headers: { link } },
      [`GET ${orgVersions}?per_page=100&page=2`]: json([version(7, one, ['old'])]),
      [`DELETE ${orgVersions}/7`]: { status: 204 },
    })
    await ghcr.deleteTag?.(access, old)
    expect(lines).toHaveLength(3)
  })

  it('is not looked for at another host', async () => {
    const link = '<https://evil.example/versions?page=2>; rel="next"'
    const { access, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: { ...json([version(8, digestOf('two'), [])]), headers: { link } },
    })
    const { code } = await failureOf(ghcr.deleteTag?.(access, old))
    expect(code).toBe('REGISTRY')
    expect(lines).toHaveLength(1)
  })

  it('stays where the version has other tags, which are named, without a way that does not exist there', async () => {
    const { access, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: json([version(7, one, ['old', 'latest', 'v1'])]),
    })
    const { code, shown } = await failureOf(ghcr.deleteTag?.(access, old))
    expect(code).toBe('UNSUPPORTED')
    expect(shown).toMatch(/^ghcr\.io\/octo\/tools\/app:old is not deleted: .*: latest, v1\n.*--force$/)
    expect(lines).toHaveLength(1)
  })

  it('takes the others along by force', async () => {
    const { access } = meet({
      [`GET ${orgVersions}?per_page=100`]: json([version(7, one, ['latest', 'old'])]),
      [`DELETE ${orgVersions}/7`]: { status: 204 },
    })
    expect(await ghcr.deleteTag?.(access, { ...old, force: true })).toEqual({
      tags: ['old', 'latest'],
      manifest: true,
    })
  })

  it.each([
    ['that was moved to another image', [version(7, digestOf('two'), ['old'])]],
    ['whose image has it no more', [version(7, one, ['other'])]],
    ['of a package without versions', []],
  ])('%s is not found, and nothing is deleted', async (_, versions) => {
    const { access, lines } = meet({ [`GET ${orgVersions}?per_page=100`]: json(versions) })
    expect((await failureOf(ghcr.deleteTag?.(access, old))).code).toBe('NOT_FOUND')
    expect(lines).toHaveLength(1)
  })

  it('of a package that GitHub does not show is not found, and what the token may lack is said', async () => {
    const { access } = meet({
      [`GET ${orgVersions}?per_page=100`]: absent,
      [`GET ${userVersions}?per_page=100`]: absent,
    })
    const { code, shown } = await failureOf(ghcr.deleteTag?.(access, old))
    expect(code).toBe('NOT_FOUND')
    expect(shown).toMatch(/api\.github\.com says: Package not found\. \(404\)\n.*delete:packages/)
  })

  it('that is the last of its package stays, and what else to delete is said', async () => {
    const message =
      'You cannot delete the last tagged version of a package. You must delete the package instead.'
    const { access } = meet({
      [`GET ${orgVersions}?per_page=100`]: absent,
      [`GET ${userVersions}?per_page=100`]: json([version(7, one, ['old'])]),
      [`DELETE ${userVersions}/7`]: { ...json({ message, status: '400' }), status: 400 },
    })
    const { code, shown } = await failureOf(ghcr.deleteTag?.(access, old))
    expect(code).toBe('UNSUPPORTED')
    expect(shown).toContain(`${message} (400)`)
    expect(shown).toContain('gh api --method DELETE /users/octo/packages/container/tools%2Fapp')
  })

  it.each([
    [401, 'Bad credentials', {}, 'UNAUTHORIZED', /delete:packages/],
    [
      403,
      'You need at least read:packages scope to list package versions',
      {},
      'UNAUTHORIZED',
      /delete:packages/,
    ],
    [
      403,
      'API rate limit exceeded for user ID 1.',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '2000000000' },
      'NETWORK',
      /wait until 2033/,
    ],
    [429, 'You have exceeded a secondary rate limit', {}, 'NETWORK', /wait a while/],
    [
      400,
      'Publicly visible package versions with more than 5000 downloads cannot be deleted.',
      {},
      'REGISTRY',
      /5000/,
    ],
  ])('refused with %i (%s) is told in the words of GitHub', async (status, message, headers, code, hint) => {
    const { access } = meet({
      [`GET ${orgVersions}?per_page=100`]: json([version(7, one, ['old'])]),
      [`DELETE ${orgVersions}/7`]: { ...json({ message }), status, headers },
    })
    const failure = await failureOf(ghcr.deleteTag?.(access, old))
    expect(failure.code).toBe(code)
    expect(failure.shown).toContain(`${message} (${status})`)
    expect(failure.shown).toMatch(hint)
    expect(failure.shown).not.toContain(password)
  })

  it('is not deleted by what is no list of versions', async () => {
    const { access } = meet({ [`GET ${orgVersions}?per_page=100`]: json([{ id: '7', name: one }]) })
    expect((await failureOf(ghcr.deleteTag?.(access, old))).code).toBe('INTEGRITY')
  })

  it('needs a login', async () => {
    const { access, lines } = meet({}, { credential: undefined })
    expect((await failureOf(ghcr.deleteTag?.(access, old))).shown).toContain('dray login ghcr.io')
    expect(lines).toEqual([])
  })
})

describe('an image at GitHub Container Registry', () => {
  it('is deleted by its digest', async () => {
    const { access, lines } = meet({
      [`GET ${orgVersions}?per_page=100`]: json([version(8, digestOf('two'), ['old']), version(7, one, [])]),
      [`DELETE ${orgVersions}/7`]: { status: 204 },
    })
    await ghcr.deleteImage?.(access, { repository: 'octo/tools/app', digest: one, tags: [] })
    expect(lines.at(-1)).toBe(`DELETE ${orgVersions}/7`)
  })
})

describe('24. the catalog of GitHub Container Registry', () => {
  const first = `GET ${api}/user/packages?package_type=container&per_page=100`
  const pack = readRecorded('ghcr-package') as object

  it("is the packages of the token's owner, by names of images", async () => {
    const link = `<${api}/user/packages?package_type=container&per_page=100&page=2>; rel="next"`
    const { access } = meet({
      [first]: { ...json([pack]), headers: { link } },
      [`${first}&page=2`]: json([{ ...pack, name: 'tools/app' }]),
    })
    expect(await all(ghcr.catalog?.(access))).toEqual(['octo/hello_docker', 'octo/tools/app'])
  })

  it('says what the token lacks', async () => {
    const message = 'Resource not accessible by integration'
    const { access } = meet({ [first]: { ...json({ message }), status: 403 } })
    const { code, shown } = await failureOf(all(ghcr.catalog?.(access)))
    expect(code).toBe('UNAUTHORIZED')
    expect(shown).toMatch(/Resource not accessible by integration \(403\)\n.*read:packages/)
  })
})

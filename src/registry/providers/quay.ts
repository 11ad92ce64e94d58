import * as z from 'zod/mini'
import { nextPage } from '../pages.ts'
import type { FoundRepository, Provider, ProviderAccess } from './provider.ts'
import { apiLogin, apiPages, askApi, readAnswer, withField } from './provider-api.ts'

/**
 * Quay, at quay.io and elsewhere. Its API `/api/v1` takes OAuth tokens only (the user `$oauthtoken`); the registry API
 * deletes tags and images as it should.
 */
export const quay: Provider = { catalog, search }

const oauthUser = '$oauthtoken'

async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const oauth = await oauthLogin(access)
  if (oauth === undefined) return yield* catalogOfLogin(access)
  for (const namespace of await namespacesOf(access, oauth)) {
    const first = new URL('api/v1/repository?public=true', access.url)
    first.searchParams.set('namespace', namespace)
    yield* apiPages(first, url => repositoryPage(access, url, oauth))
  }
}

async function oauthLogin({ registry, findCredential }: ProviderAccess): Promise<string | undefined> {
  const credential = await findCredential({ registry })
  const isOauth = credential?.kind === 'basic' && credential.username === oauthUser
  return isOauth ? `Bearer ${credential.password}` : undefined
}

const user = z.looseObject({
  username: z.string(),
  organizations: z.optional(z.array(z.looseObject({ name: z.string() }))),
})

async function namespacesOf(access: ProviderAccess, authorization: string): Promise<string[]> {
  const what = `find the namespaces of the login at ${access.registry}`
  const answer = await askApi(access, {
    method: 'GET',
    url: new URL('api/v1/user/', access.url),
    authorization,
    what,
    needs: 'the OAuth token needs the scopes user:read and repo:read',
  })
  const { username, organizations = [] } = readAnswer(user, answer, what)
  return [username, ...organizations.map(({ name }) => name)]
}

const repositoryList = z.looseObject({
  repositories: z.array(z.looseObject({ namespace: z.string(), name: z.string() })),
  next_page: z.optional(z.nullable(z.string())),
})

async function repositoryPage(access: ProviderAccess, url: URL, authorization: string) {
  const what = `list ${access.registry}`
  const needs = 'the OAuth token needs the scope repo:read'
  const answer = await askApi(access, { method: 'GET', url, authorization, what, needs })
  const { repositories, next_page: next } = readAnswer(repositoryList, answer, what)
  return {
    items: repositories.map(({ namespace, name }) => `${namespace}/${name}`),
    next: withField(url, 'next_page', next ?? undefined),
  }
}

const tokenReply = z.looseObject({ token: z.string().check(z.regex(/^[\x21-\x7e]+$/)) })
const catalogPage = z.looseObject({ repositories: z.array(z.string()) })

/**
 * The registry API's catalog as the login sees it. To one who shows no token Quay answers with an empty list, and
 * without a challenge, so that the token is fetched unasked.
 */
async function* catalogOfLogin(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list ${access.registry}`
  const realm = new URL('v2/auth', access.url)
  realm.searchParams.set('service', access.url.host)
  const login = await apiLogin(access)
  const needs = `log in with: dray login ${access.registry}; Quay lists what that login may see`
  const reply = await askApi(access, { method: 'GET', url: realm, authorization: login, what, needs })
  const authorization = `Bearer ${readAnswer(tokenReply, reply, what).token}`
  yield* apiPages(new URL('v2/_catalog?n=100', access.url), async url => {
    const answer = await askApi(access, { method: 'GET', url, authorization, what })
    const { repositories } = readAnswer(catalogPage, answer, what)
    return { items: repositories, next: nextPage(answer.header('link'), url) }
  })
}

const found = z.looseObject({
  results: z.array(
    z.looseObject({
      kind: z.optional(z.string()),
      namespace: z.looseObject({ name: z.string() }),
      name: z.string(),
      description: z.optional(z.nullable(z.string())),
      stars: z.optional(z.nullable(z.number())),
    }),
  ),
  has_additional: z.optional(z.boolean()),
  page: z.optional(z.number()),
})

/** Quay gives its last page again to who asks for one behind it. */
async function* search(access: ProviderAccess, words: string): AsyncGenerator<FoundRepository> {
  const what = `search ${access.registry}`
  const authorization = await oauthLogin(access)
  const first = new URL('api/v1/find/repositories?page=1', access.url)
  first.searchParams.set('query', words)
  yield* apiPages(first, async url => {
    const asked = Number(url.searchParams.get('page'))
    const answer = await askApi(access, { method: 'GET', url, authorization, what })
    const { results, has_additional: hasMore = false, page = asked } = readAnswer(found, answer, what)
    const isNew = page === asked
    const images = isNew ? results.filter(({ kind = 'repository' }) => kind === 'repository') : []
    return {
      items: images.map(({ namespace, name, description = null, stars = null }) => ({
        name: `${access.registry}/${namespace.name}/${name}`,
        description,
        stars,
        pulls: null,
        official: null,
      })),
      next: withField(url, 'page', isNew && hasMore ? String(asked + 1) : undefined),
    }
  })
}

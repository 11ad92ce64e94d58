import * as z from 'zod/mini'
import type { WebAnswer } from '../../web-service.ts'
import { imageRateLimit } from './image-rate-limit.ts'
import { type PasswordLogin, passwordLogin } from './password-login.ts'
import type { FoundRepository, Provider, ProviderAccess } from './provider.ts'
import { apiPages, askApi, readAnswer } from './provider-api.ts'

/**
 * Docker Hub: its API at hub.docker.com, with the name and password (or access token) of docker.io. The registry API
 * there deletes by digest only.
 */
export const dockerHub: Provider = {
  async deleteTag(access, { repository, tag }) {
    const what = `delete ${access.registry}/${repository}:${tag}`
    const login = await passwordLogin(access, what, repository)
    await askApi(access, {
      method: 'DELETE',
      url: new URL(`v2/repositories/${repository}/tags/${tag}/`, hub),
      authorization: await authorizationOf(access, login, what),
      what,
      needs:
        'an access token needs the permissions Read, Write and Delete, and its owner a right to the repository',
    })
    return { tags: [tag], manifest: false }
  },
  catalog,
  search,
  /** A repository that is there to be asked: a HEAD of it costs nothing (docs.docker.com, "Pull usage and limits"). */
  rateLimit: access => imageRateLimit(access, 'ratelimitpreview/test', 'latest'),
}

const hub = new URL('https://hub.docker.com/')

/** They live ten minutes; one that is about to end is not worth keeping. */
const tokenLifetimeMs = 9 * 60_000

/** What proves the login to the Hub's API; logging in is what it limits most, so that it is kept for a while. */
async function authorizationOf(access: ProviderAccess, login: PasswordLogin, what: string): Promise<string> {
  const key = JSON.stringify(login)
  const kept = access.tokens.get(key)
  if (kept !== undefined && kept.endsAt > Date.now()) return kept.authorization
  const authorization = openSession(access, login, what)
  access.tokens.set(key, { authorization, endsAt: Date.now() + tokenLifetimeMs })
  authorization.catch(() => access.tokens.delete(key))
  return authorization
}

const token = z.string().check(z.regex(/^[\x21-\x7e]+$/))
const accessToken = z.looseObject({ access_token: token })
const olderToken = z.looseObject({ token })

/** Trades the password for a token, as the Hub's API does it now, or where that is unknown as it did before. */
async function openSession(access: ProviderAccess, login: PasswordLogin, what: string): Promise<string> {
  const { username, password } = login
  const post = (path: string, body: Record<string, string>, expected: number[]): Promise<WebAnswer> =>
    askApi(access, {
      method: 'POST',
      url: new URL(path, hub),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      secrets: [password],
      what,
      needs: `is the password or token of "${username}" still right? log in again with: dray login docker.io`,
      expected,
    })
  const answer = await post('v2/auth/token', { identifier: username, secret: password }, [200, 404])
  if (answer.status === 200) return `Bearer ${readAnswer(accessToken, answer, what).access_token}`
  const older = await post('v2/users/login', { username, password }, [200])
  return `JWT ${readAnswer(olderToken, older, what).token}`
}

/** A page of any of its lists. `next` is a URL in full, and empty or null on the last page. */
function pageOf<Item extends z.ZodMiniType>(item: Item) {
  return z.looseObject({
    next: z.optional(z.nullable(z.union([z.literal(''), z.url()]))),
    results: z.array(item),
  })
}

const organizationPage = pageOf(z.looseObject({ orgname: z.string() }))
const repositoryPage = pageOf(z.looseObject({ namespace: z.string(), name: z.string() }))

/** The repositories of the login and of its organizations. */
async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list the repositories of your account at ${access.registry}`
  const login = await passwordLogin(access, what)
  const authorization = await authorizationOf(access, login, what)
  for (const namespace of [login.username, ...(await organizationsOf(access, authorization, what))]) {
    const first = new URL(`v2/repositories/${encodeURIComponent(namespace)}/?page_size=100`, hub)
    yield* apiPages(first, async url => {
      const answer = await askApi(access, { method: 'GET', url, authorization, what })
      const { results, next } = readAnswer(repositoryPage, answer, what)
      return { items: results.map(result => `${result.namespace}/${result.name}`), next: toUrl(next) }
    })
  }
}

async function organizationsOf(
  access: ProviderAccess,
  authorization: string,
  what: string,
): Promise<string[]> {
  const names: string[] = []
  // An organization's own access token belongs to nobody who could be in one.
  const expected = [200, 401, 403, 404]
  const first = new URL('v2/user/orgs/?page_size=100', hub)
  const pages = apiPages(first, async url => {
    const answer = await askApi(access, { method: 'GET', url, authorization, what, expected })
    if (answer.status !== 200) return { items: [], next: undefined }
    const { results, next } = readAnswer(organizationPage, answer, what)
    return { items: results.map(({ orgname }) => orgname), next: toUrl(next) }
  })
  for await (const name of pages) names.push(name)
  return names
}

const searchPage = pageOf(
  z.looseObject({
    repo_name: z.string(),
    short_description: z.optional(z.nullable(z.string())),
    star_count: z.optional(z.nullable(z.number())),
    pull_count: z.optional(z.nullable(z.number())),
    is_official: z.optional(z.nullable(z.boolean())),
  }),
)

/** Everybody may search. Official images come without their namespace. */
async function* search(access: ProviderAccess, words: string): AsyncGenerator<FoundRepository> {
  const what = `search ${access.registry}`
  const first = new URL('v2/search/repositories/?page_size=100', hub)
  first.searchParams.set('query', words)
  yield* apiPages(first, async url => {
    const answer = await askApi(access, { method: 'GET', url, what })
    const { results, next } = readAnswer(searchPage, answer, what)
    return {
      items: results.map(({ repo_name: name, ...found }) => ({
        name: `${access.registry}/${name.includes('/') ? name : `library/${name}`}`,
        description: found.short_description ?? null,
        stars: found.star_count ?? null,
        pulls: found.pull_count ?? null,
        official: found.is_official ?? null,
      })),
      next: toUrl(next),
    }
  })
}

function toUrl(next: string | null | undefined): URL | undefined {
  return next ? new URL(next) : undefined
}

import * as z from 'zod/mini'
import { nextPage } from '../pages.ts'
import type { FoundRepository, Provider, ProviderAccess } from './provider.ts'
import { apiLogin, apiPages, askApi, readAnswer } from './provider-api.ts'

/** Harbor: its API `/api/v2.0`, with the registry's login. The registry API deletes by digest only, with all tags. */
export const harbor: Provider = {
  async deleteTag(access, { repository, tag, digest }) {
    const [project = '', ...rest] = repository.split('/')
    // The name within the project is encoded twice: Harbor decodes it once on the way to its router.
    const name = encodeURIComponent(encodeURIComponent(rest.join('/')))
    const path = `api/v2.0/projects/${project}/repositories/${name}/artifacts/${digest}/tags/${tag}`
    await askApi(access, {
      method: 'DELETE',
      url: new URL(path, access.url),
      authorization: await apiLogin(access, repository),
      what: `delete ${access.registry}/${repository}:${tag}`,
      needs:
        'the login needs the right to delete tags in the project: a maintainer has it, or a robot that was given it',
    })
    return { tags: [tag], manifest: false }
  },
  catalog,
  search,
}

const repositoryList = z.nullable(z.array(z.looseObject({ name: z.string() })))

async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list ${access.registry}`
  const authorization = await apiLogin(access)
  yield* apiPages(new URL('api/v2.0/repositories?page=1&page_size=100', access.url), async url => {
    const needs = `log in with: dray login ${access.registry}; Harbor lists what that login may see`
    const answer = await askApi(access, { method: 'GET', url, authorization, what, needs })
    const repositories = readAnswer(repositoryList, answer, what) ?? []
    return { items: repositories.map(({ name }) => name), next: nextPage(answer.header('link'), url) }
  })
}

const found = z.looseObject({
  repository: z.nullable(
    z.array(z.looseObject({ repository_name: z.string(), pull_count: z.optional(z.number()) })),
  ),
})

/** Harbor looks for one text within names, so that further words are looked for here. */
async function* search(access: ProviderAccess, words: string): AsyncGenerator<FoundRepository> {
  const [first = '', ...others] = words.toLowerCase().split(/\s+/)
  const url = new URL('api/v2.0/search', access.url)
  url.searchParams.set('q', first)
  const what = `search ${access.registry}`
  const answer = await askApi(access, { method: 'GET', url, authorization: await apiLogin(access), what })
  for (const { repository_name: name, pull_count: pulls = null } of readAnswer(found, answer, what)
    .repository ?? []) {
    if (!others.every(word => name.includes(word))) continue
    yield { name: `${access.registry}/${name}`, description: null, stars: null, pulls, official: null }
  }
}

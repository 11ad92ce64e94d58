import * as z from 'zod/mini'
import type { Provider, ProviderAccess } from './provider.ts'
import { apiLogin, apiPages, askApi, readAnswer, withField } from './provider-api.ts'

/** Docker Trusted Registry, now Mirantis Secure Registry: its API `/api/v0`, with the registry's login. */
export const dtr: Provider = {
  async deleteTag(access, { repository, tag }) {
    await askApi(access, {
      method: 'DELETE',
      url: new URL(`api/v0/repositories/${repository}/tags/${tag}`, access.url),
      authorization: await apiLogin(access, repository),
      what: `delete ${access.registry}/${repository}:${tag}`,
      needs: 'the login needs write access to the repository',
    })
    return { tags: [tag], manifest: false }
  },
  catalog,
}

const repositoryList = z.looseObject({
  repositories: z.nullable(z.array(z.looseObject({ namespace: z.string(), name: z.string() }))),
})

async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list ${access.registry}`
  const authorization = await apiLogin(access)
  const first = new URL('api/v0/repositories?pageSize=100', access.url)
  yield* apiPages(first, async url => {
    const needs = `log in with a name and a password: dray login ${access.registry}`
    const answer = await askApi(access, { method: 'GET', url, authorization, what, needs })
    const { repositories } = readAnswer(repositoryList, answer, what)
    return {
      items: (repositories ?? []).map(({ namespace, name }) => `${namespace}/${name}`),
      next: withField(url, 'pageStart', answer.header('x-next-page-start')),
    }
  })
}

import * as z from 'zod/mini'
import { nextPage } from '../pages.ts'
import type { Provider, ProviderAccess } from './provider.ts'
import { apiLogin, apiPages, askApi, readAnswer } from './provider-api.ts'

/**
 * JFrog Artifactory. Its images lie in repositories with a key: the first part of an image's name
 * (`host/KEY/image`), or the registry is one of them, at a host of its own. A tag is a folder, which its own API
 * deletes.
 */
export const artifactory: Provider = {
  async deleteTag(access, { repository, tag }) {
    const { base, key } = await findPlace(access)
    const isOwnHost = key !== undefined && !repository.startsWith(`${key}/`)
    await askApi(access, {
      method: 'DELETE',
      url: urlOf(access, `${base}/${isOwnHost ? `${key}/` : ''}${repository}/${tag}`),
      authorization: await apiLogin(access, repository),
      what: `delete ${access.registry}/${repository}:${tag}`,
      needs: 'the login needs the right to delete in that repository key',
    })
    return { tags: [tag], manifest: false }
  },

  /** The images of every key that the login may see: each key has a catalog of its own. */
  async *catalog(access) {
    const { base, key } = await findPlace(access)
    if (key !== undefined) return yield* imagesOf(access, base, key)
    for (const each of await keysOf(access, base)) {
      for await (const image of imagesOf(access, base, each)) yield `${each}/${image}`
    }
  },
}

const keyList = z.array(z.looseObject({ key: z.string() }))

async function keysOf(access: ProviderAccess, base: string): Promise<string[]> {
  const url = urlOf(access, `${base}/api/repositories`)
  url.searchParams.set('packageType', 'docker')
  const question = await listQuestion(access)
  const answer = await askApi(access, { ...question, url })
  return readAnswer(keyList, answer, question.what).map(({ key }) => key)
}

const catalogPage = z.looseObject({ repositories: z.nullable(z.array(z.string())) })

async function* imagesOf(access: ProviderAccess, base: string, key: string): AsyncGenerator<string> {
  const first = urlOf(access, `${base}/api/docker/${encodeURIComponent(key)}/v2/_catalog`)
  first.searchParams.set('n', '1000')
  const question = await listQuestion(access)
  yield* apiPages(first, async url => {
    const answer = await askApi(access, { ...question, url })
    const { repositories } = readAnswer(catalogPage, answer, question.what)
    return { items: repositories ?? [], next: nextPage(answer.header('link'), url) }
  })
}

async function listQuestion(access: ProviderAccess) {
  return {
    method: 'GET',
    authorization: await apiLogin(access),
    what: `list ${access.registry}`,
    needs: `log in with: dray login ${access.registry}; Artifactory lists what that login may see`,
  } as const
}

interface Place {
  /** The path of Artifactory's own API: `/artifactory`. */
  readonly base: string
  /** The key that the host stands for, where it does. */
  readonly key: string | undefined
}

const tokenRealm = /^https?:\/\/[^/]+(.*)\/api\/docker\/([^/]+)\/v2\/token$/

/** Read from where tokens are to be had: `https://h:443/artifactory/api/docker/KEY/v2/token`, or `null` for no key. */
async function findPlace({ ping }: ProviderAccess): Promise<Place> {
  for (const { parameters } of (await ping()).challenges) {
    const [, base, key] = tokenRealm.exec(parameters.realm ?? '') ?? []
    if (base !== undefined) return { base, key: key === 'null' ? undefined : key }
  }
  return { base: '/artifactory', key: undefined }
}

/** Whatever a realm says, the login goes to the registry's own origin. */
function urlOf({ url }: ProviderAccess, path: string): URL {
  const own = new URL(url)
  own.pathname = path
  return own
}

import * as z from 'zod/mini'
import { DrayError, isDrayError } from '../../errors.ts'
import { realmOf } from '../../http/token.ts'
import { nextPage } from '../pages.ts'
import { passwordLogin } from './password-login.ts'
import type { Provider, ProviderAccess, TagToDelete } from './provider.ts'
import { type ApiRequest, apiPages, askApi, readAnswer } from './provider-api.ts'

/**
 * GitLab, at gitlab.com and elsewhere. Its registry deletes single tags since 2023; before that by a way of its own, or by
 * the REST API only (https://docs.gitlab.com/api/container_registry).
 */
export const gitlab: Provider = {
  async deleteTag(access, tag) {
    if (!(await deletedByReference(access, tag))) await deleteByApi(access, tag)
    return { tags: [tag.tag], manifest: false }
  },
  catalog,
}

const needs =
  'the login needs an access token with the scope api (no deploy token), or in a job CI_JOB_TOKEN as gitlab-ci-token'

/** The way of GitLab's own registry from 2019 to 2023. Others know no such place. */
async function deletedByReference(
  { url, send }: ProviderAccess,
  { repository, tag }: TagToDelete,
): Promise<boolean> {
  const path = `v2/${repository}/tags/reference/${tag}`
  const response = await send({ method: 'DELETE', url: new URL(path, url) })
  await response.discard()
  return response.status === 202
}

async function deleteByApi(access: ProviderAccess, { repository, tag }: TagToDelete): Promise<void> {
  const what = `delete ${access.registry}/${repository}:${tag}`
  const api = await openApi(access, what, repository)
  const { id, project_id } = await findRepository(api, repository)
  const path = `projects/${project_id}/registry/repositories/${id}/tags/${tag}`
  await askApi(access, { ...api.request, method: 'DELETE', url: new URL(path, api.url) })
}

interface Api {
  readonly access: ProviderAccess
  /** Ends in `/api/v4/`. */
  readonly url: URL
  readonly request: Pick<ApiRequest, 'headers' | 'what' | 'needs'>
}

/**
 * The REST API lies where the registry sends for its tokens, and gets what that place gets: a registry that names another
 * one has the say over its logins anyway.
 */
async function openApi(access: ProviderAccess, what: string, repository?: string): Promise<Api> {
  const { challenges } = await access.ping()
  const challenge = challenges.find(({ scheme }) => scheme === 'bearer')
  const realm = challenge && realmOf(challenge, access.url)
  if (!realm?.pathname.endsWith('/jwt/auth')) {
    throw new DrayError('UNSUPPORTED', `cannot ${what}: the registry does not say where its GitLab is`)
  }
  const { username, password } = await passwordLogin(access, what, repository)
  const header = username === 'gitlab-ci-token' ? 'job-token' : 'private-token'
  return {
    access,
    url: new URL(`${realm.pathname.slice(0, -'/jwt/auth'.length)}/api/v4/`, realm.origin),
    request: { headers: { [header]: password }, what, needs },
  }
}

const repositoryList = z.array(z.looseObject({ id: z.int(), project_id: z.int(), path: z.string() }))
type ProjectRepository = z.infer<typeof repositoryList>[number]

/** An image's name begins with its project's path, and up to two names may follow: the project is the longest path there is. */
async function findRepository(api: Api, repository: string): Promise<ProjectRepository> {
  const parts = repository.split('/')
  for (let length = parts.length; length >= Math.max(2, parts.length - 2); length -= 1) {
    try {
      for await (const found of repositoriesOf(api, parts.slice(0, length).join('/'))) {
        if (found.path === repository) return found
      }
    } catch (error) {
      if (!isDrayError(error, 'NOT_FOUND')) throw error
    }
  }
  const { what } = api.request
  throw new DrayError(
    'NOT_FOUND',
    `cannot ${what}: ${api.url.host} shows this login no project with that image`,
    {
      hint: needs,
    },
  )
}

function repositoriesOf({ access, url: base, request }: Api, project: string | number) {
  const path = `projects/${encodeURIComponent(project)}/registry/repositories?per_page=100`
  return apiPages<ProjectRepository>(new URL(path, base), async url => {
    const answer = await askApi(access, { ...request, method: 'GET', url })
    const items = readAnswer(repositoryList, answer, request.what)
    return { items, next: nextPage(answer.header('link'), url) }
  })
}

const projectList = z.array(z.looseObject({ id: z.int() }))

/** The images of all projects that the login's owner is a member of. */
async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list the images of your projects at ${access.registry}`
  const api = await openApi(access, what)
  const request = { ...api.request, needs: 'the login needs an access token with the scope read_api or api' }
  const first = new URL('projects?membership=true&simple=true&order_by=id&per_page=100', api.url)
  const projects = apiPages(first, async url => {
    const answer = await askApi(access, { ...request, method: 'GET', url })
    const items = readAnswer(projectList, answer, what)
    return { items, next: nextPage(answer.header('link'), url) }
  })
  for await (const { id } of projects) {
    try {
      for await (const { path } of repositoriesOf(api, id)) yield path
    } catch (error) {
      // A project without a registry, or whose registry is not for this member.
      if (!isDrayError(error) || (error.status !== 403 && error.status !== 404)) throw error
    }
  }
}

import type { RequestListener, ServerResponse } from 'node:http'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { readRecorded } from '../fixtures.ts'
import { answerJson } from './emulation.ts'
import { storedRepositories } from './stored-images.ts'

/** A page has as many as are asked for, 100 at the most; so few show how pages follow one another. */
const maxPageSize = 1

/** The project that a GitLab has, and who may see it. */
export interface GitlabProject {
  readonly gitlab: string
  readonly registry: string
  /** Its path; the repositories of the registry lie in it. */
  readonly project: string
  /** A personal access token with the scope api. */
  readonly token: string
}

const projectId = 9
const emptyProjectId = 10

/** GitLab's REST API, as far as it is about the registries of projects. */
export function gitlabApi(store: EmbeddedRegistry, account: GitlabProject): RequestListener {
  return async ({ method, url = '', headers }, response) => {
    if (headers['private-token'] !== account.token)
      return answerJson(response, 401, { message: '401 Unauthorized' })
    const { pathname, searchParams } = new URL(url, 'https://gitlab')
    const answer = (items: readonly unknown[]) => answerPage(response, pathname, searchParams, items)
    if (pathname === '/api/v4/projects' && searchParams.get('membership') === 'true') {
      return answer([{ id: emptyProjectId, path_with_namespace: 'group/docs' }, { id: projectId }])
    }
    const [, project = '', tagPath] =
      /^\/api\/v4\/projects\/([^/]+)\/registry\/repositories(?:\/(\d+\/tags\/[^/]+))?$/.exec(pathname) ?? []
    const id = decodeURIComponent(project)
    if (id !== account.project && id !== String(projectId)) {
      return answerJson(response, 404, { message: `404 Project Not Found` })
    }
    if (tagPath === undefined) return answer(await repositories())
    if (method === 'DELETE') return deleteTag(response, tagPath)
    answerJson(response, 404, { message: '404 Not Found' })
  }

  async function repositories(): Promise<{ id: number; path: string }[]> {
    const names = (await storedRepositories(store)).filter(name => name.startsWith(`${account.project}/`))
    const recorded = readRecorded('gitlab-repository') as object
    return names.map((path, index) => ({
      ...recorded,
      id: index + 2,
      name: path.slice(account.project.length + 1),
      path,
      project_id: projectId,
      location: `${account.registry}/${path}`,
    }))
  }

  async function deleteTag(response: ServerResponse, path: string): Promise<void> {
    const [id, , tag] = path.split('/')
    const repository = (await repositories()).find(entry => String(entry.id) === id)
    const answer = repository && (await store.ask('DELETE', `/v2/${repository.path}/manifests/${tag}`))
    if (answer?.status === 202) answerJson(response, 200, 200)
    else answerJson(response, 404, { message: '404 Tag Not Found' })
  }
}

function answerPage(
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
  items: readonly unknown[],
): void {
  const page = Number(query.get('page') ?? 1)
  const size = Math.min(Number(query.get('per_page') ?? 20), maxPageSize)
  const hasMore = items.length > page * size
  const next = new URLSearchParams({ ...Object.fromEntries(query), page: String(page + 1) })
  const headers = {
    'x-next-page': hasMore ? String(page + 1) : '',
    'x-total': String(items.length),
    ...(hasMore ? { link: `<https://${response.req.headers.host}${path}?${next}>; rel="next"` } : {}),
  }
  answerJson(response, 200, items.slice((page - 1) * size, page * size), headers)
}

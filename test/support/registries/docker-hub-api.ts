import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { readRecorded } from '../fixtures.ts'
import { answerJson, type Emulation } from './emulation.ts'
import { storedRepositories } from './stored-images.ts'
import { openTokenDesk } from './token-desk.ts'

/** A page has as many as are asked for, 100 at the most; so few show how pages follow one another. */
const maxPageSize = 2

/** The API at hub.docker.com: tokens for a name and a password, lists, the deletion of a tag, the search. */
export function dockerHubApi(store: EmbeddedRegistry, login: Emulation['credential']): RequestListener {
  const desk = openTokenDesk()

  return async (request, response) => {
    const { method, url = '' } = request
    const { pathname, searchParams } = new URL(url, 'https://hub.docker.com')
    if (pathname === '/v2/auth/token' && method === 'POST') return logIn(request, response)
    if (pathname === '/v2/search/repositories/') {
      if (searchParams.has('query')) return answerJson(response, 200, readRecorded('docker-hub-search'))
      return answerJson(response, 400, { message: 'query is missing' })
    }
    if (desk.read(request) === undefined) {
      return answerJson(response, 401, {
        detail: 'Authentication credentials were not provided.',
        message: 'unauthorized',
      })
    }
    if (pathname === '/v2/user/orgs/') {
      return answerJson(response, 200, { count: 0, next: null, previous: null, results: [] })
    }
    const [, repository, tag] = /^\/v2\/repositories\/([^/]+\/[^/]+)\/tags\/([^/]+)\/$/.exec(pathname) ?? []
    if (repository !== undefined && method === 'DELETE') return deleteTag(response, repository, tag ?? '')
    const [, namespace] = /^\/v2\/repositories\/([^/]+)\/$/.exec(pathname) ?? []
    if (namespace !== undefined) return listRepositories(response, namespace, searchParams)
    answerJson(response, 404, { message: 'object not found', errinfo: {} })
  }

  async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { identifier, secret } = (await json(request)) as Record<string, string>
    if (identifier !== login.username || secret !== login.password) {
      return answerJson(response, 401, {
        detail: 'Incorrect authentication credentials',
        message: 'unauthorized',
      })
    }
    const access_token = desk.give({ user: identifier, access: [] }, 600)
    answerJson(response, 200, { access_token })
  }

  async function deleteTag(response: ServerResponse, repository: string, tag: string): Promise<void> {
    if (!repository.startsWith(`${login.username}/`)) {
      return answerJson(response, 403, {
        detail: 'access to the resource is forbidden',
        message: 'forbidden',
      })
    }
    const { status } = await store.ask('DELETE', `/v2/${repository}/manifests/${tag}`)
    if (status === 202) response.writeHead(204).end()
    else answerJson(response, 404, { message: 'tag not found', errinfo: {} })
  }

  async function listRepositories(
    response: ServerResponse,
    namespace: string,
    query: URLSearchParams,
  ): Promise<void> {
    const names = (await storedRepositories(store)).filter(name => name.startsWith(`${namespace}/`))
    const page = Number(query.get('page') ?? 1)
    const size = Math.min(Number(query.get('page_size') ?? 10), maxPageSize)
    const results = names.slice((page - 1) * size, page * size).map(name => ({
      ...(readRecorded('docker-hub-repository') as object),
      namespace,
      name: name.slice(namespace.length + 1),
    }))
    const next = `https://hub.docker.com/v2/repositories/${namespace}/?page=${page + 1}&page_size=${size}`
    const hasMore = names.length > page * size
    answerJson(response, 200, { count: names.length, next: hasMore ? next : null, previous: null, results })
  }
}

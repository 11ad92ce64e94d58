import type { IncomingMessage, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { blobHost } from './blob-host.ts'
import { answerError, answerJson, type Emulate, forward } from './emulation.ts'
import { githubPackages } from './github-packages.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const host = 'ghcr.io'
const blobs = 'pkg-containers.githubusercontent.com'
const credential = {
  kind: 'basic',
  username: 'octo',
  password: 'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
} as const

const denied = { code: 'DENIED', message: 'denied' }
const maxPatchBytes = 4 * 1024 * 1024
/** Pages of tags are larger; a small one shows how they follow one another. */
const tagPageSize = 2

/** GitHub Container Registry, with private packages: nothing is deleted there but by GitHub's packages API. */
export const ghcr: Emulate = store => {
  const desk = openTokenDesk()
  const elsewhere = blobHost(blobs, store)
  /** In the order in which they were first pushed. */
  const tagsOf = new Map<string, string[]>()
  return {
    name: 'GitHub Container Registry',
    registry: host,
    repository: 'octo/tools/app',
    credential,
    // The image of the suite is the last one with a tag.
    expects: { catalog: 'own', deleteTag: 'refused', deleteImage: 'refused' },
    hosts: {
      [host]: answerRegistry,
      'api.github.com': githubPackages(store, { owner: 'octo', token: credential.password }),
      'github.com': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!DOCTYPE html><title>GitHub</title>')
      },
      [blobs]: elsewhere.listener,
    },
  }

  async function answerRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const [path = '', query] = url.split('?')
    if (path === '/token') return giveToken(request, response)
    if (path === '/v2/_catalog') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
      return
    }
    const grant = desk.read(request)
    if (grant === undefined && request.headers.authorization !== undefined)
      return answerError(response, 403, denied)
    if (grant === undefined) return challenge(request, response)
    if (method === 'DELETE') {
      return answerError(response, 405, { code: 'UNSUPPORTED', message: 'The operation is unsupported.' })
    }
    if (!isEnough(grant, needOf(request))) return challenge(request, response)
    if (method === 'PATCH' && Number(request.headers['content-length']) > maxPatchBytes) {
      response.writeHead(416).end()
      return
    }
    const [, repository = ''] = /^\/v2\/(.+)\/(?:tags\/list$|referrers\/)/.exec(path) ?? []
    if (path.endsWith('/tags/list')) return listTags(response, repository, new URLSearchParams(query))
    if (path.includes('/referrers/')) {
      response.writeHead(303, { location: `https://github.com/${repository}` }).end()
      return
    }
    if (await elsewhere.redirect(request, response)) return
    await forward(store, [request, response], {
      answer: ({ status, headers }) => {
        delete headers['oci-subject']
        if (method === 'PUT' && status === 201) rememberTag(path)
      },
    })
  }

  function rememberTag(path: string): void {
    const [, repository = '', tag] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(path) ?? []
    const tags = tagsOf.get(repository) ?? []
    if (tag !== undefined && !tags.includes(tag)) tagsOf.set(repository, [...tags, tag])
  }

  async function listTags(response: ServerResponse, name: string, query: URLSearchParams): Promise<void> {
    const { tags } = (await store.ask('GET', `/v2/${name}/tags/list`)).json() as { tags: string[] }
    const oldestFirst = (tagsOf.get(name) ?? []).filter(tag => tags.includes(tag))
    const start = oldestFirst.indexOf(query.get('last') ?? '') + 1
    const page = oldestFirst.slice(start, start + tagPageSize)
    const hasMore = oldestFirst.length > start + tagPageSize
    const link = `</v2/${name}/tags/list?last=${page.at(-1)}&n=${tagPageSize}>; rel="next"`
    answerJson(response, 200, { name, tags: page }, hasMore ? { link } : {})
  }

  /** The scope that comes with `/v2/` stands for none. */
  function challenge(request: IncomingMessage, response: ServerResponse): void {
    const need = needOf(request)
    const actions = need?.action === 'push' ? 'pull,push' : 'pull'
    const scope = `repository:${need === undefined ? 'user/image:pull' : `${need.name}:${actions}`}`
    const header = `Bearer realm="https://${host}/token",service="${host}",scope="${scope}"`
    const error = { code: 'UNAUTHORIZED', message: 'authentication required' }
    answerError(response, 401, error, { 'www-authenticate': header })
  }

  /** Any name will do with the right token. */
  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, identified, password, username, service, scopes } = await readQuestion(request)
    if (method !== 'GET') return answerError(response, 405, { code: 'UNSUPPORTED', message: 'not allowed' })
    if (identified && password !== credential.password) return answerError(response, 403, denied)
    if (!identified || service !== host) {
      return answerError(response, 401, { code: 'UNAUTHORIZED', message: 'authentication required' })
    }
    const access = allowedAccess(scopes, ({ name }) =>
      name.startsWith('octo/') ? ['pull', 'push', 'delete'] : [],
    )
    answerJson(response, 200, { token: desk.give({ user: username, access }, 300) })
  }
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { blobHost } from './blob-host.ts'
import { answerError, answerJson, type Emulate, type Emulation, forward } from './emulation.ts'
import { gitlabApi } from './gitlab-api.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const credential = { kind: 'basic', username: 'ada', password: 'glpat-Zx81_q0kMbT4uWcY7dRe' } as const
const project = 'group/project'

interface Hosts {
  readonly registry: string
  readonly gitlab: string
  readonly blobs: string
}

/** GitLab.com: the realm is at another host, and single tags are deleted by the registry. */
export const gitlab: Emulate = store => {
  const hosts = {
    registry: 'registry.gitlab.com',
    gitlab: 'gitlab.com',
    blobs: 'cdn.registry.gitlab-static.net',
  }
  return { ...emulate(store, hosts, () => false), name: 'GitLab' }
}

/** A GitLab of someone's own from before 2019: it is known by its realm alone, and only its REST API deletes a tag. */
export const olderGitlab: Emulate = store => {
  const hosts = {
    registry: 'registry.example.org',
    gitlab: 'gitlab.example.org',
    blobs: 'objects.example.org',
  }
  const refuse = (request: IncomingMessage, response: ServerResponse) => {
    const { method, url = '' } = request
    if (method === 'DELETE' && url.includes('/tags/reference/'))
      response.writeHead(404).end('404 page not found\n')
    else if (method === 'DELETE' && /\/manifests\/[^:]+$/.test(url)) {
      const message = 'provided digest did not match uploaded content'
      answerError(response, 400, { code: 'DIGEST_INVALID', message })
    } else return false
    return true
  }
  return { ...emulate(store, hosts, refuse), name: 'GitLab of 2018' }
}

function emulate(
  store: Parameters<Emulate>[0],
  hosts: Hosts,
  refuse: (request: IncomingMessage, response: ServerResponse) => boolean,
): Omit<Emulation, 'name'> {
  const desk = openTokenDesk()
  const elsewhere = blobHost(hosts.blobs, store)
  const api = gitlabApi(store, { ...hosts, project, token: credential.password })
  return {
    registry: hosts.registry,
    repository: `${project}/app`,
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [hosts.registry]: answerRegistry,
      [hosts.gitlab]: (request, response) =>
        request.url?.startsWith('/jwt/auth?') ? giveToken(request, response) : api(request, response),
      [hosts.blobs]: elsewhere.listener,
    } satisfies Record<string, RequestListener>,
  }

  async function answerRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const grant = desk.read(request)
    if (grant === undefined || !isEnough(grant, needOf(request))) return challenge(request, response)
    if (refuse(request, response)) return
    if (request.url?.includes('/referrers/')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
      return
    }
    if (await elsewhere.redirect(request, response)) return
    await forward(store, [request, response])
  }

  function challenge(request: IncomingMessage, response: ServerResponse): void {
    const need = needOf(request)
    const actions = need?.action === 'push' ? 'pull,push' : need?.action
    const scope = need === undefined ? '' : `,scope="${need.type}:${need.name}:${actions}"`
    const fault = desk.read(request) === undefined ? 'invalid_token' : 'insufficient_scope'
    const why = request.headers.authorization === undefined ? '' : `,error="${fault}"`
    const header = `Bearer realm="https://${hosts.gitlab}/jwt/auth",service="container_registry"${scope}${why}`
    const error = { code: 'UNAUTHORIZED', message: 'authentication required', detail: null }
    answerError(response, 401, error, { 'www-authenticate': header })
  }

  /** What may not be done is left out of the token without a word. */
  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, identified, service, scopes } = await readQuestion(request)
    const isMember = username === credential.username && password === credential.password
    if (service !== 'container_registry' || (identified && !isMember)) {
      return answerError(response, 403, { code: 'DENIED', message: 'access forbidden' })
    }
    const access = allowedAccess(scopes, ({ type, name }) => {
      const isOwn = type === 'repository' && name.startsWith(`${project}/`)
      return isOwn && isMember ? ['pull', 'push', 'delete'] : []
    })
    answerJson(response, 200, { token: desk.give({ user: username, access }, 300) })
  }
}

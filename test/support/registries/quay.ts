import type { IncomingMessage, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { answerJson, type Emulate, forward } from './emulation.ts'
import { storedRepositories } from './stored-images.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const host = 'quay.io'
const credential = { kind: 'basic', username: 'acme+ci', password: 'R0B0TT0KEN' } as const
const bearer = `Bearer realm="https://${host}/v2/auth",service="${host}"`

/** Quay's page has 100 tags at the least; here it has one, to show how pages are linked. */
const pageSize = 1

/** Quay, met with a robot: its challenge comes with every `/v2/`, and it knows the rights push, pull and `*` only. */
export const quay: Emulate = store => {
  const desk = openTokenDesk()
  const expired = new Set<string>()
  return {
    name: 'Quay',
    registry: host,
    repository: 'acme/app',
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        const [path = ''] = (request.url ?? '').split('?')
        if (path === '/v2/auth') return giveToken(request, response)
        if (path === '/api/v1/find/repositories') return findRepositories(request, response)
        const grant = desk.read(request)
        if (path === '/v2/') {
          response
            .writeHead(grant?.user === undefined ? 401 : 200, { 'www-authenticate': bearer })
            .end('true')
          return
        }
        if (request.headers.authorization !== undefined && grant === undefined) {
          return answerJson(response, 401, { error: 'Invalid bearer token: Token is expired' })
        }
        if (path === '/v2/_catalog' && grant?.user === undefined) {
          return answerJson(response, 200, { repositories: [] })
        }
        const need = needOf(request)
        const wanted = need?.type === 'repository' ? { ...need, action: rightOf(request) } : undefined
        if (wanted !== undefined && (grant === undefined || !isEnough(grant, wanted))) {
          const actions = wanted.action === 'push' ? 'pull,push' : wanted.action
          const headers = { 'www-authenticate': `${bearer},scope="repository:${wanted.name}:${actions}"` }
          const message = 'access to the requested resource is not authorized'
          return answerError(response, 401, { code: 'UNAUTHORIZED', message }, headers)
        }
        await answerContent(request, response, path)
      },
    },
  }

  /** A page for each repository, to show that there may be several. */
  async function findRepositories(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? '', `https://${host}`)
    const page = Number(searchParams.get('page'))
    const names = (await storedRepositories(store)).filter(name =>
      name.includes(searchParams.get('query') ?? ''),
    )
    const results = names.slice(page - 1, page).map(full => {
      const [namespace, ...rest] = full.split('/')
      return { kind: 'repository', namespace: { name: namespace }, name: rest.join('/'), stars: 3 }
    })
    answerJson(response, 200, { results, has_additional: page < names.length, page, page_size: 1 })
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, username, password, identified, service, scopes } = await readQuestion(request)
    if (method !== 'GET') return answerError(response, 405, { code: 'UNSUPPORTED', message: 'not allowed' })
    const isRight = username === credential.username && password === credential.password
    if (identified && !isRight) {
      const message = 'Could not find robot with specified username'
      return answerError(response, 401, { code: 'UNAUTHORIZED', message })
    }
    const odd = scopes.find(
      scope => !/^repository:[\w.\-/]+:(?:push|pull|\*)(?:,(?:push|pull|\*))*$/.test(scope),
    )
    if (odd !== undefined || service !== host) {
      const message = `Unable to decode repository and actions: ${odd}`
      return answerError(response, 400, { code: 'INVALID_REQUEST', message })
    }
    const access = allowedAccess(scopes, ({ actions }) => (identified ? actions : []))
    answerJson(response, 200, { token: desk.give({ user: username, access }, 3600) })
  }

  async function answerContent(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
  ): Promise<void> {
    const { method, url = '' } = request
    const isTag = /\/manifests\/[^:]+$/.test(path)
    if ((method === 'GET' || method === 'HEAD') && expired.has(path)) {
      return answerError(response, 404, { code: 'TAG_EXPIRED', message: 'Tag has expired' })
    }
    if (method === 'DELETE' && isTag) expired.add(path)
    if (method === 'PUT' && isTag) expired.delete(path)
    const isFirst = method === 'POST' && path.endsWith('/blobs/uploads/')
    await forward(store, [request, response], {
      path: path.endsWith('/tags/list') ? inSmallPages(url) : url,
      answer: answer => {
        const { headers } = answer
        if (typeof headers.location === 'string') headers.location = `https://${host}${headers.location}`
        if (typeof headers.link === 'string') headers.link = headers.link.replace('<', `<https://${host}`)
        if (isFirst && answer.status === 202) headers.range = 'bytes=0--1'
      },
    })
  }
}

function inSmallPages(url: string): string {
  const { pathname, searchParams } = new URL(url, `https://${host}`)
  searchParams.set('n', String(pageSize))
  return `${pathname}?${searchParams}`
}

function rightOf({ method }: IncomingMessage): string {
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'push'
}

function answerError(
  response: ServerResponse,
  status: number,
  error: { readonly code: string; readonly message: string },
  headers: Record<string, string> = {},
): void {
  answerJson(response, status, { errors: [{ ...error, detail: {} }] }, headers)
}

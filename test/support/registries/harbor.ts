import type { IncomingMessage, ServerResponse } from 'node:http'
import { readRecorded } from '../fixtures.ts'
import { readQuestion } from '../token-question.ts'
import { answerJson, basicLogin, type Emulate, forward } from './emulation.ts'
import { storedRepositories } from './stored-images.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const host = 'harbor.example.com'
const project = 'team'
const credential = { kind: 'basic', username: 'robot$team+ci', password: 'Vk9$x+/T=' } as const

/** Harbor, met with a robot of a project, which may not list the catalog. */
export const harbor: Emulate = store => {
  const desk = openTokenDesk()
  return {
    name: 'Harbor',
    registry: host,
    repository: `${project}/backend/app`,
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        const { method = '', url = '' } = request
        const [path = ''] = url.split('?')
        if (path === '/service/token') return giveToken(request, response)
        if (path.startsWith('/api/v2.0/')) return answerApi(request, response)
        if (!isAllowed(request)) return challenge(request, response)
        if (method === 'DELETE' && /\/manifests\/[^:]+$/.test(path)) {
          const message = `unsupported digest ${path.split('/').at(-1)}: invalid checksum digest format`
          return answerError(response, 400, 'UNSUPPORTED', message)
        }
        await forward(store, [request, response])
      },
    },
  }

  /** Also what is public is asked a login for; nobody may list the catalog here. */
  function isAllowed(request: IncomingMessage): boolean {
    const need = needOf(request)
    if (need?.type === 'registry') return false
    const grant = desk.read(request)
    if (need === undefined) return isRobot(request) || grant?.user !== undefined
    return isRobot(request) || (grant !== undefined && isEnough(grant, need))
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { identified, service, scopes } = await readQuestion(request)
    if (service !== 'harbor-registry') return answerError(response, 400, 'BAD_REQUEST', 'unknown service')
    if (identified && !isRobot(request)) return answerError(response, 401, 'UNAUTHORIZED', 'unauthorized')
    const user = identified ? credential.username : undefined
    const access = allowedAccess(scopes, ({ name }) =>
      identified && name.startsWith(`${project}/`) ? ['pull', 'push', 'delete'] : [],
    )
    const token = desk.give({ user, access }, 1800)
    answerJson(response, 200, {
      token,
      access_token: '',
      expires_in: 1800,
      issued_at: new Date().toISOString(),
    })
  }

  async function answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (!isRobot(request)) return answerError(response, 401, 'UNAUTHORIZED', 'unauthorized')
    const [, within, digest, tag] =
      /^\/api\/v2\.0\/projects\/team\/repositories\/([^/]+)\/artifacts\/([^/]+)\/tags\/([^/]+)$/.exec(url) ??
      []
    if (method === 'DELETE' && within !== undefined) {
      const path = `/v2/${project}/${decodeURIComponent(decodeURIComponent(within))}/manifests/${tag}`
      const { headers } = await store.ask('HEAD', path)
      if (headers['docker-content-digest'] !== digest || !within.includes('%252F')) {
        return answerError(response, 404, 'NOT_FOUND', `tag ${tag} attached to artifact not found`)
      }
      await store.ask('DELETE', path)
      response.writeHead(200, { 'content-length': 0 }).end()
      return
    }
    if (method === 'GET' && url.startsWith('/api/v2.0/repositories?')) return listRepositories(url, response)
    if (method === 'GET' && url.startsWith('/api/v2.0/search?')) return searchFor(url, response)
    answerError(response, 404, 'NOT_FOUND', 'The path is not found')
  }

  async function searchFor(url: string, response: ServerResponse): Promise<void> {
    const text = new URL(url, `https://${host}`).searchParams.get('q') ?? ''
    const names = (await storedRepositories(store)).filter(name => name.includes(text))
    const repository = names.map(repository_name => ({
      project_id: 3,
      project_name: project,
      repository_name,
    }))
    answerJson(response, 200, { project: [], repository })
  }

  async function listRepositories(url: string, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(url, `https://${host}`)
    const page = Number(searchParams.get('page') ?? 1)
    const size = Math.min(Number(searchParams.get('page_size') ?? 10), 100)
    const { repositories } = (await store.ask('GET', '/v2/_catalog')).json() as { repositories: string[] }
    const rows = repositories.slice((page - 1) * size, page * size)
    const next = `</api/v2.0/repositories?page=${page + 1}&page_size=${size}>; rel="next"`
    const headers = {
      'x-total-count': String(repositories.length),
      ...(repositories.length > page * size ? { link: next } : {}),
    }
    const described = rows.map(name => ({ ...(readRecorded('harbor-repository') as object), name }))
    answerJson(response, 200, described, headers)
  }
}

function isRobot(request: IncomingMessage): boolean {
  const login = basicLogin(request)
  return login?.username === credential.username && login.password === credential.password
}

/** Basic for who has shown something already, and for the catalog; else Bearer, with all scopes in one text. */
function challenge(request: IncomingMessage, response: ServerResponse): void {
  const need = needOf(request)
  const isBasic = request.headers.authorization !== undefined || need?.type === 'registry'
  const scope = need === undefined ? '' : `,scope="${scopesOf(request, need.name)}"`
  response.setHeader(
    'www-authenticate',
    isBasic
      ? 'Basic realm="harbor"'
      : `Bearer realm="https://${host}/service/token",service="harbor-registry"${scope}`,
  )
  answerError(response, 401, 'UNAUTHORIZED', 'unauthorized to access repository')
}

function scopesOf({ method, url = '' }: IncomingMessage, name: string): string {
  const from = new URL(url, `https://${host}`).searchParams.get('from')
  const action = method === 'GET' || method === 'HEAD' ? 'pull' : method === 'DELETE' ? 'delete' : 'pull,push'
  return `repository:${name}:${action}${from === null ? '' : ` repository:${from}:pull`}`
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message }] })
}

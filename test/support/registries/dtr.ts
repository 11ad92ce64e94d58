import type { IncomingMessage, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { answerJson, basicLogin, type Emulate, forward } from './emulation.ts'
import { allowedAccess, isEnough, type Need, needOf, openTokenDesk } from './token-desk.ts'

const host = 'dtr.example.com'
const repository = 'acme/app'
const credential = { kind: 'basic', username: 'ci', password: 'dtr-passw0rd' } as const

/** What administrators have made; nothing is pushed to another repository. The page size is 1, to show the pages. */
const made = [
  { namespace: 'acme', name: 'app' },
  { namespace: 'acme', name: 'empty' },
]

/** Docker Trusted Registry, met as someone who is no administrator: of its two tokens, only `token` opens anything. */
export const dtr: Emulate = store => {
  const desk = openTokenDesk()
  return {
    name: 'Docker Trusted Registry',
    registry: host,
    repository,
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        const { method, url = '' } = request
        const [path = ''] = url.split('?')
        if (path === '/auth/token') return giveToken(request, response)
        if (path.startsWith('/api/v0/')) return answerApi(request, response)
        const need = needOf(request)
        const grant = desk.read(request)
        if (grant?.user === undefined || !isEnough(grant, need)) return challenge(response, need)
        if (method === 'POST' && need?.name !== repository) {
          return answerError(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry')
        }
        if (method === 'DELETE' && /\/manifests\/[^:]+$/.test(path)) {
          return answerError(response, 405, 'UNSUPPORTED', 'The operation is unsupported.')
        }
        await forward(store, [request, response])
      },
    },
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, service, scopes } = await readQuestion(request)
    if (username !== credential.username || password !== credential.password || service !== 'dtr') {
      return answerError(response, 401, 'UNAUTHORIZED', 'authentication required')
    }
    const access = allowedAccess(scopes, ({ type, actions }) => (type === 'repository' ? actions : []))
    const token = desk.give({ user: username, access }, 300)
    answerJson(response, 200, { token, access_token: 'of-another-service', expires_in: 300 })
  }

  async function answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    const login = basicLogin(request)
    if (login?.username !== credential.username || login.password !== credential.password) {
      return answerError(response, 401, 'NOT_AUTHENTICATED', 'The client is not authenticated.')
    }
    const { pathname, searchParams } = new URL(url, `https://${host}`)
    if (method === 'GET' && pathname === '/api/v0/repositories') {
      const start = searchParams.get('pageStart')
      const at = Math.max(
        0,
        made.findIndex(({ name }) => name === start),
      )
      const next = made[at + 1]
      const headers = { 'x-resource-count': String(made.length) }
      const answered = next === undefined ? headers : { ...headers, 'x-next-page-start': next.name }
      return answerJson(response, 200, { repositories: made.slice(at, at + 1) }, answered)
    }
    const tag = /^\/api\/v0\/repositories\/acme\/app\/tags\/([^/]+)$/.exec(pathname)?.[1]
    const isGone =
      method === 'DELETE' && (await store.ask('DELETE', `/v2/${repository}/manifests/${tag}`)).status === 202
    if (!isGone) return answerError(response, 404, 'NO_SUCH_TAG', 'A tag does not exist.')
    response.writeHead(204).end()
  }
}

function challenge(response: ServerResponse, need: Need | undefined): void {
  const actions = need?.action === 'push' ? 'pull,push' : need?.action
  const scope = need === undefined ? 'registry:catalog:*' : `${need.type}:${need.name}:${actions}`
  const challenge = `Bearer realm="https://${host}/auth/token",service="dtr",scope="${scope}"`
  response.setHeader('www-authenticate', challenge)
  answerError(response, 401, 'UNAUTHORIZED', 'authentication required')
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message }] })
}

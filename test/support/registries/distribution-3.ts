import type { IncomingMessage, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { answerJson, type Emulate, forward } from './emulation.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const host = 'registry3.example.com'
const credential = { kind: 'basic', username: 'dev', password: 's3cret' } as const

/** The real limit is 1,000; this one shows how pages are linked. */
const mostPerPage = 1

/**
 * distribution 3.x with a token service, which says why it refuses: a `DELETE` by tag is 202, and pages of tags are cut and
 * linked.
 */
export const distribution3: Emulate = store => {
  const desk = openTokenDesk()
  return {
    name: 'distribution 3.x',
    registry: host,
    repository: 'team/app',
    credential,
    expects: { catalog: 'open', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        const url = new URL(request.url ?? '', `https://${host}`)
        if (url.pathname === '/auth/token') return giveToken(request, response)
        const grant = desk.read(request)
        const need = needOf(request)
        if (grant?.user === undefined || !isEnough(grant, need)) return challenge(request, response)
        const n = Number(url.searchParams.get('n') ?? 0)
        if (url.pathname === '/v2/_catalog' && n > 1000) {
          const message = 'invalid number of results requested'
          return answerError(response, 400, 'PAGINATION_NUMBER_INVALID', message)
        }
        const isList = url.pathname.endsWith('/tags/list')
        if (isList && n > mostPerPage) url.searchParams.set('n', String(mostPerPage))
        await forward(store, [request, response], { path: `${url.pathname}${url.search}` })
      },
    },
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, service, scopes } = await readQuestion(request)
    const isRight = username === credential.username && password === credential.password
    if (!isRight || service !== 'registry3') {
      return answerJson(response, 401, { details: 'incorrect username or password' })
    }
    const access = allowedAccess(scopes, ({ actions }) => actions)
    answerJson(response, 200, { token: desk.give({ user: username, access }, 60) })
  }

  function challenge(request: IncomingMessage, response: ServerResponse): void {
    const need = needOf(request)
    const actions = need?.action === 'push' ? 'pull,push' : need?.action
    const scope = need === undefined ? '' : `,scope="${need.type}:${need.name}:${actions}"`
    const isShown = request.headers.authorization !== undefined
    const why = desk.read(request) === undefined ? 'invalid_token' : 'insufficient_scope'
    const error = isShown ? `,error="${why}"` : ''
    const challenge = `Bearer realm="https://${host}/auth/token",service="registry3"${scope}${error}`
    response.setHeader('www-authenticate', challenge)
    answerError(response, 401, 'UNAUTHORIZED', 'authentication required')
  }
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message, detail: null }] })
}

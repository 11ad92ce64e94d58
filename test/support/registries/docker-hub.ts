import type { IncomingMessage, ServerResponse } from 'node:http'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { readQuestion } from '../token-question.ts'
import { blobHost } from './blob-host.ts'
import { dockerHubApi } from './docker-hub-api.ts'
import { answerError, answerJson, type Emulate, forward } from './emulation.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk } from './token-desk.ts'

const service = 'registry.docker.io'
const blobs = 'production.cloudflare.docker.com'
const credential = { kind: 'basic', username: 'someone', password: 'dckr_pat_q9Xk2-_0aZ' } as const

/** Docker Hub: four hosts, a limit for reads, single tags deleted by its own API alone. */
export const dockerHub: Emulate = store => {
  const desk = openTokenDesk()
  const elsewhere = blobHost(blobs, store)
  let remaining = 200
  return {
    name: 'Docker Hub',
    registry: 'docker.io',
    repository: `${credential.username}/app`,
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      'registry-1.docker.io': answerRegistry,
      'auth.docker.io': giveToken,
      'hub.docker.com': dockerHubApi(store, credential),
      [blobs]: elsewhere.listener,
    },
  }

  async function answerRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const [path = ''] = url.split('?')
    if (request.headers['user-agent'] === undefined) {
      response.writeHead(403, { 'content-type': 'text/html' }).end('<html><h1>403 Forbidden</h1></html>')
      return
    }
    const grant = desk.read(request)
    const need = needOf(request)
    if (grant === undefined || !isEnough(grant, need)) return challenge(request, response)
    const isRead = method === 'GET' || method === 'HEAD'
    const isManifest = /\/manifests\/[^/]+$/.test(path)
    if (isManifest && isRead)
      for (const [name, value] of limitHeaders(method, grant.user)) response.setHeader(name, value)
    if (isManifest && method === 'GET' && remaining < 0) {
      const message = 'You have reached your pull rate limit. https://www.docker.com/increase-rate-limit'
      return answerError(response, 429, { code: 'TOOMANYREQUESTS', message })
    }
    if (path === '/v2/ratelimitpreview/test/manifests/latest') {
      response.writeHead(200, { 'content-type': mediaTypes.dockerManifest, 'content-length': 527 }).end()
      return
    }
    if (method === 'DELETE' && /\/manifests\/[^:]+$/.test(path)) {
      return answerError(response, 405, { code: 'UNSUPPORTED', message: 'The operation is unsupported.' })
    }
    if (await elsewhere.redirect(request, response)) return
    const isOldClient = !(request.headers.accept ?? '').includes(mediaTypes.dockerList)
    await forward(store, [request, response], {
      answer: ({ status, headers }) => {
        if (isManifest && isRead && isOldClient && status === 200) {
          headers['content-type'] = mediaTypes.dockerSchema1Signed
        }
      },
    })
  }

  /** A HEAD costs nothing. */
  function limitHeaders(method: string, user: string | undefined): [string, string][] {
    if (method === 'GET') remaining -= 1
    return [
      ['ratelimit-limit', '200;w=21600'],
      ['ratelimit-remaining', `${Math.max(0, remaining)};w=21600`],
      [
        'docker-ratelimit-source',
        user === undefined ? '203.0.113.7' : 'f8c7c4c2-3ba0-4c2c-9b58-8e0f4f1a7d11',
      ],
    ]
  }

  function challenge(request: IncomingMessage, response: ServerResponse): void {
    const need = needOf(request)
    const action = need?.action === 'push' ? 'pull,push' : need?.action
    const scope = need === undefined ? '' : `,scope="${need.type}:${need.name}:${action}"`
    const why = request.headers.authorization === undefined ? '' : ',error="insufficient_scope"'
    const header = `Bearer realm="https://auth.docker.io/token",service="${service}"${scope}${why}`
    const error = { code: 'UNAUTHORIZED', message: 'authentication required', detail: null }
    answerError(response, 401, error, {
      'docker-distribution-api-version': 'registry/2.0',
      'www-authenticate': header,
    })
  }

  /** Everybody may pull; nobody but the owner may push or delete, and nobody sees the catalog. */
  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const question = await readQuestion(request)
    if (question.method !== 'GET') return answerJson(response, 405, { details: 'method not allowed' })
    if (question.service !== service) return answerJson(response, 400, { details: 'unknown service' })
    const { identified, username, password } = question
    const isOwner = username === credential.username && password === credential.password
    if (identified && !isOwner) {
      return answerJson(response, 401, { details: 'incorrect username or password' })
    }
    const access = allowedAccess(question.scopes, ({ type, name }) => {
      if (type !== 'repository') return []
      return isOwner && name.startsWith(`${credential.username}/`) ? ['pull', 'push', 'delete'] : ['pull']
    })
    const token = desk.give({ user: isOwner ? username : undefined, access }, 300)
    const issued_at = new Date().toISOString().replace('Z', '176342Z')
    answerJson(response, 200, { token, access_token: token, expires_in: 300, issued_at })
  }
}

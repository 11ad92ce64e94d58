import type { IncomingMessage, ServerResponse } from 'node:http'
import { readQuestion } from '../token-question.ts'
import { answerJson, basicLogin, type Emulate, forward } from './emulation.ts'
import { allowedAccess, needOf, openTokenDesk } from './token-desk.ts'

const host = 'acme.jfrog.io'
const key = 'docker-local'
const credential = { kind: 'basic', username: 'ci@acme.com', password: 'cmVmdGtuOjAxOjE3' } as const

/** Artifactory's page has 1,000 tags; here it has one, to show how pages are linked. */
const pageSize = 1

/**
 * JFrog Artifactory, an older one: the repository key is a part of the path, uploads come in pieces, and tags are deleted
 * by its own API.
 */
export const artifactory: Emulate = store => {
  const desk = openTokenDesk()
  /** Where an upload goes on, by the answer to its PATCH. */
  const begun = new Set<string>()
  return {
    name: 'JFrog Artifactory',
    registry: host,
    repository: `${key}/team/app`,
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes', absentTag: 4 },
    hosts: {
      [host]: async (request, response) => {
        const [path = ''] = (request.url ?? '').split('?')
        response.setHeader('x-jfrog-version', 'Artifactory/7.42.2 74202900')
        if (/^\/artifactory\/api\/docker\/[^/]+\/v2\/token$/.test(path)) return giveToken(request, response)
        if (path.startsWith('/artifactory/')) return answerApi(request, response)
        if (basicLogin(request) !== undefined)
          return answerError(response, 403, 'Bad props auth token: basictoken')
        if (path === '/v2/_catalog') return answerHtml(response)
        if (desk.read(request)?.user === undefined) return challenge(request, response)
        if (request.method === 'DELETE') return deleteManifest(request, response)
        if (request.method === 'PUT' && /\/blobs\/uploads\//.test(path) && !begun.has(path)) {
          return answerError(response, 404, 'The upload has not begun.')
        }
        if (request.method === 'PATCH') begun.add(path)
        await answerContent(request, response)
      },
    },
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, service, scopes } = await readQuestion(request)
    const isRight = username === credential.username && password === credential.password
    if (!isRight) return answerError(response, 401, 'Bad credentials')
    if (service !== `${host}:443`) return answerError(response, 400, 'Unknown service')
    const token = desk.give({ user: username, access: allowedAccess(scopes, ({ actions }) => actions) }, 3600)
    answerJson(response, 200, { token, expires_in: 3600 })
  }

  async function deleteManifest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers.accept?.includes('manifest')) return answerError(response, 406, 'Not Acceptable')
    if (/\/manifests\/[^:]+$/.test(request.url ?? '')) return answerError(response, 405, 'Method Not Allowed')
    await forward(store, [request, response])
  }

  /** What is not there is forbidden; a `Link` loses the key and `/v2`, and ends in a comma. */
  async function answerContent(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', `https://${host}`)
    const isList = url.pathname.endsWith('/tags/list')
    if (isList) url.searchParams.set('n', String(pageSize))
    const isManifest = /\/manifests\//.test(url.pathname) && request.method !== 'PUT'
    if (isManifest && (await store.ask('HEAD', url.pathname)).status === 404) {
      return answerError(response, 403, 'The client does not have permission for manifest')
    }
    await forward(store, [request, response], {
      path: isList ? `${url.pathname}${url.search}` : request.url,
      answer: ({ headers }) => {
        if (typeof headers.link === 'string') headers.link = `${headers.link.replace(`/v2/${key}`, '')},`
      },
    })
  }

  async function answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    const login = basicLogin(request)
    if (login?.username !== credential.username || login.password !== credential.password) {
      response.setHeader('www-authenticate', 'Basic realm="Artifactory Realm"')
      return answerError(response, 401, 'Bad credentials')
    }
    if (method === 'GET' && url === '/artifactory/api/repositories?packageType=docker') {
      const about = { type: 'LOCAL', url: `https://${host}/artifactory/${key}`, packageType: 'Docker' }
      return answerJson(response, 200, [{ key, ...about }])
    }
    if (method === 'GET' && url.startsWith(`/artifactory/api/docker/${key}/v2/_catalog`)) {
      const { repositories } = (await store.ask('GET', '/v2/_catalog')).json() as { repositories: string[] }
      const images = repositories.filter(name => name.startsWith(`${key}/`))
      return answerJson(response, 200, { repositories: images.map(name => name.slice(key.length + 1)) })
    }
    const [, image, tag] = /^\/artifactory\/(docker-local\/.+)\/([^/]+)$/.exec(url) ?? []
    const isGone =
      method === 'DELETE' && (await store.ask('DELETE', `/v2/${image}/manifests/${tag}`)).status === 202
    if (!isGone) return answerError(response, 404, 'Could not locate artifact')
    response.writeHead(204).end()
  }
}

/** The realm of a repository names its key, and the scope does not; that of `/v2/` has no key. */
function challenge(request: IncomingMessage, response: ServerResponse): void {
  const need = needOf(request)
  const image = need?.name.slice(key.length + 1)
  const action = need?.action === 'push' ? 'push,pull' : need?.action
  const realm = `https://${host}:443/artifactory/api/docker/${need === undefined ? 'null' : key}/v2/token`
  const scope = need === undefined ? '' : `,scope="repository:${image}:${action}"`
  response.setHeader('www-authenticate', `Bearer realm="${realm}",service="${host}:443"${scope}`)
  answerError(response, 401, 'Authentication is required')
}

function answerError(response: ServerResponse, status: number, message: string): void {
  answerJson(response, status, { errors: [{ status, message }] })
}

function answerHtml(response: ServerResponse): void {
  const text =
    '<!doctype html><html lang="en"><head><title>HTTP Status 404 – Not Found</title></head>' +
    '<body><h1>HTTP Status 404 – Not Found</h1><hr class="line" /><h3>Apache Tomcat/9.0.65</h3></body></html>'
  response.writeHead(404, { 'content-type': 'text/html;charset=utf-8' }).end(text)
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { readQuestion } from '../token-question.ts'
import { blobHost } from './blob-host.ts'
import { answerJson, type Emulate, forward } from './emulation.ts'
import { allowedAccess, isEnough, type Need, needOf, openTokenDesk } from './token-desk.ts'

const host = 'acme.azurecr.io'
const blobs = 'weumanaged42.blob.core.windows.net'
const credential = {
  kind: 'basic',
  username: '00000000-0000-0000-0000-000000000000',
  password: 'refresh.token.of-acr',
} as const

/** An application of somebody's, as Microsoft Entra knows it, and the token that it gives for that. */
export const azureApplication = {
  AZURE_TENANT_ID: '7d3c0a5e-tenant',
  AZURE_CLIENT_ID: '1b9f4c2e-client',
  AZURE_CLIENT_SECRET: 'Q~8secret-of-the-application',
}
const entraToken = 'entra.token.of-the-application'

/** Azure's page has 100 entries if not told otherwise; here it has one, to show how pages are linked. */
const pageSize = 1

/** Azure Container Registry: `metadata_read` for lists, `access_token` only, blobs at a host that wants no second login. */
export const acr: Emulate = store => {
  const desk = openTokenDesk()
  const storage = blobHost(blobs, store)
  return {
    name: 'Azure Container Registry',
    registry: host,
    repository: 'team/app',
    credential,
    expects: { catalog: 'open', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [blobs]: storage.listener,
      'login.microsoftonline.com': giveEntraToken,
      [host]: async (request, response) => {
        const [path = ''] = (request.url ?? '').split('?')
        response.setHeader('x-ms-correlation-request-id', 'a1f3')
        if (path === '/oauth2/token') return giveToken(request, response)
        if (path === '/oauth2/exchange') return exchangeToken(request, response)
        const need = needAt(request)
        const grant = desk.read(request)
        if (grant?.user === undefined || !isEnough(grant, need)) return challenge(request, response, need)
        response.setHeader('x-ms-ratelimit-remaining-calls-per-second', '166.633333')
        const untag = untagPath(request)
        if (untag !== undefined) return forward(store, [request, response], { path: untag })
        if (request.method === 'DELETE' && /\/manifests\/[^:]+$/.test(path)) {
          return answerError(response, 405, 'UNSUPPORTED', 'The operation is unsupported.')
        }
        if (await storage.redirect(request, response)) return
        await forwardList(request, response)
      },
    },
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, refreshToken, service, scopes } = await readQuestion(request)
    const isUser = username === credential.username && password === credential.password
    if (!(isUser || refreshToken === credential.password) || service !== host) {
      return answerError(
        response,
        401,
        'UNAUTHORIZED',
        'authentication required, visit https://aka.ms/acr/authorization',
      )
    }
    const access = allowedAccess(scopes, ({ actions }) => actions)
    answerJson(response, 200, { access_token: desk.give({ user: credential.username, access }, 4500) })
  }

  /** Lists in small pages; the `Link` is relative, and ends in a field without a value. */
  async function forwardList(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', `https://${host}`)
    const isList = url.pathname.endsWith('/tags/list') || url.pathname === '/v2/_catalog'
    if (!isList) return forward(store, [request, response])
    url.searchParams.set('n', String(pageSize))
    url.searchParams.delete('orderby')
    await forward(store, [request, response], {
      path: `${url.pathname}${url.search}`,
      answer: ({ headers }) => {
        if (typeof headers.link === 'string') headers.link = headers.link.replace('>;', '&orderby=>;')
      },
    })
  }
}

/** Microsoft Entra, for which a client proves itself by its secret. */
async function giveEntraToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = azureApplication
  const form = new URLSearchParams(await text(request))
  const isRight =
    request.url === `/${AZURE_TENANT_ID}/oauth2/v2.0/token` &&
    form.get('client_id') === AZURE_CLIENT_ID &&
    form.get('client_secret') === AZURE_CLIENT_SECRET &&
    form.get('scope') === 'https://containerregistry.azure.net/.default'
  if (!isRight) return answerJson(response, 401, { error: 'invalid_client' })
  answerJson(response, 200, { token_type: 'Bearer', expires_in: 3599, access_token: entraToken })
}

/** Trades Entra's token for one of the registry's own. */
async function exchangeToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await text(request))
  const isRight = form.get('access_token') === entraToken && form.get('service') === host
  if (!isRight) return answerError(response, 401, 'UNAUTHORIZED', 'token validation failed')
  answerJson(response, 200, { refresh_token: credential.password })
}

/** What Azure asks for: a right of its own for lists of tags, and for deleting. */
function needAt(request: IncomingMessage): Need | undefined {
  const [path = ''] = (request.url ?? '').split('?')
  const untagged = /^\/acr\/v1\/(.+)\/_tags\//.exec(path)?.[1]
  if (untagged !== undefined) return { type: 'repository', name: untagged, action: 'delete' }
  const need = needOf(request)
  return need !== undefined && path.endsWith('/tags/list') ? { ...need, action: 'metadata_read' } : need
}

function untagPath({ method, url = '' }: IncomingMessage): string | undefined {
  const [, name, tag] = /^\/acr\/v1\/(.+)\/_tags\/([^/]+)$/.exec(url) ?? []
  return method === 'DELETE' && name !== undefined ? `/v2/${name}/manifests/${tag}` : undefined
}

function challenge({ headers }: IncomingMessage, response: ServerResponse, need: Need | undefined): void {
  const actions = need?.action === 'push' ? 'pull,push' : need?.action
  const scope = need === undefined ? '' : `,scope="${need.type}:${need.name}:${actions}"`
  const error = headers.authorization === undefined ? '' : ',error="invalid_token"'
  const challenge = `Bearer realm="https://${host}/oauth2/token",service="${host}"${scope}${error}`
  response.setHeader('www-authenticate', challenge)
  answerError(
    response,
    401,
    'UNAUTHORIZED',
    'authentication required, visit https://aka.ms/acr/authorization',
  )
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message, detail: null }] })
}

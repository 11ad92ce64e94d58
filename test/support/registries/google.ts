import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { readRecorded } from '../fixtures.ts'
import { readQuestion } from '../token-question.ts'
import { answerJson, type Emulate, forward } from './emulation.ts'
import { allowedAccess, isEnough, needOf, openTokenDesk, type TokenDesk } from './token-desk.ts'

const key = {
  type: 'service_account',
  project_id: 'acme-prod',
  private_key_id: '4fd1',
  private_key: '-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=$\n-----END PRIVATE KEY-----\n',
  client_email: 'ci@acme-prod.iam.gserviceaccount.com',
}

/** Artifact Registry: no service in its challenges, and a catalog that is always empty. */
export const artifactRegistry: Emulate = store => {
  const host = 'europe-docker.pkg.dev'
  const credential = { kind: 'basic', username: '_json_key', password: JSON.stringify(key) } as const
  const google = openGoogle({ store, host, credential })
  return {
    name: 'Google Artifact Registry',
    registry: host,
    repository: 'acme-prod/images/team/app',
    credential,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        const [path = ''] = (request.url ?? '').split('?')
        if (google.isAllowed(request)) {
          if (path === '/v2/_catalog') return answerJson(response, 200, { repositories: [] })
          return google.answer(request, response)
        }
        const need = needOf(request)
        const scope =
          need?.type === 'repository' ? `,scope="repository:${need.name}:${actionsOf(request)}"` : ''
        refuse(response, { 'www-authenticate': `Bearer realm="https://${host}/v2/token"${scope}` })
      },
    },
  }
}

/** gcr.io: an unquoted service, and no challenge at all but with the answer to `/v2/`. */
export const containerRegistry: Emulate = store => {
  const host = 'gcr.io'
  const credential = { kind: 'basic', username: 'oauth2accesstoken', password: 'ya29.c.b0Aaekm1K' } as const
  const google = openGoogle({ store, host, credential, service: host })
  return {
    name: 'Google Container Registry',
    registry: host,
    repository: 'acme-prod/app',
    credential,
    expects: { catalog: 'open', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: async (request, response) => {
        if (google.isAllowed(request)) return google.answer(request, response)
        const isPing = request.url === '/v2/'
        refuse(
          response,
          isPing ? { 'www-authenticate': `Bearer realm="https://${host}/v2/token",service=${host}` } : {},
        )
      },
    },
  }
}

interface GoogleOptions {
  readonly store: EmbeddedRegistry
  readonly host: string
  readonly credential: { readonly username: string; readonly password: string }
  readonly service?: string | undefined
}

/** What both have in common. */
function openGoogle({ store, host, credential, service }: GoogleOptions) {
  const desk = openTokenDesk()
  return {
    isAllowed(request: IncomingMessage): boolean {
      if (request.url?.startsWith('/v2/token?') || request.url === '/v2/token') return true
      const grant = desk.read(request)
      const need = needOf({ method: request.method, url: registryPath(request) } as IncomingMessage)
      // Google knows no right of its own for deleting, nor one for the catalog.
      const wanted =
        need?.type === 'registry' ? undefined : need?.action === 'delete' ? { ...need, action: 'push' } : need
      return grant?.user !== undefined && isEnough(grant, wanted)
    },
    async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const [path = ''] = registryPath(request).split('?')
      if (path === '/v2/token') return giveToken(desk, { credential, service }, [request, response])
      if (path.endsWith('/tags/list')) return listTags(store, path, response)
      if (request.method === 'PATCH')
        return answerError(response, 405, 'UNSUPPORTED', 'Uploads are monolithic.')
      if (request.method === 'DELETE' && (await isTagged(store, path))) {
        return answerError(
          response,
          400,
          'GOOGLE_MANIFEST_DANGLING_TAG',
          'Manifest is still referenced by a tag: delete it first.',
        )
      }
      const isDownload = request.url?.startsWith('/artifacts-downloads/')
      if (request.method === 'GET' && /\/blobs\/sha256:/.test(path) && !isDownload) {
        const location = `/artifacts-downloads${path.slice('/v2'.length)}`
        response.writeHead(302, { location }).end()
        return
      }
      await forward(store, [request, response], {
        path: registryPath(request),
        answer: ({ headers }) => {
          const { location } = headers
          if (typeof location !== 'string' || !location.includes('/blobs/uploads/')) return
          headers.location = `https://${host}/artifacts-uploads${location.slice('/v2'.length)}?upload_id=1`
        },
      })
    },
  }
}

/** The registry API's path of what Google serves elsewhere. */
function registryPath({ url = '' }: IncomingMessage): string {
  return url.replace(/^\/artifacts-(?:up|down)loads\//, '/v2/').replace(/upload_id=1&?/, '')
}

async function giveToken(
  desk: TokenDesk,
  { credential, service }: Pick<GoogleOptions, 'credential' | 'service'>,
  [request, response]: readonly [IncomingMessage, ServerResponse],
): Promise<void> {
  const question = await readQuestion(request)
  const isRight = question.username === credential.username && question.password === credential.password
  if (!isRight) return answerError(response, 401, 'UNAUTHORIZED', 'Not Authorized.')
  if (question.service !== service) return answerError(response, 400, 'UNKNOWN', 'The service is unknown.')
  const access = allowedAccess(question.scopes, () => ['pull', 'push'])
  const token = desk.give({ user: question.username, access }, 3600)
  answerJson(response, 200, { expires_in: 3600, issued_at: new Date().toISOString(), token })
}

/** All tags in one page, with the repositories within and a map of what the tags stand for. Numbers are texts. */
async function listTags(store: EmbeddedRegistry, path: string, response: ServerResponse): Promise<void> {
  const name = path.slice('/v2/'.length, -'/tags/list'.length)
  const listed = await store.ask('GET', path)
  const tags = listed.status === 200 ? (listed.json() as { tags: string[] }).tags : []
  const { repositories } = (await store.ask('GET', '/v2/_catalog')).json() as { repositories: string[] }
  const within = repositories.filter(other => other.startsWith(`${name}/`))
  const child = [...new Set(within.map(other => other.slice(name.length + 1).split('/')[0]))]
  if (listed.status !== 200 && child.length === 0) {
    return answerError(response, 404, 'NAME_UNKNOWN', `Repository "${name}" not found`)
  }
  const manifest: Record<string, object> = {}
  for (const tag of tags) {
    const { headers } = await store.ask('HEAD', `/v2/${name}/manifests/${tag}`)
    const digest = String(headers['docker-content-digest'])
    const known = manifest[digest] as { tag: string[] } | undefined
    const about = { ...(readRecorded('google-manifest') as object), mediaType: headers['content-type'] }
    manifest[digest] = { ...about, tag: [...(known?.tag ?? []), tag] }
  }
  answerJson(response, 200, { child, manifest, name, tags })
}

async function isTagged(store: EmbeddedRegistry, path: string): Promise<boolean> {
  const [, name, digest] = /^\/v2\/(.+)\/manifests\/(sha256:.+)$/.exec(path) ?? []
  if (name === undefined) return false
  const { tags } = (await store.ask('GET', `/v2/${name}/tags/list`)).json() as { tags: string[] }
  for (const tag of tags) {
    const { headers } = await store.ask('HEAD', `/v2/${name}/manifests/${tag}`)
    if (headers['docker-content-digest'] === digest) return true
  }
  return false
}

function actionsOf({ method }: IncomingMessage): string {
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'push,pull'
}

function refuse(response: ServerResponse, headers: Record<string, string>): void {
  const error = { code: 'UNAUTHORIZED', message: 'Unauthenticated request.' }
  answerJson(response, 401, { errors: [error] }, headers)
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerJson(response, status, { errors: [{ code, message }] })
}

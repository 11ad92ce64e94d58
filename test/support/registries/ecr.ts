import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { readRecorded } from '../fixtures.ts'
import {
  AwsRefusal,
  authorizationGrant,
  awsApi,
  awsKeys,
  batchDelete,
  describe,
  type Payload,
} from './aws-api.ts'
import { blobHost } from './blob-host.ts'
import { answerError, basicLogin, type Emulate, forward } from './emulation.ts'

const account = '123456789012'
const region = 'eu-central-1'
const host = `${account}.dkr.ecr.${region}.amazonaws.com`
const blobs = `prod-${region}-starport-layer-bucket.s3.${region}.amazonaws.com`
const credential = { kind: 'basic', username: 'AWS', password: 'eyJwYXlsb2FkIjoiSGJ5OW' } as const

/** The only repository: it must be there before a push. */
const repository = 'team/app'

/**
 * Amazon ECR: Basic alone, pages of 1000 at the most, uploads that keep no more than the first PATCH, and a registry API
 * that deletes nothing.
 */
export const ecr: Emulate = store => {
  const elsewhere = blobHost(blobs, store)
  /** What the first PATCH of an upload was answered with, by its path. */
  const begun = new Map<string, OutgoingHttpHeaders>()
  return {
    name: 'Amazon ECR',
    registry: host,
    repository,
    credential,
    env: awsKeys,
    expects: { catalog: 'open', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: answerRegistry,
      [`api.ecr.${region}.amazonaws.com`]: awsApi({
        service: 'ecr',
        region,
        target: 'AmazonEC2ContainerRegistry_V20150921',
        actions: {
          GetAuthorizationToken: async () => ({
            authorizationData: [{ ...authorizationGrant(credential), proxyEndpoint: `https://${host}` }],
          }),
          BatchDeleteImage: async payload => batchDelete(store, checked(payload), payload),
          DescribeRepositories: async payload =>
            describe(store, payload, repositoryName => ({
              ...(readRecorded('ecr-repository') as object),
              repositoryName,
              repositoryUri: `${host}/${repositoryName}`,
            })),
        },
      }),
      [blobs]: elsewhere.listener,
    },
  }

  async function answerRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const [path = '', query] = url.split('?')
    if (!isLoggedIn(request, response)) return
    const [, name] = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path) ?? []
    if (name !== undefined && name !== repository) {
      const message = `The repository with name '${name}' does not exist in the registry with id '${account}'`
      return answerError(response, 404, { code: 'NAME_UNKNOWN', message })
    }
    if (Number(new URLSearchParams(query).get('n')) > 1000) {
      const message =
        "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'"
      return answerError(response, 405, { code: 'UNSUPPORTED', message })
    }
    const isManifest = path.includes('/manifests/')
    if (isManifest && method === 'DELETE') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
      return
    }
    if (isManifest && method === 'PUT') return putManifest(request, response)
    if (await elsewhere.redirect(request, response)) return
    const isPatch = method === 'PATCH'
    const known = isPatch ? begun.get(path) : undefined
    if (known !== undefined) {
      request.resume()
      response.writeHead(201, known).end()
      return
    }
    const isMount = method === 'POST' && path.endsWith('/blobs/uploads/')
    await forward(store, [request, response], {
      path: isMount ? path : url,
      answer: answer => {
        if (isManifest && method === 'HEAD') delete answer.headers['docker-content-digest']
        if (!isPatch || answer.status !== 202) return
        answer.status = 201
        begun.set(path, answer.headers)
      },
    })
  }

  async function putManifest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    if (JSON.parse(body.toString('utf8')).mediaType === undefined) {
      return answerError(response, 405, { code: 'UNSUPPORTED', message: 'Invalid JSON syntax' })
    }
    const headers = { 'content-type': request.headers['content-type'] }
    const answer = await store.ask('PUT', request.url ?? '', { headers, body })
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }
}

/** Who shows a wrong password is asked for none. */
function isLoggedIn(request: IncomingMessage, response: ServerResponse): boolean {
  const login = basicLogin(request)
  if (login === undefined) {
    const challenge = `Basic realm="https://${host}/",service="ecr.amazonaws.com"`
    response
      .writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': challenge })
      .end('Not Authorized\n')
  } else if (login.username !== credential.username || login.password !== credential.password) {
    response.writeHead(400, { 'content-type': 'text/plain' }).end('Bad Request\n')
  } else return true
  return false
}

function checked({ registryId, repositoryName }: Payload): string {
  if (registryId === account && repositoryName === repository) return repository
  const message = `The repository with name '${repositoryName}' does not exist in the registry with id '${registryId}'`
  throw new AwsRefusal('RepositoryNotFoundException', message)
}

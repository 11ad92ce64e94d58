import type { IncomingMessage, ServerResponse } from 'node:http'
import { readRecorded } from '../fixtures.ts'
import { readQuestion } from '../token-question.ts'
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
import { answerError, answerJson, type Emulate, forward } from './emulation.ts'
import { needOf, openTokenDesk } from './token-desk.ts'

const host = 'public.ecr.aws'
const blobs = 'd5l0dvt14r5h8.cloudfront.net'
const alias = 'a1b2c3d4'
const credential = { kind: 'basic', username: 'AWS', password: 'eyJwdWJsaWMiOiJ6Zkx' } as const
const expired = {
  code: 'DENIED',
  message: 'Your authorization token has expired. Reauthenticate and try again.',
}

/**
 * Amazon ECR Public: one token for everything, one request a second for who has no login, and a registry API that
 * deletes and lists nothing.
 */
export const ecrPublic: Emulate = store => {
  const desk = openTokenDesk()
  const elsewhere = blobHost(blobs, store)
  let lastAnonymousAt = 0
  return {
    name: 'Amazon ECR Public',
    registry: host,
    repository: `${alias}/team/app`,
    credential,
    env: awsKeys,
    expects: { catalog: 'own', deleteTag: 'yes', deleteImage: 'yes' },
    hosts: {
      [host]: answerRegistry,
      'api.ecr-public.us-east-1.amazonaws.com': awsApi({
        service: 'ecr-public',
        region: 'us-east-1',
        target: 'SpencerFrontendService',
        actions: {
          GetAuthorizationToken: async () => ({ authorizationData: authorizationGrant(credential) }),
          DescribeRegistries: async () => readRecorded('ecr-public-registries'),
          BatchDeleteImage: async payload => batchDelete(store, await checked(payload), payload),
          DescribeRepositories: async payload =>
            describe(store, payload, name => ({
              repositoryName: name.slice(alias.length + 1),
              repositoryUri: `${host}/${name}`,
            })),
        },
      }),
      [blobs]: elsewhere.listener,
    },
  }

  async function answerRegistry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const [path = ''] = url.split('?')
    if (path === '/token/') return giveToken(request, response)
    const grant = desk.read(request)
    if (grant === undefined && request.headers.authorization !== undefined)
      return answerError(response, 400, expired)
    if (grant === undefined) {
      const header = `Bearer realm="https://${host}/token/",service="${host}",scope="aws"`
      const error = { code: 'UNAUTHORIZED', message: 'Not Authorized' }
      return answerError(response, 401, error, { 'www-authenticate': header })
    }
    if (path === '/v2/_catalog')
      return answerError(response, 404, { code: 'NAME_UNKNOWN', message: 'Not Found' })
    if (grant.user === undefined && Date.now() - lastAnonymousAt < 1000) {
      return answerError(response, 429, { code: 'TOOMANYREQUESTS', message: 'Rate exceeded' })
    }
    if (grant.user === undefined) lastAnonymousAt = Date.now()
    const need = needOf(request)
    if (need !== undefined && need.action !== 'pull' && grant.user === undefined) {
      return answerError(response, 403, { code: 'DENIED', message: 'Not Authorized' })
    }
    if (method === 'DELETE' && path.includes('/manifests/')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
      return
    }
    if (await elsewhere.redirect(request, response)) return
    await forward(store, [request, response])
  }

  async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { username, password, identified, service, scopes } = await readQuestion(request)
    if (service !== host || !scopes.includes('aws')) {
      return answerError(response, 400, { code: 'UNSUPPORTED', message: 'Invalid parameter' })
    }
    if (identified && (username !== credential.username || password !== credential.password)) {
      return answerError(response, 403, expired)
    }
    answerJson(response, 200, { token: desk.give({ user: username, access: [] }, 12 * 3600) })
  }

  async function checked({ repositoryName }: Payload): Promise<string> {
    const name = `${alias}/${repositoryName}`
    if ((await store.ask('GET', `/v2/${name}/tags/list`)).status === 200) return name
    const message = `The repository with name '${repositoryName}' does not exist in the registry`
    throw new AwsRefusal('RepositoryNotFoundException', message)
  }
}

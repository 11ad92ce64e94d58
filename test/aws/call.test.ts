import { describe, expect, it } from 'vitest'
import { callAws, signRequest } from '../../src/aws/call.ts'
import type { WebRequest } from '../../src/web-service.ts'
import { errorOf, everythingSaid } from '../credentials/sandbox.ts'
import { rightAuthorization } from './check-signature.ts'
import { recorded, type ScriptedAnswer, scriptedWeb } from './scripted-web.ts'

interface Vector {
  readonly name: string
  readonly method: WebRequest['method']
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string | null
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  readonly region: string
  readonly service: string
  readonly timestamp: string
  readonly authorization: string
}

const vectors: Vector[] = JSON.parse(recorded('sigv4.json'))
const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'SECRET-KEY',
  sessionToken: 'SESSION-TOKEN',
}
const call = {
  host: 'api.ecr.eu-central-1.amazonaws.com',
  region: 'eu-central-1',
  service: 'ecr',
  target: 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
  payload: {},
  credentials,
  now: () => Date.UTC(2026, 0, 1),
}

describe('a signature', () => {
  it.each(vectors)('is the one that AWS published for $name', async vector => {
    const { method, url, headers, region, service } = vector
    const request = { method, url: new URL(url), headers, body: vector.body ?? undefined }
    const now = () => Date.parse(vector.timestamp)
    const signed = await signRequest(request, { credentials: vector.credentials, region, service, now })
    expect(signed.headers?.authorization).toBe(vector.authorization)
    expect(signed).toMatchObject({ method, url: new URL(url), headers: { 'x-amz-date': '20150830T123600Z' } })
    expect(signed.headers?.['x-amz-security-token']).toBe(vector.credentials.sessionToken)
  })

  it.each(vectors)('is found right by the check of these tests for $name', vector => {
    const url = new URL(vector.url)
    const request = {
      method: vector.method,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...vector.headers,
        host: url.host,
        'x-amz-date': '20150830T123600Z',
        'x-amz-security-token': vector.credentials.sessionToken,
        authorization: vector.authorization,
      },
      body: vector.body ?? '',
    }
    expect(rightAuthorization(request, vector.credentials.secretAccessKey)).toBe(vector.authorization)
  })
})

describe('a call of an AWS service', () => {
  it('is a signed POST of JSON 1.1', async () => {
    const web = scriptedWeb({ body: '{"authorizationData":[]}' })
    expect(await callAws(web.ask, call)).toEqual({ authorizationData: [] })
    expect(web.lines).toEqual(['POST https://api.ecr.eu-central-1.amazonaws.com/'])
    const { headers = {}, body = '' } = web.requests[0] ?? {}
    expect(body).toBe('{}')
    expect(headers).toEqual({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
      'x-amz-date': '20260101T000000Z',
      'x-amz-security-token': 'SESSION-TOKEN',
      authorization: expect.stringContaining(
        'Credential=AKIDEXAMPLE/20260101/eu-central-1/ecr/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ',
      ),
    })
    const seen = { method: 'POST', path: '/', headers: { ...headers, host: call.host }, body }
    expect(headers.authorization).toBe(rightAuthorization(seen, 'SECRET-KEY'))
  })

  it('goes without a session token where the keys have none', async () => {
    const web = scriptedWeb({ body: '{}' })
    await callAws(web.ask, { ...call, credentials: { accessKeyId: 'AKID', secretAccessKey: 'S' } })
    expect(web.requests[0]?.headers).not.toHaveProperty('x-amz-security-token')
  })

  it.each<[string, ScriptedAnswer, string, string]>([
    [
      'keys without the right',
      { status: 400, body: recorded('ecr-access-denied.json') },
      'UNAUTHORIZED',
      'refused: AccessDeniedException: "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:GetAuthorizationToken',
    ],
    [
      'expired keys',
      { status: 400, body: recorded('ecr-expired-keys.json') },
      'UNAUTHORIZED',
      'refused: ExpiredTokenException: "The security token included in the request is expired"',
    ],
    [
      'a wrong secret key',
      { status: 400, body: recorded('ecr-bad-signature.json') },
      'UNAUTHORIZED',
      'refused: InvalidSignatureException: "The request signature we calculated does not match',
    ],
    [
      'an unknown repository',
      { status: 400, body: recorded('ecr-no-repository.json') },
      'NOT_FOUND',
      `refused: RepositoryNotFoundException: "The repository with name 'app' does not exist`,
    ],
    [
      'a wrong parameter, named in a header',
      {
        status: 400,
        body: '{"message":"bad"}',
        headers: { 'x-amzn-errortype': 'InvalidParameterException:http://internal.amazon.com/' },
      },
      'REGISTRY',
      'refused: InvalidParameterException: "bad"',
    ],
    ['a fault of the service', { status: 503, body: '<html>' }, 'NETWORK', 'failed: status 503'],
    ['an empty refusal', { status: 403, body: '' }, 'UNAUTHORIZED', 'refused: status 403'],
    ['an answer that is not JSON', { body: 'SESSION-TOKEN' }, 'INTEGRITY', 'is not of the expected form'],
    ['an answer that is no object', { body: '[]' }, 'INTEGRITY', 'is not of the expected form'],
    [
      'a refusal that repeats the secrets',
      { status: 400, body: '{"__type":"SECRET-KEY","message":"SECRET-KEY and SESSION-TOKEN \\u001b[2J"}' },
      'REGISTRY',
      'refused: "*** and *** \\u{1b}[2J"',
    ],
  ])('tells of %s without a secret', async (_what, answer, code, message) => {
    const error = await errorOf(callAws(scriptedWeb(answer).ask, call))
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(everythingSaid(error)).toContain('api.ecr.eu-central-1.amazonaws.com')
    expect(everythingSaid(error)).not.toMatch(/SECRET-KEY|SESSION-TOKEN/)
  })
})

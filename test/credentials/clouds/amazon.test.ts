import { describe, expect, it, onTestFinished } from 'vitest'
import { DrayError } from '../../../src/errors.ts'
import { createTransport } from '../../../src/http/send.ts'
import { webService } from '../../../src/http/web-service.ts'
import type { AskWebService } from '../../../src/web-service.ts'
import { rightAuthorization } from '../../aws/check-signature.ts'
import { recorded, type ScriptedAnswer, scriptedWeb } from '../../aws/scripted-web.ts'
import { startLoopback } from '../../support/loopback.ts'
import { errorOf, everythingSaid } from '../sandbox.ts'
import { openPlaces, startTime, writeTemporary } from './places.ts'

const registry = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'SECRET-KEY' }
const token = { body: recorded('ecr-token.json') }
const renewedToken = {
  body: JSON.stringify({ authorizationData: [{ authorizationToken: btoa('AWS:newer') }] }),
}
const login = { kind: 'basic', username: 'AWS', password: 'ecr-password' }
const hour = 60 * 60 * 1000

describe('a password for Amazon ECR', () => {
  it('is had by one call that the keys sign', async () => {
    const web = scriptedWeb(token)
    expect(await openPlaces(keys, web.ask).find(registry)).toEqual({
      credential: login,
      origin: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    })
    expect(web.lines).toEqual(['POST https://api.ecr.eu-central-1.amazonaws.com/'])
    const { headers = {}, body = '' } = web.requests[0] ?? {}
    expect(body).toBe('{}')
    expect(headers).toMatchObject({
      'x-amz-date': '20260101T000000Z',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    })
    const host = 'api.ecr.eu-central-1.amazonaws.com'
    const seen = { method: 'POST', path: '/', headers: { ...headers, host }, body }
    expect(headers.authorization).toBe(rightAuthorization(seen, 'SECRET-KEY'))
  })

  it('is had for the public registry from its own service', async () => {
    const web = scriptedWeb({ body: recorded('ecr-public-token.json') })
    expect(await openPlaces(keys, web.ask).find('public.ecr.aws')).toMatchObject({ credential: login })
    expect(web.lines).toEqual(['POST https://api.ecr-public.us-east-1.amazonaws.com/'])
    expect(web.requests[0]?.headers?.['x-amz-target']).toBe('SpencerFrontendService.GetAuthorizationToken')
  })

  it('is had with a web identity by way of temporary keys', async () => {
    const web = scriptedWeb({ body: recorded('sts-web-identity.xml') }, token)
    const env = {
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/pusher',
      AWS_WEB_IDENTITY_TOKEN_FILE: await writeTemporary('WEB-IDENTITY\n'),
    }
    expect(await openPlaces(env, web.ask).find(registry)).toEqual({
      credential: login,
      origin: 'AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE',
    })
    expect(web.lines).toEqual([
      'POST https://sts.eu-central-1.amazonaws.com/',
      'POST https://api.ecr.eu-central-1.amazonaws.com/',
    ])
    expect(web.requests[1]?.headers).toMatchObject({
      'x-amz-security-token': 'AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE',
      authorization: expect.stringContaining('Credential=ASIAIOSFODNN7EXAMPLE/'),
    })
  })

  it('is not had where nothing may be asked, or the keys are not meant for the registry', async () => {
    expect(await openPlaces(keys).find(registry)).toBeUndefined()
    const web = scriptedWeb()
    const env = { AWS_ROLE_ARN: 'arn:aws-cn:iam::1:role/r', AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere' }
    expect(await openPlaces(env, web.ask).find(registry)).toBeUndefined()
    expect(web.lines).toEqual([])
  })

  it('is remembered for all who ask, and asked for anew when its time is up', async () => {
    const clock = { time: startTime }
    const web = scriptedWeb(token, token)
    const places = openPlaces(keys, web.ask, clock)
    const found = await Promise.all([places.find(registry), places.find(registry), places.find(registry)])
    expect(found.map(entry => entry?.credential)).toEqual([login, login, login])
    clock.time = startTime + 11 * hour
    await places.find(registry.toUpperCase())
    expect(web.requests).toHaveLength(1)
    clock.time = startTime + 12 * hour
    await Promise.all([places.find(registry), places.find(registry)])
    expect(web.requests).toHaveLength(2)
    expect(web.requests[1]?.headers?.['x-amz-date']).toBe('20260101T120000Z')
  })

  it('is asked for anew, once for all, when it was refused', async () => {
    const web = scriptedWeb(token, renewedToken)
    const places = openPlaces(keys, web.ask)
    await places.find(registry, { renew: true })
    const renewed = [places.find(registry, { renew: true }), places.find(registry, { renew: true })]
    expect((await Promise.all(renewed)).map(entry => entry?.credential)).toEqual([
      { ...login, password: 'newer' },
      { ...login, password: 'newer' },
    ])
    expect(await places.find(registry)).toMatchObject({ credential: { password: 'newer' } })
    expect(web.requests).toHaveLength(2)
  })

  it('is asked for again after a failure', async () => {
    const web = scriptedWeb(new DrayError('NETWORK', 'no connection'), token)
    const places = openPlaces(keys, web.ask)
    expect(await errorOf(places.find(registry))).toMatchObject({ code: 'NETWORK', hint: undefined })
    expect(await places.find(registry)).toMatchObject({ credential: login })
  })

  it.each<[string, ScriptedAnswer, string, string]>([
    [
      'is refused',
      { status: 400, body: recorded('ecr-access-denied.json') },
      'UNAUTHORIZED',
      'api.ecr.eu-central-1.amazonaws.com refused: AccessDeniedException: "User: ',
    ],
    [
      'is answered without a token',
      { body: '{"authorizationData":[{"expiresAt":1}]}' },
      'INTEGRITY',
      'the answer of api.ecr.eu-central-1.amazonaws.com is not of the expected form, at "authorizationData"',
    ],
    [
      'is answered with a token that is no login',
      { body: JSON.stringify({ authorizationData: [{ authorizationToken: btoa('ecr-password') }] }) },
      'INTEGRITY',
      'the answer of api.ecr.eu-central-1.amazonaws.com holds no username and password',
    ],
    [
      'is not found, which must not look like an absent image,',
      { status: 400, body: recorded('ecr-no-repository.json') },
      'REGISTRY',
      'refused: RepositoryNotFoundException: ',
    ],
    ['is answered with text', { body: 'ecr-password' }, 'INTEGRITY', 'is not of the expected form'],
  ])('that %s is an error that names the registry and the variables', async (_what, answer, code, why) => {
    const error = await errorOf(openPlaces(keys, scriptedWeb(answer).ask).find(registry))
    expect(error).toMatchObject({
      code,
      message: expect.stringContaining(
        `no login for ${registry} from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: `,
      ),
      hint: 'is what stands in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY still right?',
    })
    expect(everythingSaid(error)).toContain(why)
    expect(everythingSaid(error)).not.toMatch(/SECRET-KEY|ecr-password/)
  })

  it('that needs a file which is not there is an error that names the file and its variable', async () => {
    const env = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/r', AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token' }
    expect(await errorOf(openPlaces(env, scriptedWeb().ask).find(registry))).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/AWS_WEB_IDENTITY_TOKEN_FILE: .*\/nowhere\/token/),
    })
  })
})

describe('over real HTTP', () => {
  /** Sends what is meant for AWS to the test's server. */
  function askLoopback(url: string): AskWebService {
    const transport = createTransport()
    onTestFinished(transport.close)
    const ask = webService(transport.send)
    return request =>
      ask(request.url.hostname.endsWith('.amazonaws.com') ? { ...request, url: new URL(url) } : request)
  }

  it('an agent gives keys, and a server finds the signature right', async () => {
    const secretKey = JSON.parse(recorded('container-keys.json')).SecretAccessKey
    const seen: string[] = []
    await using server = await startLoopback(async (request, response) => {
      const { method = '', url: path = '' } = request
      let body = ''
      for await (const chunk of request) body += chunk
      if (path === '/agent') {
        seen.push(`agent: ${request.headers.authorization}`)
        response.end(recorded('container-keys.json'))
        return
      }
      const names = Object.keys(request.headers)
      const headers = Object.fromEntries(names.map(name => [name, String(request.headers[name])]))
      headers.host = 'api.ecr.eu-central-1.amazonaws.com'
      seen.push(
        `ecr: ${headers.authorization === rightAuthorization({ method, path, headers, body }, secretKey)}`,
      )
      response.end(recorded('ecr-token.json'))
    })
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/agent`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: await writeTemporary('AGENT-TOKEN\n'),
    }
    const places = openPlaces(env, askLoopback(`${server.url}/`))
    expect(await places.find(registry)).toMatchObject({ credential: login })
    expect(seen).toEqual(['agent: AGENT-TOKEN', 'ecr: true'])
  })

  it('an endless answer is cut off', async () => {
    await using server = await startLoopback((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(1 << 20)));
      }
      response.on('drain', more)
      more()
    })
    const error = await errorOf(openPlaces(keys, askLoopback(`${server.url}/`)).find(registry))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(registry) })
  })
})

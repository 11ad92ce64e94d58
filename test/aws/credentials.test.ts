import { describe, expect, it } from 'vitest'
import { awsCredentials } from '../../src/aws/credentials.ts'
import { parseEcrRegistry } from '../../src/aws/ecr-registry.ts'
import { DrayError } from '../../src/errors.ts'
import { errorOf, everythingSaid } from '../credentials/sandbox.ts'
import { formOf, recorded, type ScriptedAnswer, scriptedWeb } from './scripted-web.ts'

const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'SECRET-KEY' }
const identity = {
  AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/pusher',
  AWS_WEB_IDENTITY_TOKEN_FILE: '/tokens/identity',
}
const files: Record<string, string> = {
  '/tokens/identity': 'WEB-IDENTITY\n',
  '/tokens/agent': 'AGENT-TOKEN\n',
}
const temporaryKeys = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY',
  sessionToken: 'AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE',
}

type Env = Record<string, string>

function find(env: Env, answers: (ScriptedAnswer | Error)[] = [], host = 'eu-central-1.amazonaws.com') {
  const registry = parseEcrRegistry(`123456789012.dkr.ecr.${host}`)
  if (registry === undefined) throw new Error('not a registry')
  const web = scriptedWeb(...answers)
  const readFile = async (path: string) => {
    const text = files[path]
    if (text === undefined) throw new DrayError('IO', `${path}: no such file or directory`)
    return text
  }
  return { web, found: awsCredentials({ env, readFile, ask: web.ask }, registry) }
}

describe('AWS keys in the environment', () => {
  it('come first, and nobody is asked', async () => {
    const { web, found } = find({
      ...keys,
      ...identity,
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/x',
    })
    expect(await found).toEqual({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'SECRET-KEY' })
    expect(web.lines).toEqual([])
  })

  it('have a session token where they are temporary', async () => {
    const env = { ...keys, AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE', AWS_SESSION_TOKEN: 'SESSION-TOKEN' }
    expect(await find(env).found).toMatchObject({ accessKeyId: 'ASIAEXAMPLE', sessionToken: 'SESSION-TOKEN' })
  })

  it('that are temporary but lack it are a wrong use', async () => {
    const error = await errorOf(find({ ...keys, AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE' }).found)
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('AWS_SESSION_TOKEN') })
  })

  it.each<Env>([{}, { AWS_ACCESS_KEY_ID: 'AKID' }, { ...keys, AWS_SECRET_ACCESS_KEY: '' }])(
    'are not there: %o',
    async env => expect(await find(env).found).toBeUndefined(),
  )
})

describe('a web identity', () => {
  it('is traded for temporary keys in the region of the registry', async () => {
    const { web, found } = find(identity, [{ body: recorded('sts-web-identity.xml') }])
    expect(await found).toEqual(temporaryKeys)
    expect(web.lines).toEqual(['POST https://sts.eu-central-1.amazonaws.com/'])
    expect(web.requests[0]?.headers).toEqual({ 'content-type': 'application/x-www-form-urlencoded' })
    expect(formOf(web.requests[0])).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::123456789012:role/pusher',
      RoleSessionName: 'dray',
      WebIdentityToken: 'WEB-IDENTITY',
    })
  })

  it('takes the name of the session from AWS_ROLE_SESSION_NAME', async () => {
    const answers = [{ body: recorded('sts-web-identity.xml') }]
    const { web, found } = find({ ...identity, AWS_ROLE_SESSION_NAME: 'build-7' }, answers)
    await found
    expect(formOf(web.requests[0])).toMatchObject({ RoleSessionName: 'build-7' })
  })

  it('does not go to another partition than its role belongs to', async () => {
    const { web, found } = find(identity, [], 'cn-north-1.amazonaws.com.cn')
    expect(await found).toBeUndefined()
    expect(web.lines).toEqual([])
  })

  it.each<[string, ScriptedAnswer | Error, Env, string, RegExp]>([
    [
      'has expired',
      { status: 400, body: recorded('sts-expired-identity.xml') },
      {},
      'UNAUTHORIZED',
      /^sts\.eu-central-1\.amazonaws\.com refused: ExpiredTokenException: "Token expired/,
    ],
    [
      'is repeated by the service',
      {
        status: 403,
        body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>WEB-IDENTITY?</Message></Error></ErrorResponse>',
      },
      {},
      'UNAUTHORIZED',
      /refused: AccessDenied: "\*\*\*\?"$/,
    ],
    [
      'is answered with half of the keys',
      { body: recorded('sts-web-identity.xml').replace(/<SessionToken>.*<\/SessionToken>/, '') },
      {},
      'INTEGRITY',
      /^the answer of sts\.eu-central-1\.amazonaws\.com is not of the expected form, at "sessionToken"$/,
    ],
    [
      'is not in its file',
      new Error('unasked'),
      { AWS_WEB_IDENTITY_TOKEN_FILE: '/tokens/none' },
      'IO',
      /\/tokens\/none/,
    ],
    ['cannot be sent', new DrayError('NETWORK', 'no connection'), {}, 'NETWORK', /no connection/],
  ])('that %s is an error without a secret', async (_what, answer, env, code, message) => {
    const error = await errorOf(find({ ...identity, ...env }, [answer]).found)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(everythingSaid(error)).not.toMatch(/WEB-IDENTITY\b|wJalrXUtnFEMI/)
  })
})

describe('the agent of a container', () => {
  const answers = [{ body: recorded('container-keys.json') }]

  it.each<[string, Env, string, string | undefined]>([
    [
      'ECS by a path',
      { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/1?x=2' },
      'GET http://169.254.170.2/v2/credentials/1?x=2',
      undefined,
    ],
    [
      'ECS rather than another, if both are named',
      {
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/a',
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://localhost/b',
      },
      'GET http://169.254.170.2/a',
      undefined,
    ],
    [
      'EKS with a token from a file',
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/tokens/agent',
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'another',
      },
      'GET http://169.254.170.23/v1/credentials',
      'AGENT-TOKEN',
    ],
    [
      'EKS over IPv6',
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://[fd00:ec2::23]/v1/credentials' },
      'GET http://[fd00:ec2::23]/v1/credentials',
      undefined,
    ],
    [
      'this machine with a token',
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://localhost:1234/c',
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Basic abcd',
      },
      'GET http://localhost:1234/c',
      'Basic abcd',
    ],
  ])('is asked: %s', async (_what, env, line, authorization) => {
    const { web, found } = find(env, answers)
    expect(await found).toEqual(temporaryKeys)
    expect(web.lines).toEqual([line])
    expect(web.requests[0]?.headers).toEqual({
      accept: 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    })
  })

  it.each<Env>([
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'https://evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1.evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://localhost.evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.169.254/latest' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://user@localhost/c' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'file:///etc/passwd' },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: '/no/host' },
    { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '.evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@evil.example/c' },
    { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@localhost/c' },
  ])('is not sought elsewhere: %o', async env => {
    const { web, found } = find({ ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'AGENT-TOKEN' }, answers)
    const error = await errorOf(found)
    expect(error).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(Object.keys(env)[0] ?? '?'),
    })
    expect(web.lines).toEqual([])
  })

  it.each<[string, ScriptedAnswer, Env, string, string]>([
    [
      'refuses',
      { status: 403, body: '{"code":"AccessDeniedException","message":"AGENT-TOKEN is stale"}' },
      {},
      'UNAUTHORIZED',
      'localhost refused: AccessDeniedException: "*** is stale"',
    ],
    [
      'answers without keys',
      { body: '{"AccessKeyId":"AKID","SecretAccessKey":""}' },
      {},
      'INTEGRITY',
      'the answer of localhost is not of the expected form, at "SecretAccessKey"',
    ],
    [
      'would get a second header',
      { body: '' },
      { AWS_CONTAINER_AUTHORIZATION_TOKEN: 'AGENT-TOKEN\r\nx: y' },
      'USAGE',
      'has more than one line',
    ],
  ])('that %s is an error without a secret', async (_what, answer, env, code, message) => {
    const base = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://localhost/c',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'AGENT-TOKEN',
    }
    const error = await errorOf(find({ ...base, ...env }, [answer]).found)
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(everythingSaid(error)).not.toContain('AGENT-TOKEN')
  })
})

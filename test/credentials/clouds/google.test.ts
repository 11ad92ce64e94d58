import { describe, expect, it } from 'vitest'
import { formOf, recorded, type ScriptedAnswer, scriptedWeb } from '../../aws/scripted-web.ts'
import { errorOf, everythingSaid } from '../sandbox.ts'
import { openPlaces, startTime, writeTemporary } from './places.ts'

const registry = 'europe-west1-docker.pkg.dev'
const external = JSON.parse(recorded('google-key-external.json'))
const tokenOf = (password: string) => ({ kind: 'basic', username: 'oauth2accesstoken', password })

async function keyFile(content: unknown): Promise<{ GOOGLE_APPLICATION_CREDENTIALS: string }> {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  return { GOOGLE_APPLICATION_CREDENTIALS: await writeTemporary(text) }
}

describe("a login at Google's registries", () => {
  it.each([
    [
      { GOOGLE_OAUTH_ACCESS_TOKEN: 'ya29.A', CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.B' },
      'ya29.A',
      'GOOGLE_OAUTH_ACCESS_TOKEN',
    ],
    [
      { CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.B', GOOGLE_APPLICATION_CREDENTIALS: '/nowhere' },
      'ya29.B',
      'CLOUDSDK_AUTH_ACCESS_TOKEN',
    ],
  ])('is the access token of %o', async (env, password, origin) => {
    expect(await openPlaces(env).find('gcr.io')).toEqual({ credential: tokenOf(password), origin })
  })

  it("is the whole file of a service account's key, byte for byte", async () => {
    const text = recorded('google-key-service-account.json')
    expect(await openPlaces(await keyFile(text)).find(registry)).toEqual({
      credential: { kind: 'basic', username: '_json_key', password: text },
      origin: 'GOOGLE_APPLICATION_CREDENTIALS',
    })
  })

  it("is an access token for a user's refresh token, until its time is up", async () => {
    const clock = { time: startTime }
    const answer = { body: recorded('google-token.json') }
    const web = scriptedWeb(answer, answer)
    const places = openPlaces(await keyFile(recorded('google-key-user.json')), web.ask, clock)
    expect(await places.find(registry)).toMatchObject({ credential: tokenOf('ya29.EXAMPLE') })
    expect(web.lines).toEqual(['POST https://oauth2.googleapis.com/token'])
    expect(formOf(web.requests[0])).toEqual({
      grant_type: 'refresh_token',
      client_id: '100.apps.googleusercontent.com',
      client_secret: 'CLIENT-SECRET',
      refresh_token: '1//REFRESH-TOKEN',
    })
    clock.time += 3500_000
    await places.find(registry)
    expect(web.requests).toHaveLength(1)
    clock.time += 60_000
    await places.find(registry)
    expect(web.requests).toHaveLength(2)
  })

  it('is not had from a file that needs the network where nothing may be asked', async () => {
    expect(await openPlaces(await keyFile(recorded('google-key-user.json'))).find(registry)).toBeUndefined()
  })
})

describe('the identity of a CI job', () => {
  const identity = { body: '{"count":1,"value":"JOB-IDENTITY"}' }
  const federated = { body: recorded('google-federated.json') }
  const impersonated = { body: recorded('google-impersonated.json') }

  it('is fetched, traded, and let act for its service account', async () => {
    const web = scriptedWeb(identity, federated, impersonated)
    const found = await openPlaces(await keyFile(external), web.ask).find(registry)
    expect(found?.credential).toEqual(tokenOf('ya29.c.IMPERSONATED'))
    expect(web.lines).toEqual([
      'GET https://actions.example/token?audience=google',
      'POST https://sts.googleapis.com/v1/token',
      'POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/ci@example.iam.gserviceaccount.com:generateAccessToken',
    ])
    expect(web.requests[0]?.headers).toEqual({ authorization: 'Bearer ACTIONS-REQUEST-TOKEN' })
    expect(formOf(web.requests[1])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: external.audience,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: 'JOB-IDENTITY',
    })
    expect(web.requests[2]).toMatchObject({
      headers: { authorization: 'Bearer ya29.d.FEDERATED', 'content-type': 'application/json' },
      body: '{"scope":["https://www.googleapis.com/auth/cloud-platform"]}',
    })
  })

  it('is read from a file and used without a service account where the key file says so', async () => {
    const { service_account_impersonation_url: _, ...direct } = external
    const file = await writeTemporary('JOB-IDENTITY\n')
    const web = scriptedWeb(federated)
    const env = await keyFile({ ...direct, credential_source: { file } })
    expect(await openPlaces(env, web.ask).find(registry)).toMatchObject({
      credential: tokenOf('ya29.d.FEDERATED'),
    })
    expect(formOf(web.requests[0])).toMatchObject({ subject_token: 'JOB-IDENTITY' })
  })

  it.each([
    [{ token_url: 'https://sts.evil.example/v1/token' }, 'token_url'],
    [{ token_url: 'https://sts.googleapis.com.evil.example/v1/token' }, 'token_url'],
    [{ token_url: 'https://sts.googleapis.com@evil.example/v1/token' }, 'token_url'],
    [{ token_url: 'http://sts.googleapis.com/v1/token' }, 'token_url'],
    [
      { service_account_impersonation_url: 'https://iamcredentials.googleapis.com@evil.example/v1' },
      'service_account_impersonation_url',
    ],
    [{ credential_source: { url: 'file:///etc/passwd' } }, 'credential_source.url'],
  ])('goes nowhere but to Google: %o', async (change, field) => {
    const web = scriptedWeb(identity, federated, impersonated)
    const error = await errorOf(openPlaces(await keyFile({ ...external, ...change }), web.ask).find(registry))
    expect(error).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(
        `the file of GOOGLE_APPLICATION_CREDENTIALS is not of the expected form, at "${field}"`,
      ),
    })
    expect(web.lines).toEqual([])
  })

  it.each<[string, ScriptedAnswer[], string, string]>([
    [
      'is not given out',
      [{ status: 401, body: '{"message":"no ACTIONS-REQUEST-TOKEN"}' }],
      'UNAUTHORIZED',
      'actions.example refused: "no ***"',
    ],
    [
      'is given out in another form',
      [{ body: '{"token":"JOB-IDENTITY"}' }],
      'INTEGRITY',
      'the identity of the file of GOOGLE_APPLICATION_CREDENTIALS is not of the expected form, at "value"',
    ],
    [
      'may not act for the service account',
      [identity, federated, { status: 403, body: recorded('google-impersonation-denied.json') }],
      'UNAUTHORIZED',
      `iamcredentials.googleapis.com refused: PERMISSION_DENIED: "Permission 'iam.serviceAccounts.getAccessToken' denied`,
    ],
  ])('that %s is an error without a secret', async (_what, answers, code, message) => {
    const error = await errorOf(
      openPlaces(await keyFile(external), scriptedWeb(...answers).ask).find(registry),
    )
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(everythingSaid(error)).not.toMatch(/JOB-IDENTITY|ACTIONS-REQUEST-TOKEN|ya29/)
  })
})

describe('the file of GOOGLE_APPLICATION_CREDENTIALS', () => {
  it.each<[string, unknown, ScriptedAnswer[], string, string]>([
    [
      'holds a revoked refresh token',
      recorded('google-key-user.json'),
      [{ status: 400, body: recorded('google-revoked.json') }],
      'UNAUTHORIZED',
      'oauth2.googleapis.com refused: invalid_grant: "Token has been expired or revoked."',
    ],
    [
      'is of another type',
      { type: 'gdch_service_account' },
      [],
      'UNSUPPORTED',
      'of the type "gdch_service_account"',
    ],
    [
      'has its identity from a program',
      { ...external, credential_source: { executable: { command: 'x' } } },
      [],
      'UNSUPPORTED',
      'neither in a file nor at a URL',
    ],
    ['is not JSON', '1//REFRESH-TOKEN', [], 'INTEGRITY', 'is not of the expected form'],
    ['lacks a part', { type: 'authorized_user', client_id: 'x' }, [], 'INTEGRITY', 'at "client_secret"'],
  ])('that %s is an error without a secret', async (_what, content, answers, code, message) => {
    const error = await errorOf(
      openPlaces(await keyFile(content), scriptedWeb(...answers).ask).find(registry),
    )
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(everythingSaid(error)).toContain(
      'no login for europe-west1-docker.pkg.dev from GOOGLE_APPLICATION_CREDENTIALS: ',
    )
    expect(everythingSaid(error)).not.toMatch(/CLIENT-SECRET|REFRESH-TOKEN/)
  })

  it('that is not there, or larger than any key, is an error', async () => {
    const missing = { GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/key.json' }
    expect(await errorOf(openPlaces(missing).find(registry))).toMatchObject({ code: 'IO' })
    const huge = await keyFile('x'.repeat(300_000))
    expect(await errorOf(openPlaces(huge).find(registry))).toMatchObject({ code: 'INTEGRITY' })
  })
})

import { readFile } from 'node:fs/promises'
import { get } from 'node:https'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, makeAuthority, readKeyPair } from './certificates.ts'
import { requirePeers } from './peers.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import { startTokenService, type TokenService } from './token-service.ts'

let folder: TempDir
let authority: Authority
let service: TokenService

const scope = 'repository:localhost:5000/app:pull,push'

// That a real registry verifies the tokens is shown in docker-registry.test.ts.
describe.skipIf(!requirePeers('openssl'))('the token service of tests', () => {
  beforeAll(async () => {
    folder = await makeTempDir()
    authority = await makeAuthority(folder.path)
  })
  afterAll(() => folder.remove())

  beforeEach(async () => {
    service = await startTokenService({ authority, users: { anna: 'pa:ss' } })
  })
  afterEach(() => service.stop())

  it('gives anonymous callers pull only, and the scopes as they were asked for', async () => {
    const reply = await ask({ scope })
    expect(accessOf(reply)).toEqual([{ type: 'repository', name: 'localhost:5000/app', actions: ['pull'] }])
    expect(service.requests).toMatchObject([{ method: 'GET', user: undefined, scopes: [scope] }])
  })

  it('gives users what they ask for, and a refresh token when they want to be offline', async () => {
    const reply = await ask({ scope, offline_token: 'true' }, 'anna:pa:ss')
    expect(accessOf(reply)).toMatchObject([{ actions: ['pull', 'push'] }])
    expect(reply.body).toMatchObject({ expires_in: 300, refresh_token: expect.any(String) })
    expect(service.requests).toMatchObject([{ user: 'anna' }])
  })

  it('refuses a wrong password', async () => {
    expect(await ask({ scope }, 'anna:pa')).toMatchObject({ status: 401 })
    expect(service.requests).toMatchObject([{ user: undefined }])
  })

  it('refuses another service than its own', async () => {
    expect(await ask({ scope, service: 'other' })).toMatchObject({ status: 400 })
  })

  it('trades a password by POST for an access token alone, and the refresh token that comes with it again', async () => {
    const first = await post({
      grant_type: 'password',
      username: 'anna',
      password: 'pa:ss',
      access_type: 'offline',
    })
    expect(first).toMatchObject({ status: 200, body: { access_token: expect.any(String) } })
    expect(first.body).not.toHaveProperty('token')
    const refresh_token = first.body.refresh_token ?? ''
    const second = await post({ grant_type: 'refresh_token', refresh_token })
    expect(accessOf(second)).toMatchObject([
      { actions: ['pull', 'push'] },
      { name: 'other', actions: ['pull'] },
    ])
    expect(service.requests.map(({ grantType, user }) => [grantType, user])).toEqual([
      ['password', 'anna'],
      ['refresh_token', 'anna'],
    ])
  })

  it('takes refresh tokens that it issued and no others', async () => {
    const refresh_token = service.issueRefreshToken('anna')
    expect(await post({ grant_type: 'refresh_token', refresh_token })).toMatchObject({ status: 200 })
    expect(await post({ grant_type: 'refresh_token', refresh_token: 'made up' })).toMatchObject({
      status: 401,
    })
  })

  it('follows its settings from one request to the next', async () => {
    service.settings.expiresIn = undefined
    expect((await ask({ scope })).body).not.toHaveProperty('expires_in')
    service.settings.acceptsPost = false
    expect(await post({ grant_type: 'refresh_token' })).toMatchObject({ status: 404 })
    service.settings.denyWith = 403
    expect(await ask({ scope }, 'anna:pa:ss')).toMatchObject({ status: 403 })
  })

  it('speaks HTTPS where it is given a certificate', async () => {
    const tls = await readKeyPair(await authority.issue('service', { usage: 'server' }))
    await using secure = await startTokenService({ authority, users: {}, tls })
    const ca = await readFile(authority.certificate)
    const query = new URLSearchParams({ service: secure.token.service })
    const status = await new Promise((resolve, reject) => {
      get(`${secure.token.realm}?${query}`, { ca, agent: false }, reply =>
        resolve(reply.resume().statusCode),
      ).on('error', reject)
    })
    expect(status).toBe(200)
  })
})

interface Reply {
  readonly status: number
  readonly body: { readonly token?: string; readonly access_token?: string; readonly refresh_token?: string }
}

async function ask(query: Record<string, string>, userAndPassword?: string): Promise<Reply> {
  const url = `${service.token.realm}?${new URLSearchParams({ service: service.token.service, ...query })}`
  const basic = userAndPassword === undefined ? undefined : Buffer.from(userAndPassword).toString('base64')
  const reply = await fetch(url, { headers: basic === undefined ? {} : { authorization: `Basic ${basic}` } })
  return { status: reply.status, body: (await reply.json()) as Reply['body'] }
}

async function post(fields: Record<string, string>): Promise<Reply> {
  const body = new URLSearchParams({
    service: service.token.service,
    scope: `${scope} repository:other:pull`,
    ...fields,
  })
  const reply = await fetch(service.token.realm, { method: 'POST', body })
  return { status: reply.status, body: (await reply.json()) as Reply['body'] }
}

function accessOf({ body }: Reply): unknown {
  const claims = body.access_token?.split('.')[1] ?? ''
  return JSON.parse(Buffer.from(claims, 'base64url').toString()).access
}

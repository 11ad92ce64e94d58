import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyToken } from '../../../src/server/auth/json-web-token.ts'
import { TokenKey } from '../../../src/server/auth/token-key.ts'
import type { Users } from '../../../src/server/auth/users.ts'
import { type Answer, type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { sampleBlob, sampleImage } from '../../support/sample-image.ts'

const users: Users = { check: async (name, password) => name === 'ann' && password === 'se:cret' }
const basic = (credentials: string) => ({
  Authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
})
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const right = basic('ann:se:cret')
const image = sampleImage('one')
const { digest } = sampleBlob('some').descriptor

interface Token {
  token: string
  access_token: string
  expires_in: number
  issued_at: string
  scope: string
  refresh_token?: string
}

describe('a registry with Basic', () => {
  it.each([
    ['nothing', {}],
    ['a wrong password', basic('ann:wrong')],
    ['an unknown user', basic('bob:se:cret')],
    ['what is no name and password', { Authorization: 'Basic !!' }],
    ['a token', bearer('token')],
  ])('challenges who sends %s', async (_, headers) => {
    await using registry = await startEmbeddedRegistry({ auth: { kind: 'basic', realm: 'my "own"', users } })
    const answer = await registry.ask('GET', '/v2/', { headers })
    expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
    expect(answer.headers['www-authenticate']).toBe('Basic realm="my \\"own\\""')
  })

  it('lets its users do anything, and tells the log who they are', async () => {
    await using registry = await startEmbeddedRegistry({ auth: { kind: 'basic', users } })
    expect((await registry.ask('GET', '/v2/', { headers: right })).status).toBe(200)
    expect((await registry.ask('POST', '/v2/a/blobs/uploads/', { headers: right })).status).toBe(202)
    expect((await registry.ask('GET', '/v2/_catalog', { headers: right })).status).toBe(200)
    expect(await registry.ended(event => event.method === 'POST')).toMatchObject({ user: 'ann' })
  })

  it('may let anybody pull, and no more', async () => {
    await using open = await startEmbeddedRegistry()
    await open.putImage('a', image, 'v1')
    const { dir } = open
    const auth = { kind: 'basic', users, anonymousPull: true } as const
    await using registry = await startEmbeddedRegistry({ dir, auth })
    await expectPullOnly(path => registry.ask(path[0], path[1]))
    expect((await registry.ask('GET', '/v2/', {})).status).toBe(401)
    const wrong = { headers: basic('ann:wrong') }
    expect((await registry.ask('GET', '/v2/a/manifests/v1', wrong)).status).toBe(401)
  })
})

describe('a registry with tokens', () => {
  let registry: EmbeddedRegistry
  let now = Date.UTC(2026, 0, 1)
  beforeAll(async () => {
    const auth = { kind: 'token', service: 'my-registry', users, tokenTtlSeconds: 60 } as const
    registry = await startEmbeddedRegistry({ auth, clock: () => now })
  })
  afterAll(() => registry[Symbol.asyncDispose]())

  const tokenFor = async (query: string): Promise<string> => {
    const answer = await registry.ask('GET', `/token?service=my-registry&${query}`, { headers: right })
    return (answer.json() as Token).token
  }

  it.each([
    ['GET', '/v2/', undefined],
    ['GET', '/v2/a/manifests/v1', 'repository:a:pull'],
    ['HEAD', `/v2/a/b/blobs/${digest}`, 'repository:a/b:pull'],
    ['GET', '/v2/a/tags/list', 'repository:a:pull'],
    ['GET', `/v2/a/referrers/${digest}`, 'repository:a:pull'],
    ['PUT', '/v2/a/manifests/v1', 'repository:a:pull,push'],
    ['POST', '/v2/a/blobs/uploads/', 'repository:a:pull,push'],
    ['POST', `/v2/a/blobs/uploads/?mount=${digest}`, 'repository:a:pull,push'],
    ['POST', `/v2/a/blobs/uploads/?mount=${digest}&from=b`, 'repository:a:pull,push repository:b:pull'],
    ['PATCH', '/v2/a/blobs/uploads/x', 'repository:a:pull,push'],
    ['DELETE', '/v2/a/blobs/uploads/x', 'repository:a:pull,push'],
    ['DELETE', '/v2/a/manifests/v1', 'repository:a:delete'],
    ['DELETE', `/v2/a/blobs/${digest}`, 'repository:a:delete'],
    ['GET', '/v2/_catalog', 'registry:catalog:*'],
  ])('challenges %s %s with the scope %s', async (method, path, scope) => {
    const answer = await registry.ask(method, path)
    const realm = `http://${registry.host}/token`
    const scoped = scope === undefined ? '' : `,scope="${scope}"`
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe(`Bearer realm="${realm}",service="my-registry"${scoped}`)
  })

  it('gives a token for the challenge, and with it what was asked for', async () => {
    const path = `/v2/flow/blobs/uploads/?digest=${digest}`
    const refused = await registry.ask('POST', path, { body: 'some' })
    const challenge = parameters(refused)
    const query = new URLSearchParams({ service: challenge.service ?? '', scope: challenge.scope ?? '' })
    const { pathname } = new URL(challenge.realm ?? '')
    const answer = await registry.ask('GET', `${pathname}?${query}`, { headers: right })
    const given = answer.json() as Token
    expect(given).toEqual({
      token: expect.any(String),
      access_token: given.token,
      scope: 'repository:flow:pull,push',
      expires_in: 60,
      issued_at: '2026-01-01T00:00:00.000Z',
    })
    const asked = { headers: bearer(given.token), body: 'some' }
    expect((await registry.ask('POST', path, asked)).status).toBe(201)
    const event = await registry.ended(({ path, status }) => path.startsWith('/v2/flow/') && status === 201)
    expect(event.user).toBe('ann')
  })

  it('takes several scopes, once each or in one', async () => {
    for (const query of [
      'scope=repository:a:pull&scope=repository:b:delete',
      'scope=repository:a:pull+repository:b:delete',
    ]) {
      const headers = bearer(await tokenFor(query))
      expect((await registry.ask('GET', '/v2/a/manifests/v1', { headers })).status).toBe(404)
      expect((await registry.ask('DELETE', '/v2/b/manifests/v1', { headers })).status).toBe(404)
      expect((await registry.ask('GET', '/v2/b/manifests/v1', { headers })).status).toBe(401)
    }
  })

  it('refuses what the token does not allow, and says so', async () => {
    const headers = bearer(await tokenFor('scope=repository:a:pull'))
    for (const [method, path] of [
      ['GET', '/v2/b/manifests/v1'],
      ['PUT', '/v2/a/manifests/v1'],
      ['DELETE', '/v2/a/manifests/v1'],
      ['GET', '/v2/_catalog'],
    ] as const) {
      const answer = await registry.ask(method, path, { headers })
      expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
      expect(parameters(answer).error).toBe('insufficient_scope')
    }
    expect((await registry.ask('GET', '/v2/', { headers })).status).toBe(200)
  })

  it('refuses a token that has expired', async () => {
    const headers = bearer(await tokenFor('scope=repository:a:pull'))
    now += 59_000
    expect((await registry.ask('GET', '/v2/', { headers })).status).toBe(200)
    now += 1000
    const answer = await registry.ask('GET', '/v2/', { headers })
    expect(answer.status).toBe(401)
    expect(parameters(answer).error).toBe('invalid_token')
  })

  it('refuses tokens that it did not sign', async () => {
    const token = await tokenFor('scope=repository:a:pull')
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(claims).toMatchObject({ iss: 'my-registry', aud: 'my-registry', sub: 'ann' })
    const more = encode({ ...claims, access: [{ type: 'repository', name: 'b', actions: ['pull'] }] })
    const auth = { kind: 'token', service: 'my-registry', users } as const
    await using other = await startEmbeddedRegistry({ auth, clock: () => now })
    const foreign = await other.ask('GET', '/token?scope=repository:b:pull', { headers: right })
    for (const forged of [
      `${header}.${more}.${signature}`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${more}.`,
      `${header}.${payload}`,
      'x.y.z',
      (foreign.json() as Token).token,
    ]) {
      const answer = await registry.ask('GET', '/v2/b/tags/list', { headers: bearer(forged) })
      expect(answer.status).toBe(401)
      expect(parameters(answer).error).toBe('invalid_token')
    }
  })

  it('leaves out of a token what there is not', async () => {
    const query = new URLSearchParams({
      scope:
        'repository:a:pull,fly repository:A:pull registry:catalog:* registry:users:* plugin:x:pull nonsense',
    })
    const answer = await registry.ask('GET', `/token?${query}`, { headers: right })
    expect((answer.json() as Token).scope).toBe('repository:a:pull registry:catalog:*')
    const headers = bearer((answer.json() as Token).token)
    expect((await registry.ask('GET', '/v2/_catalog', { headers })).status).toBe(200)
  })

  it.each([
    ['nothing', {}],
    ['a wrong password', basic('ann:wrong')],
    ['a token', bearer('x')],
  ])('gives no token for %s', async (_, headers) => {
    const answer = await registry.ask('GET', '/token?scope=repository:a:pull', { headers })
    expect(answer).toMatchObject({ status: 401, codes: ['UNAUTHORIZED'] })
  })

  it('gives no token for another service or by another method', async () => {
    const other = await registry.ask('GET', '/token?service=other', { headers: right })
    expect(other).toMatchObject({ status: 400, codes: ['UNSUPPORTED'] })
    const put = await registry.ask('PUT', '/token', { headers: right })
    expect(put).toMatchObject({ status: 405, headers: { allow: 'GET, POST' } })
  })

  const post = (form: Record<string, string>) =>
    registry.ask('POST', '/token', { body: String(new URLSearchParams({ service: 'my-registry', ...form })) })

  it('trades a password, and then a refresh token, by POST', async () => {
    const scope = 'repository:a:pull repository:b:pull'
    const password = { grant_type: 'password', username: 'ann', password: 'se:cret', client_id: 'test' }
    const plain = (await post({ ...password, scope })).json() as Token
    expect(plain).toMatchObject({ scope, expires_in: 60 })
    expect(plain.refresh_token).toBeUndefined()
    const offline = (await post({ ...password, access_type: 'offline' })).json() as Token
    now += 3600_000
    const refresh_token = offline.refresh_token ?? ''
    const fresh = (await post({ grant_type: 'refresh_token', refresh_token, scope })).json() as Token
    const headers = bearer(fresh.access_token)
    expect((await registry.ask('GET', '/v2/b/manifests/v1', { headers })).status).toBe(404)
  })

  it('gives a refresh token by GET to who asks for one', async () => {
    const answer = await registry.ask('GET', '/token?offline_token=true', { headers: right })
    const refresh_token = (answer.json() as Token).refresh_token ?? ''
    expect((await post({ grant_type: 'refresh_token', refresh_token })).status).toBe(200)
    const opened = await registry.ask('GET', '/v2/', { headers: bearer(refresh_token) })
    expect(parameters(opened).error).toBe('invalid_token')
    now += 31 * 24 * 3600_000
    expect((await post({ grant_type: 'refresh_token', refresh_token })).status).toBe(401)
  })

  it.each([
    [{ grant_type: 'password', username: 'ann', password: 'wrong' }, 401],
    [{ grant_type: 'password' }, 401],
    [{ grant_type: 'refresh_token', refresh_token: 'x.y.z' }, 401],
    [{ grant_type: 'refresh_token' }, 401],
    [{ grant_type: 'client_credentials' }, 400],
    [{}, 400],
    [{ grant_type: 'password', username: 'x'.repeat(70_000) }, 413],
  ])('refuses the form %o', async (form, status) => {
    expect((await post(form)).status).toBe(status)
  })

  it('takes no access token for a refresh token', async () => {
    const refresh_token = await tokenFor('scope=repository:a:pull')
    expect((await post({ grant_type: 'refresh_token', refresh_token })).status).toBe(401)
  })

  it('names itself in the challenge as the client does, unless that would break the header', async () => {
    const realmFor = async (host: string) =>
      parameters(await registry.ask('GET', '/v2/', { headers: { Host: host } })).realm
    expect(await realmFor('registry.test:8080')).toBe('http://registry.test:8080/token')
    expect(await realmFor('x",error="y')).toBe(`http://${registry.host}/token`)
  })
})

describe('a registry with tokens and users that change', () => {
  it('refuses refresh tokens of users that are gone or have another password', async () => {
    const stamps: Record<string, string> = { ann: 'first' }
    const changing: Users = { ...users, stampOf: name => stamps[name] }
    const auth = { kind: 'token', service: 's', users: changing } as const
    await using registry = await startEmbeddedRegistry({ auth })
    const given = await registry.ask('GET', '/token?offline_token=true', { headers: right })
    const { refresh_token = '' } = given.json() as Token
    const trade = async () => {
      const body = String(new URLSearchParams({ grant_type: 'refresh_token', refresh_token }))
      return (await registry.ask('POST', '/token', { body })).status
    }
    expect(await trade()).toBe(200)
    stamps.ann = 'second'
    expect(await trade()).toBe(401)
    stamps.ann = 'first'
    expect(await trade()).toBe(200)
    delete stamps.ann
    expect(await trade()).toBe(401)
  })
})

describe('a token service for several registries', () => {
  it('gives each its own tokens, and tells all its key', async () => {
    const key = await TokenKey.generate('RS256')
    const named = { service: 'mine', issuer: 'me', otherServices: ['theirs'], realm: 'https://x.test/token' }
    const auth = { kind: 'token', users, key, ...named } as const
    await using registry = await startEmbeddedRegistry({ auth })
    const tokenFor = async (service: string) => {
      const query = new URLSearchParams({ service, scope: 'repository:a:pull' })
      return (await registry.ask('GET', `/token?${query}`, { headers: right })).json() as Token
    }
    const theirs = await tokenFor('theirs')
    const refused = await registry.ask('GET', '/v2/a/manifests/v1', { headers: bearer(theirs.token) })
    expect(parameters(refused)).toMatchObject({ realm: named.realm, error: 'invalid_token' })
    const mine = await tokenFor('mine')
    const found = await registry.ask('GET', '/v2/a/manifests/v1', { headers: bearer(mine.token) })
    expect(found.status).toBe(404)
    const { keys } = (await registry.ask('GET', '/token/jwks')).json() as { keys: JsonWebKey[] }
    expect(keys).toMatchObject([{ kty: 'RSA', alg: 'RS256', use: 'sig' }])
    const publicKeys = keys.map(jwk => createPublicKey({ key: jwk, format: 'jwk' }))
    const expected = { issuer: 'me', audience: 'theirs', nowSeconds: Date.now() / 1000 }
    expect(verifyToken(theirs.token, publicKeys, expected)).toMatchObject({ sub: 'ann' })
    const posted = await registry.ask('POST', '/token/jwks')
    expect(posted).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })
})

describe('a registry with tokens and anonymous pull', () => {
  it('gives nobody a token to pull with, and no more', async () => {
    await using open = await startEmbeddedRegistry()
    await open.putImage('a', image, 'v1')
    const { dir } = open
    const auth = { kind: 'token', service: 's', users, anonymousPull: true } as const
    await using registry = await startEmbeddedRegistry({ dir, auth })
    const scopes = ['repository:a:pull,push,delete', 'repository:b:*', 'registry:catalog:*']
    const query = scopes.map(scope => `scope=${scope}`).join('&')
    const given = (await registry.ask('GET', `/token?${query}&offline_token=true`)).json() as Token
    expect(given.scope).toBe('repository:a:pull')
    expect(given.refresh_token).toBeUndefined()
    await expectPullOnly(([method, path]) => registry.ask(method, path, { headers: bearer(given.token) }))
    const wrong = await registry.ask('GET', '/token', { headers: basic('ann:wrong') })
    expect(wrong.status).toBe(401)
  })
})

type Ask = (request: readonly [method: string, path: string]) => Promise<Answer>

async function expectPullOnly(ask: Ask): Promise<void> {
  expect((await ask(['GET', '/v2/a/manifests/v1'])).status).toBe(200)
  expect((await ask(['HEAD', `/v2/a/blobs/${image.layer.descriptor.digest}`])).status).toBe(200)
  expect((await ask(['GET', '/v2/a/tags/list'])).status).toBe(200)
  expect((await ask(['PUT', '/v2/a/manifests/v2'])).status).toBe(401)
  expect((await ask(['POST', '/v2/a/blobs/uploads/'])).status).toBe(401)
  expect((await ask(['DELETE', '/v2/a/manifests/v1'])).status).toBe(401)
  expect((await ask(['GET', '/v2/_catalog'])).status).toBe(401)
}

function parameters(answer: Answer): Record<string, string | undefined> {
  const header = answer.headers['www-authenticate'] ?? ''
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
}

function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}

it('a refresh token that a user got who was removed in that moment is refused', async () => {
  let isUser = true
  const users = {
    check: async () => {
      const isRight = isUser
      isUser = false
      return isRight
    },
    stampOf: () => (isUser ? 'stamp' : undefined),
  }
  await using registry = await startEmbeddedRegistry({ auth: { kind: 'token', service: 'me', users } })
  const headers = { Authorization: `Basic ${Buffer.from('ann:any').toString('base64')}` }
  const answer = await registry.ask('GET', '/token?offline_token=true', { headers })
  const { refresh_token } = answer.json() as { refresh_token: string }
  const body = String(new URLSearchParams({ grant_type: 'refresh_token', refresh_token }))
  expect((await registry.ask('POST', '/token', { body })).status).toBe(401)
})

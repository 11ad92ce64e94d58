import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { challenge, json } from '../support/fake-send.ts'
import { anna, annasBasic, bearer, meet, pull, push, token, url } from './auth-meeting.ts'

describe('an anonymous client', () => {
  it('sends the first request bare, and no other where none is refused', async () => {
    const { send, front, targets } = meet([{ status: 200 }])
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(front.authorizations).toEqual([undefined])
    expect(targets).toEqual([])
  })

  it('fetches a token without a credential and repeats the request with it', async () => {
    const { send, front, desk } = meet([challenge(bearer), { status: 200 }], [token('t1')])
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(desk.lines).toEqual([
      'GET https://auth.example/token?service=reg.example&scope=repository%3Aorg%2Fapp%3Apull',
    ])
    expect(desk.authorizations).toEqual([undefined])
    expect(front.authorizations).toEqual([undefined, 'Bearer t1'])
    expect(front.discarded).toBe(1)
  })

  it('uses the token again for requests of the same scopes', async () => {
    const { send, front } = meet([challenge(bearer), {}, {}], [token('t1')])
    await send(pull)
    await send({ ...pull, url: new URL('/v2/org/app/blobs/x', url) })
    expect(front.authorizations).toEqual([undefined, 'Bearer t1', 'Bearer t1'])
  })

  it('fetches one token for requests of other paths that are challenged with the same scope', async () => {
    const asked = challenge(`${bearer},scope="repository:org/app:delete"`)
    const { send, desk, front } = meet([asked, {}, asked, {}], [token('t1')])
    for (const tag of ['a', 'b']) {
      await send({ method: 'DELETE', url: new URL(`/v2/org/app/manifests/${tag}`, url), scopes: [] })
    }
    expect(desk.requests).toHaveLength(1)
    expect(front.authorizations).toEqual([undefined, 'Bearer t1', undefined, 'Bearer t1'])
  })

  it('fetches a token for each repository', async () => {
    const { send, desk } = meet([challenge(bearer), {}, challenge(bearer), {}], [token('t1'), token('t2')])
    await send(pull)
    await send({ ...pull, scopes: ['repository:other:pull'] })
    expect(desk.requests.map(request => request.url.searchParams.get('scope'))).toEqual([
      'repository:org/app:pull',
      'repository:other:pull',
    ])
  })

  it('asks for the scope of the challenge merged with those of the request, one by one', async () => {
    const asked = challenge(`${bearer},scope="repository:org/app:push repository:from:pull"`)
    const { send, desk } = meet([asked, {}], [token('t1')])
    await send(pull)
    expect(desk.requests[0]?.url.searchParams.getAll('scope')).toEqual([
      'repository:from:pull',
      'repository:org/app:pull,push',
    ])
  })

  it('asks for no service where the challenge names none', async () => {
    const { send, desk } = meet([challenge('Bearer realm=https://auth.example/token'), {}], [token('t1')])
    await send(pull)
    expect(desk.requests[0]?.url.searchParams.has('service')).toBe(false)
  })

  it('keeps what a realm has in its query', async () => {
    const { send, desk } = meet(
      [challenge('Bearer realm="https://auth.example/token?a=b"'), {}],
      [token('t1')],
    )
    await send(pull)
    expect(desk.lines[0]).toContain('https://auth.example/token?a=b&scope=')
  })

  it('is told by 401 to log in where Basic is wanted', async () => {
    const { send, front } = meet([challenge('Basic realm="r"')])
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(1)
  })

  it('is told why the token service gives it none', async () => {
    const { send } = meet([challenge(bearer)], [json({ details: 'private' }, 401)])
    await expect(send(pull)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      message: expect.stringMatching(/^auth\.example .*private$/),
      hint: expect.stringContaining('dray login'),
    })
  })

  it('takes the challenge of /v2/ where a refusal comes without one (gcr.io), with the scope of its own request', async () => {
    const { send, front, desk } = meet(
      [{ status: 401 }, challenge(`${bearer},scope="repository:placeholder:pull"`), {}],
      [token('t1')],
    )
    expect(await send({ ...pull, scopes: [] })).toMatchObject({ status: 200 })
    expect(front.lines).toEqual([`GET ${url}`, 'GET https://reg.example/v2/', `GET ${url}`])
    expect(desk.requests[0]?.url.searchParams.getAll('scope')).toEqual(['repository:org/app:pull'])
  })

  it('is refused where neither the request nor /v2/ is challenged', async () => {
    const { send, front } = meet([{ status: 401 }, { status: 200 }])
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(2)
  })
})

describe('a username and password', () => {
  it('answer a Basic challenge, and are then sent at once', async () => {
    const { send, front, targets } = meet([challenge('Basic realm="r"'), {}, {}], [], anna)
    await send(pull)
    await send(pull)
    expect(front.authorizations).toEqual([undefined, annasBasic, annasBasic])
    expect(targets).toEqual([{ registry: 'reg.example', repository: 'org/app' }])
  })

  it('are traded for a token, and never sent to the registry', async () => {
    const { send, front, desk } = meet([challenge(bearer), {}], [token('t1')], anna)
    await send(push)
    expect(desk.authorizations).toEqual([annasBasic])
    expect(desk.requests[0]?.url.searchParams.get('service')).toBe('reg.example')
    expect(front.authorizations).toEqual([undefined, 'Bearer t1'])
    expect(front.requests.map(({ body }) => body)).toEqual(['manifest', 'manifest'])
  })

  it.each([
    ['$oauthtoken', '{"type": "service_account"}'],
    ['robot$name', 'a+b=c'],
    ['_json_key', 'x\ny'],
  ])('of %s survive as they are', async (username, password) => {
    const { send, front } = meet([challenge('Basic'), {}], [], { kind: 'basic', username, password })
    await send(pull)
    const [, encoded = ''] = front.authorizations[1]?.split(' ') ?? []
    expect(Buffer.from(encoded, 'base64').toString()).toBe(`${username}:${password}`)
  })

  it('prefer Bearer where Basic is offered too, in any order and on any line', async () => {
    for (const offered of [`Basic realm="r", ${bearer}`, ['Basic realm="r"', bearer], [bearer, 'Basic']]) {
      const { send, front } = meet([challenge(offered), {}], [token('t1')], anna)
      await send(pull)
      expect(front.authorizations).toEqual([undefined, 'Bearer t1'])
    }
  })

  it('that are wrong end in the second 401, which says whose login was refused', async () => {
    const { send, front } = meet([challenge('Basic'), challenge('Basic')], [], anna)
    await expect(send(push)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      status: 401,
      message: expect.stringContaining('refused the login of "anna": unauthorized'),
    })
    expect(front.requests).toHaveLength(2)
  })

  it('that were refused once are not sent twice for one request', async () => {
    const { send, front } = meet([challenge('Basic'), {}, challenge('Basic')], [], anna)
    await send(pull)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(3)
  })

  it('answer Basic where a young token is refused (Harbor, for rights that tokens do not carry)', async () => {
    const { send, front } = meet(
      [challenge(bearer), {}, challenge('Basic realm="harbor"'), {}],
      [token('t1')],
      anna,
    )
    await send(pull)
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(front.authorizations).toEqual([undefined, 'Bearer t1', 'Bearer t1', annasBasic])
  })
})

describe('an identity token', () => {
  const identity: Credential = { kind: 'identity-token', token: 'refresh+me' }

  it('is traded by POST, with the scopes in one field', async () => {
    const asked = challenge(`${bearer},scope="repository:b:pull"`)
    const { send, desk, front } = meet([asked, {}], [json({ access_token: 't1' })], identity)
    await send(pull)
    expect(desk.lines).toEqual(['POST https://auth.example/token'])
    expect(desk.requests[0]?.headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded' })
    expect(Object.fromEntries(new URLSearchParams(desk.requests[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'dray',
      service: 'reg.example',
      scope: 'repository:b:pull repository:org/app:pull',
      refresh_token: 'refresh+me',
    })
    expect(desk.authorizations).toEqual([undefined])
    expect(front.authorizations[1]).toBe('Bearer t1')
  })

  it.each([404, 405])('is traded by GET where POST is answered with %i', async status => {
    const { send, desk } = meet([challenge(bearer), {}], [{ status }, token('t1')], identity)
    await send(pull)
    expect(desk.lines[1]).toMatch(/^GET https:\/\/auth\.example\/token\?service=/)
    expect(desk.authorizations[1]).toBe(`Basic ${Buffer.from('<token>:refresh+me').toString('base64')}`)
    expect(desk.discarded).toBe(1)
  })

  it('does not answer a Basic challenge', async () => {
    const { send, front } = meet([challenge('Basic')], [], identity)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(1)
  })
})

describe('a registry token', () => {
  const given: Credential = { kind: 'registry-token', token: 'ready' }

  it('is sent as it is', async () => {
    const { send, front, desk } = meet([challenge(bearer), {}], [], given)
    await send(pull)
    expect(front.authorizations).toEqual([undefined, 'Bearer ready'])
    expect(desk.requests).toEqual([])
  })

  it('that is refused is not sent twice for one request', async () => {
    const { send, front } = meet([challenge(bearer), challenge(bearer)], [], given)
    await expect(send(push)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('reg.example refused the login'),
      hint: expect.stringContaining('dray login reg.example'),
    })
    expect(front.authorizations).toEqual([undefined, 'Bearer ready'])
  })

  it('that is refused does not keep anybody from what is public', async () => {
    const answers = [challenge(bearer), challenge(bearer), { status: 200 }, { status: 200 }]
    const { send, front, desk, warnings } = meet(answers, [token('anonymous')], given)
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(desk.authorizations).toEqual([undefined])
    expect(front.authorizations.slice(1)).toEqual(['Bearer ready', 'Bearer anonymous', 'Bearer anonymous'])
    expect(warnings).toEqual([expect.stringMatching(/refused the login.*going on without it$/)])
    expect(warnings.join()).not.toContain('ready')
  })
})

describe('a login', () => {
  const check: HttpRequest = {
    method: 'GET',
    url: new URL('https://reg.example/v2/'),
    requireCredential: true,
  }

  it('answers a challenge that comes with status 200 (Quay)', async () => {
    const { send, front, desk } = meet([challenge(bearer, 200), challenge(bearer, 200)], [token('t1')], anna)
    expect(await send(check)).toMatchObject({ status: 200 })
    expect(desk.authorizations).toEqual([annasBasic])
    expect(front.authorizations).toEqual([undefined, 'Bearer t1'])
  })

  it('is the only request for which a challenge with status 200 counts', async () => {
    const { send, front } = meet([challenge(bearer, 200)], [], anna)
    await send({ ...check, requireCredential: false })
    expect(front.requests).toHaveLength(1)
  })
})

it('a 401 after a fresh token ends the request, with the answer unread', async () => {
  const { send, front, desk } = meet([challenge(bearer), challenge(bearer)], [token('t1')], anna)
  expect(await send(push)).toMatchObject({ status: 401 })
  expect(front.requests).toHaveLength(2)
  expect(front.discarded).toBe(1)
  expect(desk.requests).toHaveLength(1)
})

it('a challenge of an unknown kind is not answered', async () => {
  const { send } = meet([challenge('Negotiate'), challenge('Negotiate')], [], anna)
  expect(await send(pull)).toMatchObject({ status: 401 })
})

import { describe, expect, it } from 'vitest'
import type { Credential, CredentialTarget } from '../../src/credential.ts'
import { type AuthOptions, auth } from '../../src/http/auth.ts'
import type { HttpRequest } from '../../src/http/message.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { challenge, type FakeAnswer, fakeSend, json, type Script } from '../support/fake-send.ts'

const url = new URL('https://reg.example/v2/org/app/manifests/v1')
const pull: HttpRequest = { method: 'GET', url, scopes: ['repository:org/app:pull'] }
const push: HttpRequest = {
  method: 'PUT',
  url,
  scopes: ['repository:org/app:pull,push'],
  body: Buffer.from('manifest'),
}
const bearer = 'Bearer realm="https://auth.example/token",service="reg.example"'
const anna: Credential = { kind: 'basic', username: 'anna', password: 'pä:ss' }
const annasBasic = `Basic ${Buffer.from('anna:pä:ss').toString('base64')}`
const token = (value: string, seconds = 300) => json({ token: value, expires_in: seconds })

/** The registry's answers and the token service's, and a middleware between. */
function meet(
  registry: Script,
  service: Script = [],
  credential?: Credential,
  options: Partial<AuthOptions> = {},
) {
  const clock = fakeClock()
  const [front, desk] = [fakeSend(registry), fakeSend(service)]
  const warnings: string[] = []
  const targets: CredentialTarget[] = []
  const middleware = auth({
    registry: 'reg.example',
    origin: 'https://reg.example',
    send: desk.send,
    findCredential: async target => {
      targets.push(target)
      return credential
    },
    onWarning: message => warnings.push(message),
    now: clock.now,
    ...options,
  })
  return { send: middleware(front.send), front, desk, clock, warnings, targets }
}

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

  it('that are wrong end in the second 401', async () => {
    const { send, front } = meet([challenge('Basic'), challenge('Basic')], [], anna)
    expect(await send(push)).toMatchObject({ status: 401 })
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
    const { send, front } = meet([challenge(bearer), challenge(bearer), challenge(bearer)], [], given)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(2)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(3)
  })
})

describe('a token', () => {
  it.each<[what: string, reply: object, expected: string]>([
    ['token', { token: 'a' }, 'a'],
    ['access_token', { access_token: 'b' }, 'b'],
    ['token beside an empty access_token (Harbor)', { token: 'a', access_token: '' }, 'a'],
    ['access_token beside an empty token', { token: '', access_token: 'b' }, 'b'],
    ['token where both differ', { token: 'a', access_token: 'b' }, 'a'],
    ['token beside times in nanoseconds', { token: 'a', issued_at: '2022-11-01T06:11:20.10593176Z' }, 'a'],
  ])('is taken from %s', async (_, reply, expected) => {
    const { send, front } = meet([challenge(bearer), {}], [json(reply)])
    await send(pull)
    expect(front.authorizations[1]).toBe(`Bearer ${expected}`)
  })

  it.each<[what: string, reply: FakeAnswer]>([
    ['nothing', json({})],
    ['empty texts', json({ token: '', access_token: '' })],
    ['a number', json({ token: 7 })],
    ['a list', json(['a'])],
    ['null', { body: 'null' }],
    ['HTML', { body: '<html>' }],
    ['a token with a line break', json({ token: 'a\r\nx-evil: 1' })],
  ])('is not made of %s', async (_, reply) => {
    const { send } = meet([challenge(bearer)], [reply])
    await expect(send(pull)).rejects.toMatchObject({
      code: 'REGISTRY',
      message: 'auth.example, which gives out tokens, answered without a usable token',
    })
  })

  it('is not read beyond 1 MiB', async () => {
    const { send } = meet([challenge(bearer)], [{ body: 'x'.repeat(1024 * 1024 + 1) }])
    await expect(send(pull)).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('is fetched over the network errors that a retry has left over', async () => {
    const { send } = meet([challenge(bearer)], [{ status: 503, body: 'maintenance' }])
    await expect(send(pull)).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'auth.example, which gives out tokens, answered 503: maintenance',
    })
  })

  it('is fetched once for twenty that wait for it', async () => {
    const registry = (request: { headers?: Readonly<Record<string, string>> | undefined }) =>
      request.headers?.authorization === undefined ? challenge(bearer) : {}
    const { send, desk } = meet(registry, [token('t1')])
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(pull)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(desk.requests).toHaveLength(1)
  })

  it('is renewed once for twenty that find it refused', async () => {
    const registry = ({ headers }: { headers?: Readonly<Record<string, string>> | undefined }) =>
      headers?.authorization === 'Bearer t2' ? {} : challenge(bearer)
    const { send, desk } = meet(registry, [token('t1'), token('t2')])
    expect(await send(pull)).toMatchObject({ status: 401 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(pull)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(desk.requests).toHaveLength(2)
  })

  it('is asked for again after its fetching failed', async () => {
    const { send } = meet([challenge(bearer), challenge(bearer), {}], [{ status: 503 }, token('t1')])
    await expect(send(pull)).rejects.toMatchObject({ code: 'NETWORK' })
    expect(await send(pull)).toMatchObject({ status: 200 })
  })

  it.each([
    ['of 300 s', 300, 294_000, 296_000],
    ['of 60 s where no time is told', undefined, 54_000, 56_000],
    ['of 60 s where the time makes no sense', -1, 54_000, 56_000],
  ])('is renewed shortly before its end, after a life %s', async (_, expires_in, before, after) => {
    const { send, front, clock } = meet(
      [challenge(bearer), {}, {}, {}],
      [json({ token: 't1', expires_in }), token('t2')],
    )
    const start = clock.time
    await send(pull)
    clock.time = start + before
    await send(pull)
    clock.time = start + after
    await send(pull)
    expect(front.authorizations).toEqual([undefined, 'Bearer t1', 'Bearer t1', 'Bearer t2'])
  })
})

describe('a token that ends in the middle of a job', () => {
  it.each<[how: string, refusal: FakeAnswer]>([
    ['401 with a challenge', challenge(bearer)],
    ['401 without one', { status: 401 }],
    ['401 with Basic alone (Harbor)', challenge('Basic realm="harbor"')],
    ['400 without a challenge (ECR public)', { status: 400 }],
    ['403 without a challenge (GHCR)', { status: 403 }],
  ])('is renewed once when the registry answers %s', async (_, refusal) => {
    const { send, front, clock } = meet([challenge(bearer), {}, refusal, {}], [token('t1'), token('t2')])
    await send(pull)
    clock.time += 60_000
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(front.authorizations).toEqual([undefined, 'Bearer t1', 'Bearer t1', 'Bearer t2'])
  })

  it.each([400, 403])('is not suspected when a young one is answered with %i', async status => {
    const { send, front, clock } = meet([challenge(bearer), {}, { status }], [token('t1')])
    await send(pull)
    clock.time += 20_000
    expect(await send(pull)).toMatchObject({ status })
    expect(front.requests).toHaveLength(3)
  })

  it('is renewed once only', async () => {
    const { send, front, clock } = meet(
      [challenge(bearer), {}, { status: 403 }, { status: 403 }],
      [token('t1'), token('t2')],
    )
    await send(pull)
    clock.time += 60_000
    expect(await send(pull)).toMatchObject({ status: 403 })
    expect(front.requests).toHaveLength(4)
  })

  it('has the stream of an upload opened again', async () => {
    let opened = 0
    const open = async () => {
      opened += 1
      return (async function* () {
        yield Buffer.from('layer')
      })()
    }
    const upload: HttpRequest = { ...push, body: { length: 5, open } }
    const { send, front } = meet([challenge(bearer), { status: 201 }], [token('t1')], anna)
    expect(await send(upload)).toMatchObject({ status: 201 })
    expect(front.requests.map(({ body }) => body)).toEqual(['layer', 'layer'])
    expect(opened).toBe(2)
  })

  it('is not suspected when an upload is answered with 400: its session may be gone', async () => {
    const { send, front, clock } = meet([challenge(bearer), {}, { status: 400 }], [token('t1')], anna)
    await send(push)
    clock.time += 60_000
    const empty = (async function* () {})()
    expect(await send({ ...push, body: { length: 0, open: async () => empty } })).toMatchObject({
      status: 400,
    })
    expect(front.requests).toHaveLength(3)
  })
})

describe('a stored credential that is refused', () => {
  const refused = json({ details: 'wrong password' }, 401)

  it('is left out for a pull that works without it, with one warning', async () => {
    const { send, front, desk, warnings } = meet(
      [challenge(bearer), {}, {}],
      [refused, token('anonymous')],
      anna,
    )
    expect(await send(pull)).toMatchObject({ status: 200 })
    await send(pull)
    expect(desk.authorizations).toEqual([annasBasic, undefined])
    expect(front.authorizations).toEqual([undefined, 'Bearer anonymous', 'Bearer anonymous'])
    expect(warnings).toEqual([expect.stringMatching(/"anna".*wrong password; going on without it$/)])
  })

  it('stays left out when the anonymous token has to be renewed', async () => {
    const { send, desk, clock, warnings } = meet(
      [challenge(bearer), {}, {}],
      [refused, token('one'), token('two')],
      anna,
    )
    await send(pull)
    clock.time += 300_000
    expect(await send(pull)).toMatchObject({ status: 200 })
    expect(desk.authorizations).toEqual([annasBasic, undefined, undefined])
    expect(warnings).toHaveLength(1)
  })

  it('is warned of once, however many repositories are read', async () => {
    const { send, warnings } = meet(
      [challenge(bearer), {}, challenge(bearer), {}],
      [refused, token('one'), refused, token('two')],
      anna,
    )
    await send(pull)
    await send({ ...pull, scopes: ['repository:other:pull'] })
    expect(warnings).toHaveLength(1)
  })

  it.each<[what: string, request: HttpRequest]>([
    ['a push', push],
    ['a read for a push', { ...pull, scopes: ['repository:org/app:pull,push'] }],
    ['a delete', { ...pull, method: 'DELETE', scopes: [] }],
    ['a login', { ...pull, requireCredential: true }],
  ])('is an error for %s', async (_, request) => {
    const { send, desk } = meet([challenge(bearer)], [refused], anna)
    await expect(send(request)).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: /wrong password/ })
    expect(desk.requests).toHaveLength(1)
  })

  it.each<[what: string, front: FakeAnswer[], desk: FakeAnswer[]]>([
    ['gives out no anonymous token', [challenge(bearer)], [refused, json({}, 403)]],
    ['refuses the anonymous token', [challenge(bearer), { status: 401 }], [refused, token('t')]],
    ['forbids what the anonymous token asks', [challenge(bearer), { status: 403 }], [refused, token('t')]],
  ])('is the error that is told where the registry %s', async (_, registry, service) => {
    const { send, warnings } = meet(registry, service, anna)
    await expect(send(pull)).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: /wrong password/ })
    expect(warnings).toEqual([])
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

describe('a secret stays at home', () => {
  it('a 401 of another origin is not answered', async () => {
    const { send, front, targets } = meet([{ ...challenge('Basic'), url: 'https://cdn.example/x' }], [], anna)
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(front.requests).toHaveLength(1)
    expect(targets).toEqual([])
  })

  it('a request to another origin carries nothing', async () => {
    const { send, front } = meet([challenge('Basic'), {}, challenge('Basic')], [], anna)
    await send(pull)
    await send({ ...pull, url: new URL('https://other.example/upload') })
    expect(front.authorizations).toEqual([undefined, annasBasic, undefined])
  })

  it('a challenge of /v2/ that was redirected to another origin is not answered', async () => {
    const { send, targets } = meet(
      [{ status: 401 }, { ...challenge('Basic'), url: 'https://evil.example/' }],
      [],
      anna,
    )
    expect(await send(pull)).toMatchObject({ status: 401 })
    expect(targets).toHaveLength(0)
  })

  it.each(['http://auth.example/token', 'http://reg.example/token', 'ftp://auth.example/'])(
    'a registry met over https cannot have it sent to %s',
    async realm => {
      const { send, desk } = meet([challenge(`Bearer realm="${realm}"`)], [], anna)
      await expect(send(pull)).rejects.toMatchObject({ code: 'NETWORK', hint: /no credential was sent/ })
      expect(desk.requests).toEqual([])
    },
  )

  it.each(['Bearer', 'Bearer realm=""', 'Bearer realm="https://"'])(
    'a challenge without a usable realm gets none: %s',
    async header => {
      const { send, desk } = meet([challenge(header)], [], anna)
      await expect(send(push)).rejects.toMatchObject({
        code: 'REGISTRY',
        message: 'reg.example asks for a token but names no usable realm',
      })
      expect(desk.requests).toEqual([])
    },
  )

  it('a realm without https is fine for a registry met without', async () => {
    const plain = { ...pull, url: new URL('http://localhost:5000/v2/a/manifests/x') }
    const { send, desk } = meet([challenge('Bearer realm="/token"'), {}], [token('t')], anna, {
      origin: 'http://localhost:5000',
    })
    await send(plain)
    expect(desk.requests[0]?.url.href).toMatch(/^http:\/\/localhost:5000\/token\?/)
  })

  it('a name and password in a realm are left out', async () => {
    const { send, desk } = meet(
      [challenge('Bearer realm="https://u:p@auth.example/token"'), {}],
      [token('t')],
    )
    await send(pull)
    expect(desk.requests[0]?.url.href).not.toContain('@')
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

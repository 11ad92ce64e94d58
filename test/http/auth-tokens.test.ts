import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/http/message.ts'
import { challenge, type FakeAnswer, json } from '../support/fake-send.ts'
import { anna, bearer, meet, pull, push, token } from './auth-meeting.ts'

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

  it('is forgotten when a thousand others have come after it', async () => {
    const asked: string[] = []
    const { send } = meet(
      request => (request.headers?.authorization === undefined ? challenge(bearer) : {}),
      request => {
        asked.push(request.url.searchParams.getAll('scope').join())
        return token('t', 3600)
      },
    )
    const pullOf = (name: string) => send({ ...pull, scopes: [`repository:${name}:pull`] })
    await pullOf('first')
    for (let at = 0; at < 1000; at += 1) await pullOf(`made-up/${at}`)
    await pullOf('made-up/999')
    expect(asked.length).toBe(1001)
    await pullOf('first')
    expect(asked.slice(1001)).toEqual(['repository:first:pull'])
  })

  it('is not waited for by whoever gives up, but by all others', async () => {
    let give = (_: FakeAnswer) => {}
    const given = new Promise<FakeAnswer>(resolve => {
      give = resolve
    })
    const controller = new AbortController()
    const { send, front } = meet([challenge(bearer), challenge(bearer), {}], () => given)
    const patient = send(pull)
    await expect(
      Promise.all([
        send({ ...pull, signal: controller.signal }),
        Promise.resolve().then(() => controller.abort()),
      ]),
    ).rejects.toMatchObject({ code: 'ABORTED' })
    give(token('t1'))
    expect(await patient).toMatchObject({ status: 200 })
    expect(front.authorizations).toEqual([undefined, undefined, 'Bearer t1'])
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

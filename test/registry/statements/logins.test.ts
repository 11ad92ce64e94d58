import { describe, expect, it } from 'vitest'
import type { Credential, CredentialTarget } from '../../../src/credential.ts'
import { descriptorOf } from '../../../src/oci/manifest.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { playTurns, type Turn } from '../turns.ts'
import { anna, annasBasic, basicOf, bearer, denied, desk, found, head, manifest } from './speech.ts'

describe('what ran out', () => {
  it.each<[what: string, refusal: FakeAnswer]>([
    ['403 (ECR, GHCR)', denied('Your authorization token has expired. Reauthenticate and try again.')],
    ['400 (ECR Public)', { status: 400, body: 'Bad Request' }],
  ])(
    '16. a token whose end shows as %s without a challenge is renewed once, and the request sent once more',
    async (_, refusal) => {
      const { registry, clock, expectTold } = playTurns('reg.example', [
        [head, undefined, challenge(bearer)],
        [desk, undefined, json({ token: 'old', expires_in: 43_200 })],
        [head, 'Bearer old', found],
        [head, 'Bearer old', refusal],
        [desk, undefined, json({ token: 'new', expires_in: 43_200 })],
        [head, 'Bearer new', refusal],
      ])
      const app = registry.repository('app')
      await app.resolve('v1')
      clock.time += 3_600_000
      await expect(app.resolve('v1')).rejects.toMatchObject({ status: refusal.status })
      expectTold()
    },
  )

  it("16. ECR's password that ran out is asked for anew, and the request sent once more", async () => {
    const ecr = '1.dkr.ecr.eu-west-1.amazonaws.com'
    const line = `HEAD https://${ecr}/v2/app/manifests/v1`
    const asks = challenge(`Basic realm="https://${ecr}/",service="ecr.amazonaws.com"`)
    const expired = denied('Your authorization token has expired. Reauthenticate and try again.')
    const targets: CredentialTarget[] = []
    const { registry, clock, expectTold } = playTurns(
      ecr,
      [
        [line, undefined, asks],
        [line, basicOf('AWS', 'morning'), found],
        [line, basicOf('AWS', 'morning'), expired],
        [line, basicOf('AWS', 'evening'), found],
      ],
      {
        findCredential: async target => {
          targets.push(target)
          return { kind: 'basic', username: 'AWS', password: target.renew ? 'evening' : 'morning' }
        },
      },
    )
    const app = registry.repository('app')
    await app.resolve('v1')
    clock.time += 43_200_000
    await app.resolve('v1')
    expectTold()
    expect(targets.map(({ renew = false }) => renew)).toEqual([false, true])
  })

  it("16. ECR's password that ran out is told when there is no other", async () => {
    const ecr = '1.dkr.ecr.eu-west-1.amazonaws.com'
    const line = `HEAD https://${ecr}/v2/app/manifests/v1`
    const { registry, clock, expectTold } = playTurns(
      ecr,
      [
        [line, undefined, challenge(`Basic realm="https://${ecr}/",service="ecr.amazonaws.com"`)],
        [line, annasBasic, found],
        [line, annasBasic, denied('Your authorization token has expired')],
      ],
      { credential: anna },
    )
    const app = registry.repository('app')
    await app.resolve('v1')
    clock.time += 43_200_000
    await expect(app.resolve('v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/token has expired \(403 DENIED\)$/),
    })
    expectTold()
  })

  it("16. a token service that refuses a helper's old password gets the new one", async () => {
    const gcloud = (password: string) => basicOf('oauth2accesstoken', password)
    const { registry, expectTold } = playTurns(
      'reg.example',
      [
        [head, undefined, challenge(bearer)],
        [`${desk}&client_id=dray`, gcloud('old'), { status: 401 }],
        [`${desk}&client_id=dray`, gcloud('new'), json({ token: 't' })],
        [head, 'Bearer t', found],
      ],
      {
        findCredential: async ({ renew }) => ({
          kind: 'basic',
          username: 'oauth2accesstoken',
          password: renew ? 'new' : 'old',
        }),
      },
    )
    await registry.repository('app').resolve('v1')
    expectTold()
  })
})

describe('17. a stale login at a public image', () => {
  const stale = (turns: readonly Turn[]) => playTurns('reg.example', turns, { credential: anna })
  const withLogin = `${desk}&client_id=dray`

  it('17. that the token service refuses is left out once, with a warning', async () => {
    const { registry, events, expectTold } = stale([
      [head, undefined, challenge(bearer)],
      [withLogin, annasBasic, denied('denied')],
      [desk, undefined, json({ token: 'public' })],
      [head, 'Bearer public', found],
    ])
    expect(await registry.repository('app').resolve('v1')).toEqual(descriptorOf(manifest))
    expectTold()
    expect(events).toEqual([
      { type: 'warning', message: 'auth.example refused the login of "anna": denied; going on without it' },
    ])
  })

  it('17. that only the registry refuses (ECR Public: 403) is left out once, with a warning', async () => {
    const { registry, events, expectTold } = stale([
      [head, undefined, challenge(bearer)],
      [withLogin, annasBasic, json({ token: 'stale' })],
      [head, 'Bearer stale', { status: 403 }],
      [desk, undefined, json({ token: 'public' })],
      [head, 'Bearer public', found],
      [head, 'Bearer public', found],
    ])
    const app = registry.repository('app')
    expect(await app.resolve('v1')).toEqual(descriptorOf(manifest))
    await app.resolve('v1')
    expectTold()
    expect(events).toEqual([
      {
        type: 'warning',
        message: 'reg.example refuses the login of "anna" what it gives to everybody; going on without it',
      },
    ])
  })

  it.each([401, 403, 404])('17. is not at fault where nobody gets in without it: %i', async status => {
    const { registry, events, expectTold } = stale([
      [head, undefined, challenge(bearer)],
      [withLogin, annasBasic, json({ token: 'own' })],
      [head, 'Bearer own', denied('no right')],
      [desk, undefined, json({ token: 'public' })],
      [head, 'Bearer public', { status }],
    ])
    await expect(registry.repository('app').resolve('v1')).rejects.toMatchObject({
      status: 403,
      message: 'cannot find reg.example/app:v1: no right (403 DENIED)',
    })
    expectTold()
    expect(events).toEqual([])
  })

  it('17. that is Basic has no anonymous way: its realm is no token service', async () => {
    const { registry, expectTold } = stale([
      [head, undefined, challenge('Basic realm="https://reg.example/"')],
      [head, annasBasic, { status: 401 }],
    ])
    await expect(registry.repository('app').resolve('v1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'reg.example refused the login of "anna": unauthorized',
      hint: expect.stringContaining('dray login reg.example'),
    })
    expectTold()
  })

  it('17. is told by name where it is to be proved: ECR answers 400 to a wrong password', async () => {
    const ping = 'GET https://reg.example/v2/'
    const { registry, expectTold } = stale([
      [ping, undefined, challenge('Basic realm="https://reg.example/"')],
      [ping, annasBasic, { status: 400 }],
    ])
    await expect(registry.checkLogin(anna)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'reg.example refused the login: bad request',
      hint: expect.stringContaining('dray login reg.example'),
    })
    expectTold()
  })
})

it.each([
  ['robot$ci', 'pa$$word+/=&'],
  ['ns+robot', 'a:b:c'],
  ['$oauthtoken', 'ä€'],
  ['_json_key', '{\n  "type": "service_account",\n  "private_key": "-----BEGIN-----\\n+/=\\n"\n}\n'],
])(
  'also: $, + and JSON survive Basic, at the registry and at the token service: %s',
  async (username, password) => {
    const credential: Credential = { kind: 'basic', username, password }
    for (const [asked, turns] of [
      ['Basic realm="r"', []],
      [bearer, [[`${desk}&client_id=dray`, basicOf(username, password), json({ token: 't' })]]],
    ] as [string, Turn[]][]) {
      const authorization = turns.length === 0 ? basicOf(username, password) : 'Bearer t'
      const all: Turn[] = [[head, undefined, challenge(asked)], ...turns, [head, authorization, found]]
      const { registry, expectTold } = playTurns('reg.example', all, { credential })
      await registry.repository('app').resolve('v1')
      expectTold()
    }
  },
)

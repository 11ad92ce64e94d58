import { describe, expect, it } from 'vitest'
import { challenge, json } from '../../support/fake-send.ts'
import { playTurns } from '../turns.ts'
import { anna, annasBasic, bearer, desk, found, foundHeaders, head } from './speech.ts'

describe('who asks', () => {
  it("1. the scope comes from the failing request's own challenge: ACR wants metadata_read for tags, not pull", async () => {
    const acr = 'https://a.azurecr.io'
    const asks = (scope: string) =>
      challenge(`Bearer realm="${acr}/oauth2/token",service="a.azurecr.io",scope="${scope}"`)
    const tokenFor = (scope: string) =>
      `GET ${acr}/oauth2/token?service=a.azurecr.io&scope=${encodeURIComponent(scope)}`
    const { registry, expectTold } = playTurns('a.azurecr.io', [
      [`GET ${acr}/v2/app/tags/list?n=1000`, undefined, asks('repository:app:metadata_read')],
      [tokenFor('repository:app:metadata_read'), undefined, json({ access_token: 'tags' })],
      [`GET ${acr}/v2/app/tags/list?n=1000`, 'Bearer tags', json({ tags: ['v1'] })],
      [`HEAD ${acr}/v2/app/manifests/v1`, undefined, asks('repository:app:pull')],
      [tokenFor('repository:app:pull'), undefined, json({ access_token: 'pull' })],
      [`HEAD ${acr}/v2/app/manifests/v1`, 'Bearer pull', found],
    ])
    const app = registry.repository('app')
    for await (const tag of app.tags()) expect(tag).toBe('v1')
    await app.resolve('v1')
    expectTold()
  })

  it('1. the scope comes from the request, where only the ping is challenged, and with a placeholder (gcr.io, GHCR)', async () => {
    const { registry, expectTold } = playTurns('reg.example', [
      [head, undefined, { status: 401 }],
      ['GET https://reg.example/v2/', undefined, challenge(`${bearer},scope="repository:user/image:pull"`)],
      [desk, undefined, json({ token: 'own' })],
      [head, 'Bearer own', found],
    ])
    await registry.repository('app').resolve('v1')
    expectTold()
  })

  it.each<[what: string, header: string | string[], url: string]>([
    [
      'values without quotes (gcr.io)',
      'Bearer realm="https://auth.example/t",service=s',
      'https://auth.example/t?service=s&',
    ],
    ['no service (Artifact Registry)', 'Bearer realm="https://auth.example/t"', 'https://auth.example/t?'],
    ['any case', 'bEARER REALM="https://auth.example/t",Service="s"', 'https://auth.example/t?service=s&'],
    [
      'several in one header (Harbor)',
      `Basic realm="harbor", ${bearer}`,
      'https://auth.example/t?service=s&',
    ],
    [
      'several on several lines',
      ['Negotiate', 'Basic realm="x"', bearer],
      'https://auth.example/t?service=s&',
    ],
    [
      'several scopes with spaces between (Harbor)',
      `${bearer},scope="repository:app:pull repository:app:push"`,
      'https://auth.example/t?service=s&',
    ],
  ])('3. a challenge is understood with %s', async (what, header, url) => {
    const scope = what.startsWith('several scopes') ? 'pull%2Cpush' : 'pull'
    const { registry, expectTold } = playTurns('reg.example', [
      [head, undefined, challenge(header)],
      [`GET ${url}scope=repository%3Aapp%3A${scope}`, undefined, json({ token: 't' })],
      [head, 'Bearer t', found],
    ])
    await registry.repository('app').resolve('v1')
    expectTold()
  })

  it('3. a challenge that comes with a 200 proves a login (Quay), and is passed over otherwise', async () => {
    const ping = 'GET https://quay.io/v2/'
    const asks = challenge('Bearer realm="https://quay.io/v2/auth",service="quay.io"', 200)
    const { registry, expectTold } = playTurns('quay.io', [
      [
        'HEAD https://quay.io/v2/o/app/manifests/v1',
        undefined,
        { headers: { ...foundHeaders, ...asks.headers } },
      ],
      [ping, undefined, asks],
      ['GET https://quay.io/v2/auth?service=quay.io&client_id=dray', annasBasic, json({ token: 'q' })],
      [ping, 'Bearer q', asks],
    ])
    await registry.repository('o/app').resolve('v1')
    expect(await registry.checkLogin(anna)).toBe('accepted')
    expectTold()
  })

  it.each<[what: string, reply: object, value: string]>([
    ['token before a differing access_token (DTR)', { token: 'a', access_token: 'b' }, 'a'],
    ['access_token alone (ACR)', { access_token: 'b' }, 'b'],
    ['token beside an empty access_token (Harbor)', { token: 'a', access_token: '' }, 'a'],
    ['access_token beside an empty token', { token: '', access_token: 'b' }, 'b'],
  ])('4. the token is the first that is not empty: %s', async (_, reply, value) => {
    const { registry, expectTold } = playTurns('reg.example', [
      [head, undefined, challenge(bearer)],
      [desk, undefined, json(reply)],
      [head, `Bearer ${value}`, found],
    ])
    await registry.repository('app').resolve('v1')
    expectTold()
  })

  it('4. a token without expires_in lives 60 s, and issued_at with nanoseconds does no harm (Docker Hub)', async () => {
    const reply = { token: 'a', issued_at: '2022-11-01T06:11:20.10593176Z' }
    const { registry, clock, expectTold } = playTurns('reg.example', [
      [head, undefined, challenge(bearer)],
      [desk, undefined, json(reply)],
      [head, 'Bearer a', found],
      [head, 'Bearer a', found],
      [desk, undefined, json({ ...reply, token: 'b', expires_in: 300 })],
      [head, 'Bearer b', found],
      [head, 'Bearer b', found],
    ])
    const app = registry.repository('app')
    for (const seconds of [0, 50, 10, 200]) {
      clock.time += seconds * 1000
      await app.resolve('v1')
    }
    expectTold()
  })

  it('14. Quay never sees a delete action: the scope of a deletion is what its challenge says', async () => {
    const line = `DELETE https://quay.io/v2/o/app/manifests/v1`
    const { registry, expectTold } = playTurns(
      'quay.io',
      [
        [
          line,
          undefined,
          challenge(
            'Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:o/app:pull,push"',
          ),
        ],
        [
          'GET https://quay.io/v2/auth?service=quay.io&scope=repository%3Ao%2Fapp%3Apull%2Cpush&client_id=dray',
          annasBasic,
          json({ token: 'q' }),
        ],
        [line, 'Bearer q', { status: 202 }],
      ],
      { credential: anna },
    )
    await registry.repository('o/app', 'pull,push').delete('v1')
    expectTold()
  })

  it('15. the first request goes out without a login, and a registry that wants none never gets one', async () => {
    const { registry, expectTold } = playTurns('reg.example', [[head, undefined, found]], {
      credential: anna,
    })
    await registry.repository('app').resolve('v1')
    expectTold()
  })
})

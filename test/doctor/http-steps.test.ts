import { describe, expect, it } from 'vitest'
import { challenge as challengeStep } from '../../src/doctor/steps/challenge.ts'
import { clock, http } from '../../src/doctor/steps/http.ts'
import { DrayError } from '../../src/errors.ts'
import { challenge, type FakeAnswer, json } from '../support/fake-send.ts'
import { fakePatient } from './fake-patient.ts'

describe('the step http', () => {
  const found = (answer: FakeAnswer) => http.examine(fakePatient({ answers: [answer] }).patient)

  it.each([
    ['open', json({}), 'ok'],
    ['closed', challenge('Basic realm="r"'), 'ok'],
    ['refusing', json({ errors: [{ code: 'DENIED', message: 'not from here' }] }, 403), 'warning'],
  ])('knows a registry that is %s', async (_, answer, status) => {
    const finding = await found(answer)
    expect(finding).toMatchObject({ status, details: { status: answer.status ?? 200, version: 'HTTP/1.1' } })
  })

  it.each([
    [
      'a page',
      { body: '<!doctype html><title>Portal</title>' },
      'REGISTRY',
      /an HTML page, "Portal" \(200\): this is no/,
    ],
    ['nothing there', { status: 404, body: '' }, 'REGISTRY', /with not found \(404\): this is no registry/],
    ['an outage', { status: 502, body: '<html><h1>Bad Gateway</h1>' }, 'NETWORK', /"Bad Gateway" \(502\)$/],
  ])('is not content with %s', async (_, answer, code, message) =>
    expect(found(answer)).rejects.toMatchObject({ code, message: expect.stringMatching(message) }),
  )

  it('asks once, whoever wants to know', async () => {
    const { patient, sent } = fakePatient({ answers: [json({})] })
    await http.examine(patient)
    await clock.examine(patient)
    await challengeStep.examine(patient)
    expect(sent.lines).toEqual(['GET https://registry.example/v2/'])
  })
})

describe('the step clock', () => {
  const found = (headers: Record<string, string>) =>
    clock.examine(fakePatient({ answers: [{ headers }] }).patient)

  it.each([
    ['the same time', 'Thu, 01 Jan 2026 00:00:00 GMT', 'ok', "within 1 s of the registry's"],
    ['a bit less', 'Wed, 31 Dec 2025 23:59:01 GMT', 'ok', "within 59 s of the registry's"],
    [
      'less',
      'Wed, 31 Dec 2025 23:59:00 GMT',
      'warning',
      "this machine's clock is 60 s ahead of the registry's",
    ],
    [
      'more',
      'Thu, 01 Jan 2026 01:00:00 GMT',
      'warning',
      "this machine's clock is 3600 s behind the registry's",
    ],
    ['none', 'today', 'skipped', 'the registry does not tell its time'],
  ])('compares with %s', async (_, date, status, message) =>
    expect(await found({ date })).toMatchObject({ status, message }),
  )

  it('counts the time that an answer lay in a cache', async () => {
    expect(await found({ date: 'Wed, 31 Dec 2025 23:50:00 GMT', age: '600' })).toMatchObject({ status: 'ok' })
  })

  it.each(['long', '', '-600', '1e300', '0, 7'])(
    'passes over a time there that makes no sense: %j',
    async age => {
      const finding = await found({ date: 'Thu, 01 Jan 2026 00:00:00 GMT', age })
      expect(finding).toMatchObject({ status: 'ok', details: { skewSeconds: expect.closeTo(0, 0) } })
    },
  )
})

describe('the step challenge', () => {
  const unreachable = new DrayError('NETWORK', 'cannot reach auth.example: connection refused')
  const examine = (answer: FakeAnswer, error?: DrayError) =>
    challengeStep.examine(
      fakePatient({ answers: [answer], probed: error === undefined ? {} : { tcp: { ms: 1, error } } })
        .patient,
    )
  const bearer = 'Bearer realm="https://auth.example/token?x=1",service="registry"'

  it('prefers Bearer, and shows where tokens are from', async () => {
    expect(await examine(challenge(['Basic realm="r"', bearer]))).toEqual({
      status: 'ok',
      message: 'Bearer: tokens are given out by auth.example, for the service "registry"',
      details: { scheme: 'bearer', realm: 'https://auth.example/token', service: 'registry' },
    })
  })

  it.each([
    ['Basic', challenge('Basic realm="r"'), 'ok', 'Basic: a name and a password with each request'],
    ['none', json({}), 'ok', 'none: it asks for no login'],
    ['a refusal', { status: 401 }, 'warning', 'it refuses (401) and does not say how to log in'],
  ])('knows %s', async (_, answer, status, message) =>
    expect(await examine(answer)).toMatchObject({ status, message }),
  )

  it('fails where tokens cannot be had, or not safely, or the scheme is unknown', async () => {
    await expect(examine(challenge(bearer), unreachable)).rejects.toBe(unreachable)
    await expect(examine(challenge('Bearer realm="http://auth.example/"'))).rejects.toMatchObject({
      code: 'NETWORK',
    })
    await expect(examine(challenge('Negotiate'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

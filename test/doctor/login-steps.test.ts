import { describe, expect, it } from 'vitest'
import type { FoundLogin, LoginSearch } from '../../src/doctor/patient.ts'
import { credential, token } from '../../src/doctor/steps/login.ts'
import { DrayError } from '../../src/errors.ts'
import { challenge, json, type SeenRequest } from '../support/fake-send.ts'
import { type FakePatientOptions, fakePatient } from './fake-patient.ts'

const anna: FoundLogin = {
  credential: { kind: 'basic', username: 'anna', password: 's3cret' },
  isRequired: false,
  user: 'anna',
  origin: 'auths in /home/anna/.docker/config.json',
  for: 'registry.example',
}

function loggedIn(found: FoundLogin = anna): Pick<FakePatientOptions, 'searchLogin'> {
  const places = [{ place: '/home/anna/.docker/config.json', result: 'hit', why: null }]
  const search: LoginSearch = { places, found, failure: undefined }
  return { searchLogin: async () => search }
}

const encode = (document: unknown) => Buffer.from(JSON.stringify(document)).toString('base64url')

/** Gives out tokens that grant some actions, to who shows the right password, or to everybody. */
function desk({
  grants,
  isOpen = false,
  claims = {},
}: {
  grants?: string[]
  isOpen?: boolean
  claims?: object
}) {
  return ({ url, headers }: SeenRequest) => {
    const { authorization } = headers ?? {}
    if (url.pathname === '/v2/') {
      const isIn = authorization?.startsWith('Bearer ')
      return isIn ? json({}) : challenge('Bearer realm="https://registry.example/token",service="r"')
    }
    const isRight = authorization === `Basic ${Buffer.from('anna:s3cret').toString('base64')}`
    if (!isRight && !(isOpen && authorization === undefined)) return json({ details: 'wrong' }, 401)
    if (grants === undefined) return json({ token: 'b3BhcXVl' })
    const access = [{ type: 'repository', name: 'team/app', actions: grants }]
    return json({ token: `${encode({})}.${encode({ sub: 'anna', access, ...claims })}.c2ln` })
  }
}

describe('the step credential', () => {
  it('says which login is used and where it is from, and never the secret', async () => {
    const finding = await credential.examine(fakePatient(loggedIn()).patient)
    expect(finding).toMatchObject({ status: 'ok', message: `anna (basic), from ${anna.origin}` })
    expect(JSON.stringify(finding)).not.toContain('s3cret')
  })

  it('says it where there is none', async () => {
    expect(await credential.examine(fakePatient().patient)).toMatchObject({
      status: 'ok',
      message: 'none, so anonymous',
      details: { user: null, kind: null, origin: null, for: null, places: [] },
    })
  })

  it('names a token by its kind', async () => {
    const found = { ...anna, user: null, credential: { kind: 'identity-token', token: 's3cret' } as const }
    const { message } = await credential.examine(fakePatient(loggedIn(found)).patient)
    expect(message).toBe(`identity-token, from ${anna.origin}`)
  })

  it('fails with the place that ended the search', async () => {
    const failure = new DrayError('INTEGRITY', 'config.json: not valid JSON')
    const searchLogin = async () => ({ places: [], found: undefined, failure })
    expect(await credential.examine(fakePatient({ searchLogin }).patient)).toMatchObject({
      status: 'failed',
      error: failure,
    })
  })
})

describe('the step token, with Bearer', () => {
  const look = (options: Parameters<typeof desk>[0], more: FakePatientOptions = loggedIn()) =>
    token.examine(fakePatient({ answers: desk(options), ...more }).patient)

  it('shows to whom it was given and what it grants', async () => {
    expect(await look({ grants: ['pull'] })).toMatchObject({
      status: 'ok',
      message: 'a token was given to anna that grants pull',
      details: { asked: ['pull'], claims: { sub: 'anna' } },
    })
    expect(await look({})).toMatchObject({
      status: 'ok',
      message: 'a token was given; what it grants only the registry can read',
      details: { claims: null },
    })
  })

  it('asks for what is wanted, and warns of what is left out', async () => {
    const { patient, sent } = fakePatient({
      answers: desk({ grants: ['pull'] }),
      purpose: 'push',
      ...loggedIn(),
    })
    expect(await token.examine(patient)).toMatchObject({
      status: 'warning',
      message: 'a token was given, but of pull and push it grants pull',
    })
    const scopes = sent.requests.flatMap(({ url }) => url.searchParams.getAll('scope'))
    expect(scopes).toEqual(['repository:team/app:pull,push'])
  })

  it.each([
    ['that is over', { exp: Date.UTC(2025, 11, 31) / 1000 }, /^the token is over already/],
    ['of the future', { nbf: Date.UTC(2026, 0, 2) / 1000 }, /^the token is not good yet/],
  ])('warns of one %s', async (_, claims, message) =>
    expect(await look({ grants: ['pull'], claims })).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(message),
    }),
  )

  const stale: FoundLogin = { ...anna, credential: { kind: 'basic', username: 'anna', password: 'old' } }

  it('warns of a login that is refused where nobody needs one', async () => {
    expect(await look({ grants: ['pull'], isOpen: true }, loggedIn(stale))).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/refused the login of "anna": wrong; without it, what is public/),
    })
  })

  it.each([
    ['nobody else is let in', { grants: ['pull'] }, loggedIn(stale)],
    ['others may pull nothing', { grants: [], isOpen: true }, loggedIn(stale)],
    [
      'it was given for this run',
      { grants: ['pull'], isOpen: true },
      loggedIn({ ...stale, isRequired: true }),
    ],
    [
      'something is to be pushed',
      { grants: ['pull'], isOpen: true },
      { ...loggedIn(stale), purpose: 'push' as const },
    ],
  ])('fails for one that is refused where %s', async (_, options, more) => {
    await expect(look(options, more)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

describe('the step token, without Bearer', () => {
  const basic = challenge('Basic realm="r"')

  it('has nothing to do where there is no challenge, or no login', async () => {
    expect(await token.examine(fakePatient({ answers: [json({})] }).patient)).toMatchObject({
      status: 'skipped',
    })
    expect(await token.examine(fakePatient({ answers: [basic] }).patient)).toMatchObject({
      status: 'skipped',
      hint: 'log in with: dray login registry.example',
    })
  })

  it('tries name and password', async () => {
    const right = fakePatient({ answers: [basic, basic, json({})], ...loggedIn() })
    expect(await token.examine(right.patient)).toMatchObject({
      status: 'ok',
      message: 'the login of anna is accepted',
    })
    const wrong = fakePatient({ answers: [basic, basic, basic], ...loggedIn() })
    await expect(token.examine(wrong.patient)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('knows that a token does not fit', async () => {
    const found = { ...anna, user: null, credential: { kind: 'identity-token', token: 't' } as const }
    expect(await token.examine(fakePatient({ answers: [basic], ...loggedIn(found) }).patient)).toMatchObject({
      status: 'warning',
    })
  })
})

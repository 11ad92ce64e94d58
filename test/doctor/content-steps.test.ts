import { describe, expect, it } from 'vitest'
import { mirrors } from '../../src/doctor/steps/mirrors.ts'
import { pull } from '../../src/doctor/steps/pull.ts'
import { rateLimit } from '../../src/doctor/steps/rate-limit.ts'
import { push, remove } from '../../src/doctor/steps/rights.ts'
import { DrayError } from '../../src/errors.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { challenge, type FakeAnswer, json, type SeenRequest } from '../support/fake-send.ts'
import { sampleImage } from '../support/sample-image.ts'
import { type FakePatientOptions, fakePatient } from './fake-patient.ts'

const { config, layer, manifest } = sampleImage('of a test')
const blobs = [config, layer]
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')

const manifestAnswer: FakeAnswer = {
  headers: {
    'content-type': mediaTypes.ociManifest,
    'docker-content-digest': manifest.digest,
    'content-length': String(manifest.bytes.length),
  },
  body: text(manifest.bytes),
}

/** A registry with one image, `team/app:1.0`. */
function store({ method, url }: SeenRequest): FakeAnswer {
  const [, kind = '', reference = ''] = /^\/v2\/team\/app\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? []
  if (url.pathname === '/v2/') return json({})
  if (url.pathname.endsWith('/tags/list')) return json({ tags: ['1.0', '0.9'] })
  if (kind === 'manifests' && method !== 'DELETE') {
    return reference === '1.0' || reference === manifest.digest ? manifestAnswer : { status: 404 }
  }
  const blob = blobs.find(({ descriptor }) => descriptor.digest === reference)
  return blob === undefined
    ? { status: 404 }
    : { body: text(blob.bytes), url: `https://cdn.example/${reference}` }
}

const at = (reference?: string) => ({
  meeting: { place: { registry: 'registry.example', repository: 'team/app', reference } },
})
const wholeRegistry = { meeting: { place: { registry: 'registry.example' } } }

describe('the step pull', () => {
  const look = (options: FakePatientOptions) => {
    const { patient, sent } = fakePatient({ answers: store, ...options })
    return { finding: pull.examine(patient), sent }
  }

  it('reads the manifest and the smallest of its blobs, and tells where that is from', async () => {
    const { finding, sent } = look({})
    expect(await finding).toMatchObject({
      status: 'ok',
      message: `1.0 stands for ${manifest.digest}, blobs come from cdn.example`,
      details: { reference: '1.0', digest: manifest.digest, blobHost: 'cdn.example' },
    })
    const smallest = config.bytes.length < layer.bytes.length ? config : layer
    expect(sent.lines).toEqual([
      'HEAD https://registry.example/v2/team/app/manifests/1.0',
      `GET https://registry.example/v2/team/app/manifests/${manifest.digest}`,
      `GET https://registry.example/v2/team/app/blobs/${smallest.descriptor.digest}`,
    ])
  })

  it('finds another tag where none was named, and names them where one was', async () => {
    expect(await look(at()).finding).toMatchObject({ details: { reference: '1.0' } })
    await expect(look(at('2.0')).finding).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'the repository has other tags: 1.0, 0.9',
    })
  })

  it('asks for the right name where nothing of the repository is to be seen', async () => {
    for (const options of [at(), at('1.0')]) {
      await expect(
        look({ ...options, answers: [{ status: 404 }, { status: 404 }] }).finding,
      ).rejects.toMatchObject({
        code: 'NOT_FOUND',
        hint: expect.stringMatching(/^is the name right\?/),
      })
    }
  })

  it('does not take content for another', async () => {
    const answers = (request: SeenRequest) =>
      request.url.pathname.includes('/blobs/') ? { body: 'something else' } : store(request)
    await expect(look({ answers }).finding).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it('has nothing to do for a whole registry', async () => {
    expect(await look(wholeRegistry).finding).toMatchObject({ status: 'skipped' })
  })
})

describe('the step push', () => {
  it('opens an upload and cancels it', async () => {
    const location = 'https://registry.example/v2/team/app/blobs/uploads/7?_state=x'
    const answers = [json({}), json({}), { status: 202, headers: { location } }, { status: 204 }]
    const { patient, sent } = fakePatient({ answers: answers.slice(1) })
    expect(await push.examine(patient)).toMatchObject({ status: 'ok' })
    expect(sent.lines).toEqual([
      'GET https://registry.example/v2/',
      'POST https://registry.example/v2/team/app/blobs/uploads/',
      `DELETE ${location}`,
    ])
  })

  it('fails with the refusal', async () => {
    const { patient } = fakePatient({ answers: [json({}), { status: 403 }] })
    await expect(push.examine(patient)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('is not tried where nobody is logged in and a login is wanted', async () => {
    const answers = [challenge('Basic realm="r"')]
    expect(await push.examine(fakePatient({ answers }).patient)).toMatchObject({ status: 'skipped' })
    await expect(push.examine(fakePatient({ answers, purpose: 'push' }).patient)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
    expect(await push.examine(fakePatient(wholeRegistry).patient)).toMatchObject({ status: 'skipped' })
  })
})

describe('the step delete', () => {
  const look = (answer: FakeAnswer) => {
    const { patient, sent } = fakePatient({ answers: [json({}), answer] })
    return { finding: remove.examine(patient), sent }
  }
  const unknown = (code: string, status = 404) => json({ errors: [{ code, message: 'unknown' }] }, status)

  it('asks to delete what there is not', async () => {
    const { finding, sent } = look(unknown('MANIFEST_UNKNOWN'))
    expect(await finding).toMatchObject({ status: 'ok' })
    expect(sent.lines.at(-1)).toMatch(
      /^DELETE https:\/\/registry\.example\/v2\/team\/app\/manifests\/sha256:[0-9a-f]{64}$/,
    )
    const again = look({ status: 202 })
    expect(await again.finding).toMatchObject({ status: 'ok' })
    expect(again.sent.lines.at(-1)).not.toBe(sent.lines.at(-1))
  })

  it.each([
    ['switched off', unknown('UNSUPPORTED', 405), 'UNSUPPORTED', /REGISTRY_STORAGE_DELETE_ENABLED/],
    ['not allowed', unknown('DENIED', 403), 'UNAUTHORIZED', /no right/],
    ['asked of a repository that is not there', unknown('NAME_UNKNOWN'), 'NOT_FOUND', /is the name right/],
  ])('fails where it is %s', async (_, answer, code, hint) =>
    expect(look(answer).finding).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) }),
  )
})

describe('the step rate-limit', () => {
  const look = (answer: FakeAnswer) => rateLimit.examine(fakePatient({ answers: [answer] }).patient)

  it.each([
    ['', '', 'ok', /^unlimited/],
    ['100;w=21600', '76;w=21600', 'ok', /^76 of 100 requests in 21600 s are left$/],
    ['100;w=21600', '0;w=21600', 'warning', /^0 of 100/],
    ['100;w=21600', '', 'ok', /^100 requests in 21600 s are allowed$/],
    ['', '76;w=21600', 'ok', /^76 requests in 21600 s are left$/],
  ])('reads %j and %j', async (limit, remaining, status, message) => {
    const headers = {
      ...(limit === '' ? {} : { 'ratelimit-limit': limit }),
      ...(remaining === '' ? {} : { 'ratelimit-remaining': remaining }),
    }
    expect(await look({ headers })).toMatchObject({ status, message: expect.stringMatching(message) })
  })

  it('never fails', async () => {
    expect(await look({ status: 401 })).toMatchObject({ status: 'skipped' })
    expect(await look({ status: 400 })).toMatchObject({ status: 'warning' })
  })
})

describe('the step mirrors', () => {
  /** A mirror that answers as the script says, in front of `registry.example`. */
  const visit = async (
    answers: FakePatientOptions['answers'],
    more: FakePatientOptions = {},
    isForDigests = false,
  ) => {
    const behind = fakePatient({ answers: answers ?? [] })
    const mirror = { name: 'mirror.example/app', isForDigests, open: () => behind.patient.meet() }
    const { patient } = fakePatient({ answers: store, ...more, meeting: { mirrors: [mirror] } })
    await patient.findImage()
    return { finding: await mirrors.examine(patient), lines: behind.sent.lines }
  }

  it('says that one has the image', async () => {
    const { finding, lines } = await visit(store)
    expect(finding).toMatchObject({ status: 'ok', message: 'mirror.example/app has 1.0' })
    expect(lines.at(-1)).toMatch(/^HEAD .*\/manifests\/1\.0$/)
  })

  it('asks one by digest that is for digests only', async () => {
    const { lines } = await visit(store, {}, true)
    expect(lines.at(-1)).toBe(`HEAD https://registry.example/v2/team/app/manifests/${manifest.digest}`)
  })

  it('takes it that one does not have the image, and warns of another image or a fault', async () => {
    const absent = await visit([json({}), { status: 404 }])
    expect(absent.finding).toMatchObject({ status: 'ok', message: 'mirror.example/app does not have it' })
    const digest = `sha256:${'0'.repeat(64)}`
    const headers = { ...manifestAnswer.headers, 'docker-content-digest': digest }
    const other = await visit([json({}), { headers }])
    expect(other.finding).toMatchObject({
      status: 'warning',
      message: expect.stringContaining(`has another image as 1.0 (${digest})`),
    })
    const down = await visit([new DrayError('NETWORK', 'cannot reach mirror.example')])
    expect(down.finding).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('fails: cannot reach mirror.example'),
    })
  })

  it('has nothing to do where there is none, or where nothing is pulled', async () => {
    expect(await mirrors.examine(fakePatient().patient)).toMatchObject({ message: 'none is configured' })
    expect(await mirrors.examine(fakePatient({ purpose: 'push' }).patient)).toMatchObject({
      status: 'skipped',
    })
  })
})

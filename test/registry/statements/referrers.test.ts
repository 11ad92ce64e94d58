import { describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { descriptorOf } from '../../../src/oci/manifest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import type { ReferrersOptions } from '../../../src/registry/referrers.ts'
import type { FakeAnswer } from '../../support/fake-send.ts'
import { sampleImage } from '../../support/sample-image.ts'
import { playTurns, type Turn } from '../turns.ts'

const subject = digestOf('subject')
const list = `GET https://reg.example/v2/app/referrers/${subject}`
const tag = `sha256-${subject.slice(7)}`
const tagGet = `GET https://reg.example/v2/app/manifests/${tag}`

const entry = (name: string, artifactType?: string): Descriptor => ({
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(name),
  size: name.length,
  ...(artifactType === undefined ? {} : { artifactType }),
  annotations: { name },
})
const [signature, sbom, bare] = [entry('signature', 'sig/1'), entry('sbom', 'sbom/1'), entry('bare')]

const index = (manifests: readonly Descriptor[], headers: Record<string, string> = {}): FakeAnswer => ({
  headers: { 'content-type': `${mediaTypes.ociIndex}; charset=utf-8`, ...headers },
  body: JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
})

async function referrersOf(turns: readonly Turn[], options?: ReferrersOptions): Promise<Descriptor[]> {
  const { registry, fake, expectTold } = playTurns('reg.example', turns)
  const found: Descriptor[] = []
  for await (const referrer of registry.repository('app').referrers(subject, options)) found.push(referrer)
  expectTold()
  expect(fake.requests[0]?.headers?.accept).toBe(mediaTypes.ociIndex)
  return found
}

describe('referrers', () => {
  it('22. are listed by the registry, page by page, with all that their descriptors say', async () => {
    const link = `</v2/app/referrers/${subject}?last=x>; rel="next"`
    expect(
      await referrersOf([
        [list, undefined, index([signature, bare], { link })],
        [`${list}?last=x`, undefined, index([bare, sbom])],
      ]),
    ).toEqual([signature, bare, sbom])
  })

  it('22. are filtered by the registry where it says so, and here where it does not', async () => {
    const filtered = `${list}?artifactType=sig%2F1`
    const wanted = { artifactType: 'sig/1' }
    expect(await referrersOf([[filtered, undefined, index([signature, sbom, bare])]], wanted)).toEqual([
      signature,
    ])
    const applied = { 'oci-filters-applied': 'artifactType' }
    expect(await referrersOf([[filtered, undefined, index([bare], applied)]], wanted)).toEqual([bare])
  })

  it.each<[what: string, answer: FakeAnswer]>([
    ['404', { status: 404 }],
    ['400 (Quay, of an unknown subject)', { status: 400 }],
    ['405', { status: 405 }],
    ['a redirect to nowhere', { status: 303 }],
    ['another content type', { headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['no content type', { body: '{}' }],
  ])(
    '22. are looked up by the tag sha256-… where the registry answers %s, and filtered here',
    async (_, answer) => {
      const turns: Turn[] = [
        [`${list}?artifactType=sig%2F1`, undefined, answer],
        [tagGet, undefined, index([signature, sbom])],
      ]
      expect(await referrersOf(turns, { artifactType: 'sig/1' })).toEqual([signature])
    },
  )

  it('22. are looked up by the tag after a redirect to a page for people (GHCR: 303)', async () => {
    const page = 'https://github.example/login'
    expect(
      await referrersOf([
        [list, undefined, { status: 303, headers: { location: page } }],
        [
          `GET ${page}`,
          undefined,
          { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>' },
        ],
        [tagGet, undefined, index([signature])],
      ]),
    ).toEqual([signature])
  })

  it.each([404, 403])('22. are none where there is no such tag either: %i', async status => {
    expect(
      await referrersOf([
        [list, undefined, { status: 404 }],
        [tagGet, undefined, { status }],
      ]),
    ).toEqual([])
  })

  it.each([
    [401, 'UNAUTHORIZED'],
    [403, 'UNAUTHORIZED'],
    [409, 'REGISTRY'],
  ])('22. are an error where the registry refuses to list them: %i', async (status, code) => {
    const turns: Turn[] = [[list, undefined, { status }]]
    if (status === 401) turns.push(['GET https://reg.example/v2/', undefined, { status: 401 }])
    await expect(referrersOf(turns)).rejects.toMatchObject({ code, status })
  })

  it.each<[what: string, body: string]>([
    ['no index', '{"manifests":"all"}'],
    ['a size below zero', JSON.stringify({ manifests: [{ ...signature, size: -1 }] })],
    ['a digest that is none', JSON.stringify({ manifests: [{ ...signature, digest: 'sha256:0' }] })],
    ['more than a manifest may hold', `{"x":"${'x'.repeat(4 * 1024 * 1024)}"}`],
  ])('22. are an error where the list holds %s', async (_, body) => {
    await expect(
      referrersOf([[list, undefined, { headers: { 'content-type': mediaTypes.ociIndex }, body }]]),
    ).rejects.toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringContaining(`reg.example/app@${subject}`),
    })
  })

  it('22. are an error where the tag stands for an image', async () => {
    const { manifest } = sampleImage('one')
    const image = {
      headers: { 'content-type': manifest.mediaType },
      body: Buffer.from(manifest.bytes).toString(),
    }
    await expect(
      referrersOf([
        [list, undefined, { status: 404 }],
        [tagGet, undefined, image],
      ]),
    ).rejects.toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(tag) })
  })

  it('22. of a sha512 subject have a tag of 64 digits', async () => {
    const long = digestOf('subject', 'sha512')
    const { registry, expectTold } = playTurns('reg.example', [
      [`GET https://reg.example/v2/app/referrers/${long}`, undefined, { status: 404 }],
      [`GET https://reg.example/v2/app/manifests/sha512-${long.slice(7, 71)}`, undefined, { status: 404 }],
    ])
    for await (const _ of registry.repository('app').referrers(long)) throw new Error('there is one')
    expectTold()
  })
})

describe('a push', () => {
  const { manifest } = sampleImage('signature', { subject: entry('subject') })
  const put = `PUT https://reg.example/v2/app/manifests/${manifest.digest}`

  it('22. of a manifest whose subject the registry names (OCI-Subject) is one request', async () => {
    const { registry, expectTold } = playTurns('reg.example', [
      [put, undefined, { status: 201, headers: { 'oci-subject': subject } }],
    ])
    await registry.repository('app', 'pull,push').putManifest(manifest)
    expectTold()
  })

  it('22. of a manifest without a subject is one request', async () => {
    const plain = sampleImage('plain').manifest
    const { registry, expectTold } = playTurns('reg.example', [
      [`PUT https://reg.example/v2/app/manifests/${plain.digest}`, undefined, { status: 201 }],
    ])
    await registry.repository('app', 'pull,push').putManifest(plain)
    expectTold()
  })

  it('22. of a manifest whose subject the registry does not name lists it in the tag, after a look for it', async () => {
    const listed = { ...descriptorOf(manifest), artifactType: mediaTypes.ociConfig }
    const { registry, fake, expectTold } = playTurns('reg.example', [
      [put, undefined, { status: 201 }],
      [tagGet, undefined, index([sbom], { etag: '"one"' })],
      [`PUT https://reg.example/v2/app/manifests/${tag}`, undefined, { status: 201 }],
      [tagGet, undefined, index([sbom, listed])],
    ])
    await registry.repository('app', 'pull,push').putManifest(manifest)
    expectTold()
    const { headers, body } = fake.requests[2] ?? {}
    expect(headers).toMatchObject({ 'content-type': mediaTypes.ociIndex, 'if-match': '"one"' })
    expect(JSON.parse(body ?? '')).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [sbom, listed],
    })
  })
})

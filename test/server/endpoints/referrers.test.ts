import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { digestOf, hexOf } from '../../../src/oci/digest.ts'
import { descriptorOf, type Manifest, maxManifestBytes } from '../../../src/oci/manifest.ts'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { chunksOf, putSample, sampleImage, sampleIndex } from '../../support/sample-image.ts'

let registry: EmbeddedRegistry
beforeAll(async () => {
  registry = await startEmbeddedRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const image = sampleImage('one')
const subject = descriptorOf(image.manifest)
const signature = sampleImage('signature', {
  subject,
  artifactType: 'x/signature',
  annotations: { by: 'me' },
})
const plain = sampleImage('plain', { subject })
const list = sampleIndex([], { subject, artifactType: 'x/list' })

const inOrder = (...descriptors: Descriptor[]) => descriptors.sort((a, b) => (a.digest < b.digest ? -1 : 1))

const expected = {
  signature: {
    ...descriptorOf(signature.manifest),
    artifactType: 'x/signature',
    annotations: { by: 'me' },
  },
  plain: { ...descriptorOf(plain.manifest), artifactType: mediaTypes.ociConfig },
  list: { ...descriptorOf(list), artifactType: 'x/list' },
}

const putIndex = (repository: string, { bytes, digest, mediaType }: Manifest) =>
  registry.ask('PUT', `/v2/${repository}/manifests/${digest}`, {
    headers: { 'Content-Type': mediaType },
    body: bytes,
  })

async function putAll(repository: string): Promise<void> {
  await registry.putImage(repository, image, 'v1')
  await registry.putImage(repository, signature, signature.manifest.digest)
  await registry.putImage(repository, plain, 'plain')
  await putIndex(repository, list)
}

describe('the referrers of a manifest', () => {
  it('are those with it as their subject, pushed by tag or digest', async () => {
    await putAll('all')
    const answer = await registry.ask('GET', `/v2/all/referrers/${subject.digest}`)
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': mediaTypes.ociIndex } })
    expect(answer.headers['oci-filters-applied']).toBeUndefined()
    expect(answer.json()).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: inOrder(expected.signature, expected.plain, expected.list),
    })
  })

  it.each([
    ['x/signature', [expected.signature]],
    [mediaTypes.ociConfig, [expected.plain]],
    ['x/none', []],
  ])('of the type %s are told apart', async (artifactType, manifests) => {
    await putAll('filter')
    const query = new URLSearchParams({ artifactType })
    const answer = await registry.ask('GET', `/v2/filter/referrers/${subject.digest}?${query}`)
    expect(answer.headers['oci-filters-applied']).toBe('artifactType')
    expect(answer.json()).toMatchObject({ manifests })
  })

  it('are an empty index where there are none, or nobody knows the repository', async () => {
    await registry.putImage('lonely', image, 'v1')
    for (const path of [`lonely/referrers/${subject.digest}`, `none/referrers/${digestOf('none')}`]) {
      const answer = await registry.ask('GET', `/v2/${path}`)
      expect(answer.status).toBe(200)
      expect(answer.json()).toMatchObject({ schemaVersion: 2, manifests: [] })
    }
  })

  it('may come before it', async () => {
    const put = await registry.putImage('early', signature, signature.manifest.digest)
    expect(put).toMatchObject({ status: 201, headers: { 'oci-subject': subject.digest } })
    const answer = await registry.ask('GET', `/v2/early/referrers/${subject.digest}`)
    expect(answer.json()).toMatchObject({ manifests: [expected.signature] })
  })

  it('are no more after they were deleted', async () => {
    await putAll('deleted')
    await registry.ask('DELETE', `/v2/deleted/manifests/${signature.manifest.digest}`)
    const answer = await registry.ask('GET', `/v2/deleted/referrers/${subject.digest}`)
    expect(answer.json()).toMatchObject({ manifests: inOrder(expected.plain, expected.list) })
  })

  it('are told in spite of one that was changed on disk', async () => {
    const broken = sampleImage('broken', { subject })
    await putAll('changed')
    await registry.putImage('changed', broken, 'broken')
    const path = join(registry.dir, 'changed/blobs/sha256', hexOf(broken.manifest.digest))
    await writeFile(path, 'changed')
    const answer = await registry.ask('GET', `/v2/changed/referrers/${subject.digest}`)
    const { signature, plain, list } = expected
    expect(answer.json()).toMatchObject({ manifests: inOrder(signature, plain, list) })
  })

  it('stay when it is deleted', async () => {
    await putAll('orphans')
    await registry.ask('DELETE', `/v2/orphans/manifests/${subject.digest}`)
    const answer = await registry.ask('GET', `/v2/orphans/referrers/${subject.digest}`)
    expect(answer.json()).toMatchObject({ manifests: { length: 3 } })
  })

  it('are the same in pages of any size, with a filter too', async () => {
    await putAll('pages')
    const many = Array.from({ length: 9 }, (_, number) =>
      sampleIndex([], { subject, annotations: { number: `${number}` } }),
    )
    for (const one of many) await putIndex('pages', one)
    const path = `/v2/pages/referrers/${subject.digest}`
    for (const filter of ['', `&${new URLSearchParams({ artifactType: 'x/list' })}`]) {
      const all = await follow(`${path}?n=99${filter}`)
      expect(all.pages).toBe(1)
      expect(all.descriptors.length).toBe(filter === '' ? 12 : 1)
      for (const size of [1, 2, 5, 11, 12]) {
        const { pages, descriptors } = await follow(`${path}?n=${size}${filter}`)
        expect(descriptors).toEqual(all.descriptors)
        expect(pages).toBe(Math.ceil(all.descriptors.length / size))
      }
    }
  })

  it('come in pages where one manifest could not hold them', async () => {
    await registry.putImage('long', image, 'v1')
    const text = 'x'.repeat(1_500_000)
    const many = Array.from({ length: 5 }, (_, number) =>
      sampleIndex([], { subject, annotations: { text, number: `${number}` } }),
    )
    for (const one of many) await putIndex('long', one)
    const { pages, descriptors } = await follow(`/v2/long/referrers/${subject.digest}`)
    expect(pages).toBe(3)
    expect(new Set(descriptors.map(({ digest }) => digest))).toEqual(
      new Set(many.map(({ digest }) => digest)),
    )
  })

  it('are also those that a client of an older registry listed under a tag', async () => {
    const layout = await openLayout(join(registry.dir, 'older'), { create: true })
    await putSample(layout, image, ['v1'])
    const attached = sampleIndex([], { subject, artifactType: 'x/older' })
    const stranger = sampleIndex([], { artifactType: 'x/stranger' })
    const older = sampleIndex([attached, stranger, sampleImage('absent').manifest])
    for (const child of [attached, stranger]) {
      await layout.blobs.write({ digest: child.digest }, async () => chunksOf(child.bytes))
    }
    await layout.putManifest(older, [subject.digest.replace(':', '-')])
    const answer = await registry.ask('GET', `/v2/older/referrers/${subject.digest}`)
    expect(answer.json()).toMatchObject({ manifests: [{ digest: attached.digest, artifactType: 'x/older' }] })
  })

  it('are refused for what is no digest', async () => {
    const answer = await registry.ask('GET', '/v2/all/referrers/v1')
    expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  })
})

/** Follows the links from one page to the next; none may be larger than a manifest. */
async function follow(path: string): Promise<{ pages: number; descriptors: Descriptor[] }> {
  const descriptors: Descriptor[] = []
  let pages = 0
  for (let next: string | undefined = path; next !== undefined; pages++) {
    const answer = await registry.ask('GET', next)
    expect(answer.headers['content-type']).toBe(mediaTypes.ociIndex)
    expect(answer.headers['oci-filters-applied'] !== undefined).toBe(path.includes('artifactType'))
    expect(answer.body.length).toBeLessThanOrEqual(maxManifestBytes)
    descriptors.push(...(answer.json() as { manifests: Descriptor[] }).manifests)
    next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers.link))?.[1]
  }
  return { pages, descriptors }
}

describe('a manifest without a subject', () => {
  it('is answered without OCI-Subject', async () => {
    const put = await registry.putImage('plain', image, 'v1')
    expect(put.headers['oci-subject']).toBeUndefined()
  })
})

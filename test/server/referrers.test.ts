import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { sampleImage, sampleIndex } from '../support/sample-image.ts'

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
      manifests: [expected.signature, expected.plain, expected.list],
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
    expect(answer.json()).toMatchObject({ manifests: [expected.plain, expected.list] })
  })

  it('are told in spite of one that was changed on disk', async () => {
    await putAll('changed')
    const path = join(registry.dir, 'changed/blobs/sha256', hexOf(signature.manifest.digest))
    await writeFile(path, 'changed')
    const answer = await registry.ask('GET', `/v2/changed/referrers/${subject.digest}`)
    expect(answer.json()).toMatchObject({ manifests: [expected.plain, expected.list] })
  })

  it('are refused for what is no digest', async () => {
    const answer = await registry.ask('GET', '/v2/all/referrers/v1')
    expect(answer).toMatchObject({ status: 400, codes: ['DIGEST_INVALID'] })
  })
})

describe('a manifest without a subject', () => {
  it('is answered without OCI-Subject', async () => {
    const put = await registry.putImage('plain', image, 'v1')
    expect(put.headers['oci-subject']).toBeUndefined()
  })
})

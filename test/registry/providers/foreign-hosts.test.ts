import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { deleteImage } from '../../../src/registry/delete-image.ts'
import type { ProviderId } from '../../../src/registry/providers/provider.ts'
import { challenge, type FakeAnswer, json } from '../../support/fake-send.ts'
import { type Answers, all, scriptedRegistry } from './scripted-registry.ts'

const host = 'registry.example.com'
const credential = { kind: 'basic', username: 'ada', password: 'secret-of-ada' } as const
const mediaType = 'application/vnd.oci.image.index.v1+json'
const manifest = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] })
const digest = digestOf(manifest)
const there: FakeAnswer = {
  headers: { 'docker-content-digest': digest, 'content-length': '7', 'content-type': mediaType },
}

/** A registry that deletes by digest only, and lists nothing. */
const byDigestOnly: Answers = {
  [`GET https://${host}/v2/`]: {},
  [`HEAD https://${host}/v2/team/app/manifests/v1`]: there,
  [`DELETE https://${host}/v2/team/app/manifests/v1`]: { status: 405 },
  [`GET https://${host}/v2/team/app/tags/list?n=1000`]: json({ tags: ['v1'] }),
  [`GET https://${host}/v2/team/app/manifests/${digest}`]: { ...there, body: manifest },
  [`DELETE https://${host}/v2/team/app/manifests/${digest}`]: { status: 202 },
  [`GET https://${host}/v2/_catalog?n=1000`]: { status: 404 },
}

describe("a registry that is only said to be a provider's, whose own API is at a host of its own", () => {
  it.each<ProviderId>(['docker-hub', 'ghcr'])('%s: does not show its login there', async provider => {
    const network = scriptedRegistry({ registry: host, credential, provider }, byDigestOnly)
    const deleted = await deleteImage(network.registry.repository('team/app'), 'v1')
    expect(deleted).toMatchObject({ tags: ['v1'], manifest: true })
    await expect(all(network.registry.catalog())).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(network.lines.filter(line => !line.includes(`https://${host}/`))).toEqual([])
  })
})

describe('a registry whose /v2/ redirects to another host', () => {
  it.each([
    ['GitLab', 'Bearer realm="https://evil.example/jwt/auth",service="container_registry"'],
    ['Artifactory', 'Bearer realm="https://evil.example/artifactory/api/docker/k/v2/token"'],
  ])('is not taken for what that host says it is: %s', async (_, said) => {
    const network = scriptedRegistry(
      { registry: host, credential },
      {
        ...byDigestOnly,
        [`GET https://${host}/v2/`]: { status: 302, headers: { location: 'https://evil.example/v2/' } },
        'GET https://evil.example/v2/': challenge(said),
      },
    )
    await deleteImage(network.registry.repository('team/app'), 'v1')
    expect(network.lines.at(-1)).toBe(`DELETE https://${host}/v2/team/app/manifests/${digest}`)
    expect(network.authorizations.every(sent => sent === undefined)).toBe(true)
  })
})

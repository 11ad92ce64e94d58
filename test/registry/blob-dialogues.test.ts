import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/credential.ts'
import { collect } from '../../src/oci/content.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { challenge, json } from '../support/fake-send.ts'
import { chunksOf, sampleBlob, sampleImage } from '../support/sample-image.ts'
import { playTurns } from './turns.ts'

const { manifest } = sampleImage('one')
const blob = sampleBlob('a layer')
const anna: Credential = { kind: 'basic', username: 'anna', password: 'secret' }
const basic = `Basic ${Buffer.from('anna:secret').toString('base64')}`

describe('an anonymous pull of a blob', () => {
  it('from Docker Hub: challenge, token, manifest, and the blob from a CDN that gets no token', async () => {
    const hub = 'https://registry-1.docker.io/v2/library/alpine'
    const scope = 'repository:library/alpine:pull'
    const asked = challenge(
      `Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="${scope}"`,
    )
    const token = json({
      token: 'hub',
      access_token: 'hub',
      expires_in: 300,
      issued_at: '2022-11-01T06:11:20.10593176Z',
    })
    const found = {
      'docker-content-digest': manifest.digest,
      'content-type': manifest.mediaType,
      'content-length': String(manifest.bytes.length),
    }
    const { registry, fake, expectTold } = playTurns('docker.io', [
      [`HEAD ${hub}/manifests/3.20`, undefined, asked],
      [
        `GET https://auth.docker.io/token?service=registry.docker.io&scope=${encodeURIComponent(scope)}`,
        undefined,
        token,
      ],
      [`HEAD ${hub}/manifests/3.20`, 'Bearer hub', { headers: found }],
      [
        `GET ${hub}/manifests/${manifest.digest}`,
        'Bearer hub',
        { headers: found, body: Buffer.from(manifest.bytes).toString() },
      ],
      [
        `GET ${hub}/blobs/${blob.descriptor.digest}`,
        'Bearer hub',
        { status: 307, headers: { location: 'https://cdn.example/blob?sig=x' } },
      ],
      ['GET https://cdn.example/blob?sig=x', undefined, { body: 'a layer' }],
    ])
    const alpine = registry.repository('library/alpine')
    expect(await alpine.resolve('3.20')).toEqual(descriptorOf(manifest))
    expect((await alpine.getManifest(descriptorOf(manifest))).digest).toBe(manifest.digest)
    expect((await collect(await alpine.getBlob(blob.descriptor), 100, 'blob')).toString()).toBe('a layer')
    expectTold()
    expect(fake.requests.map(({ isBulk = false }) => isBulk)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ])
  })

  it('from gcr.io: a service without quotes, and a redirect to a path of its own host that keeps the token', async () => {
    const path = `GET https://gcr.io/v2/p/app/blobs/${blob.descriptor.digest}`
    const { registry, expectTold } = playTurns('gcr.io', [
      [path, undefined, challenge('Bearer realm="https://gcr.io/v2/token",service=gcr.io')],
      [
        'GET https://gcr.io/v2/token?service=gcr.io&scope=repository%3Ap%2Fapp%3Apull',
        undefined,
        json({ token: 'g' }),
      ],
      [path, 'Bearer g', { status: 302, headers: { location: '/artifacts-downloads/x' } }],
      ['GET https://gcr.io/artifacts-downloads/x', 'Bearer g', { body: 'a layer' }],
    ])
    const content = await registry.repository('p/app').getBlob(blob.descriptor)
    expect((await collect(content, 100, 'blob')).toString()).toBe('a layer')
    expectTold()
  })
})

describe('a push of a blob', () => {
  it('to Docker Hub trades the password for tokens, one for all requests', async () => {
    const app = 'https://registry-1.docker.io/v2/anna/app'
    const digest = encodeURIComponent(blob.descriptor.digest)
    const mount = `POST ${app}/blobs/uploads/?mount=${digest}&from=anna%2Fapp`
    const scope = 'repository:anna/app:pull,push'
    const { registry, fake, expectTold } = playTurns(
      'docker.io',
      [
        [
          mount,
          undefined,
          challenge(
            `Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="${scope}"`,
          ),
        ],
        [
          `GET https://auth.docker.io/token?service=registry.docker.io&scope=${encodeURIComponent(scope)}&client_id=dray`,
          basic,
          json({ token: 'hub' }),
        ],
        [mount, 'Bearer hub', { status: 202, headers: { location: `${app}/blobs/uploads/1?_state=s` } }],
        [`PUT ${app}/blobs/uploads/1?_state=s&digest=${digest}`, 'Bearer hub', { status: 201 }],
        [`PUT ${app}/manifests/v1`, 'Bearer hub', { status: 201 }],
      ],
      { credential: anna },
    )
    const repository = registry.repository('anna/app', 'pull,push')
    expect(await repository.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))).toBe('copied')
    await repository.putManifest(manifest, ['v1'])
    expectTold()
    const bodies = fake.requests.slice(-2).map(({ body }) => body)
    expect(bodies).toEqual(['a layer', Buffer.from(manifest.bytes).toString()])
  })
})

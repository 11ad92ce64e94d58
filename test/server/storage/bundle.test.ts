import { describe, expect, it } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { putSample, sampleImage } from '../../support/sample-image.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

/** A registry over one layout with images of many repositories, as a bundle has them when it is unpacked. */
async function serveBundle() {
  const opened = new AsyncDisposableStack()
  const folder = opened.use(await makeTempDir())
  const layout = await openLayout(folder.path, { create: true })
  const images = { app: sampleImage('app'), alpine: sampleImage('alpine') }
  const signature = sampleImage('signature', {
    artifactType: 'application/vnd.example.signature',
    subject: {
      mediaType: images.app.manifest.mediaType,
      digest: images.app.manifest.digest,
      size: images.app.manifest.bytes.length,
    },
  })
  await putSample(layout, images.app, [
    'registry.example:5000/team/app:1.0',
    'registry.example:5000/team/app:latest',
  ])
  await putSample(layout, images.alpine, ['docker.io/library/alpine:3.20'])
  await putSample(layout, signature, [])
  const warnings: string[] = []
  const registry = opened.use(
    await startEmbeddedRegistry({ dir: folder.path, onWarning: warning => warnings.push(warning) }),
  )
  return { registry, images, signature, warnings, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

describe('a folder that is one layout of many repositories', () => {
  it('is listed by the names without their registries', async () => {
    await using bundle = await serveBundle()
    const { registry } = bundle
    expect((await registry.ask('GET', '/v2/_catalog')).json()).toEqual({
      repositories: ['library/alpine', 'team/app'],
    })
    expect((await registry.ask('GET', '/v2/team/app/tags/list')).json()).toEqual({
      name: 'team/app',
      tags: ['1.0', 'latest'],
    })
    expect(bundle.warnings).toEqual([expect.stringContaining('to be read only')])
  })

  it.each(['team/app/manifests/1.0', 'registry.example/team/app/manifests/1.0'])(
    'gives out %s, or nothing under a name that no image has',
    async path => {
      await using bundle = await serveBundle()
      const { registry, images } = bundle
      const answer = await registry.ask('GET', `/v2/${path}`)
      const isKnown = !path.startsWith('registry.example/')
      expect(answer.status).toBe(isKnown ? 200 : 404)
      if (isKnown) expect(answer.body.equals(images.app.manifest.bytes)).toBe(true)
    },
  )

  it('gives out an image under its name in full', async () => {
    await using bundle = await serveBundle()
    const { registry, images } = bundle
    const { status, body } = await registry.ask('GET', '/v2/docker.io/library/alpine/manifests/3.20')
    expect(status).toBe(200)
    expect(body.equals(images.alpine.manifest.bytes)).toBe(true)
    expect((await registry.ask('GET', '/v2/library/alpine/manifests/1.0')).codes).toEqual([
      'MANIFEST_UNKNOWN',
    ])
    expect((await registry.ask('GET', '/v2/library/other/tags/list')).codes).toEqual(['NAME_UNKNOWN'])
  })

  it('gives out blobs, manifests by digest, and what refers to them', async () => {
    await using bundle = await serveBundle()
    const { registry, images, signature } = bundle
    const { digest } = images.app.manifest
    const blob = await registry.ask('GET', `/v2/team/app/blobs/${images.app.layer.descriptor.digest}`)
    expect(blob.body.equals(images.app.layer.bytes)).toBe(true)
    expect((await registry.ask('HEAD', `/v2/team/app/manifests/${digest}`)).status).toBe(200)
    expect((await registry.ask('GET', `/v2/team/app/referrers/${digest}`)).json()).toMatchObject({
      manifests: [{ digest: signature.manifest.digest }],
    })
  })

  it('takes nothing', async () => {
    await using bundle = await serveBundle()
    const { registry } = bundle
    expect((await registry.ask('POST', '/v2/team/app/blobs/uploads/')).status).toBe(405)
    expect((await registry.ask('DELETE', '/v2/team/app/manifests/1.0')).status).toBe(405)
  })
})

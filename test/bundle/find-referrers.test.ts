import { describe, expect, it } from 'vitest'
import { findReferrers, type ReferrerSource } from '../../src/bundle/find-referrers.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { withWorkGroup } from '../../src/work-group.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { putSample, sampleImage, sampleIndex, sampleManifest } from '../support/sample-image.ts'
import { referrerOf } from './layouts.ts'

const amd64 = sampleImage('amd64')
const arm64 = sampleImage('arm64')
const index = sampleManifest({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [
    { ...descriptorOf(amd64.manifest), platform: { os: 'linux', architecture: 'amd64' } },
    { ...descriptorOf(arm64.manifest), platform: { os: 'linux', architecture: 'arm64' } },
  ],
})

/** A repository that answers who refers to what. */
class SignedStore extends MemoryStore implements ReferrerSource {
  readonly attached = new Map<string, Descriptor[]>()

  async *referrers(subject: string): AsyncGenerator<Descriptor> {
    this.calls.push(`referrers ${subject}`)
    yield* this.attached.get(subject) ?? []
  }

  attach(subject: Manifest, name: string): Manifest {
    const { manifest } = referrerOf(subject, name)
    this.attached.set(subject.digest, [...(this.attached.get(subject.digest) ?? []), descriptorOf(manifest)])
    return manifest
  }
}

async function storeWith(...images: readonly Manifest[]): Promise<SignedStore> {
  const store = new SignedStore('store')
  for (const image of [amd64, arm64]) await putSample(store, image)
  for (const image of images) await store.putManifest(image, ['1'])
  return store
}

const find = (store: SignedStore, root: Manifest, ...platforms: string[]) =>
  withWorkGroup({ limit: 4 }, group =>
    findReferrers(store, root, { group, platforms: platforms.map(parsePlatform) }),
  )

const digestsOf = (descriptors: readonly Descriptor[]) => new Set(descriptors.map(({ digest }) => digest))

describe('what refers to an image', () => {
  it('is found for the image, for what it lists, and for what refers to these', async () => {
    const store = await storeWith(index)
    const signature = store.attach(index, 'signature')
    const sbom = store.attach(arm64.manifest, 'sbom')
    const signedSbom = store.attach(sbom, 'signed-sbom')
    const { manifests } = await find(store, index)
    expect(digestsOf(manifests)).toEqual(digestsOf([signature, sbom, signedSbom].map(descriptorOf)))
  })

  it('is found in an index within an index', async () => {
    const outer = sampleIndex([index])
    const store = await storeWith(index, outer)
    const sbom = store.attach(amd64.manifest, 'sbom')
    expect(digestsOf((await find(store, outer)).manifests)).toEqual(digestsOf([descriptorOf(sbom)]))
  })

  it('ends where referrers refer to one another in a circle', async () => {
    const store = await storeWith(index)
    const signature = store.attach(index, 'signature')
    store.attached.set(signature.digest, [descriptorOf(index), descriptorOf(signature)])
    expect((await find(store, index)).manifests.map(({ digest }) => digest)).toEqual([signature.digest])
  })

  it('is only what belongs to the platforms that are wanted', async () => {
    const store = await storeWith(index)
    store.attach(index, 'signature')
    store.attach(amd64.manifest, 'amd64-sbom')
    const sbom = store.attach(arm64.manifest, 'sbom')
    const { manifests } = await find(store, index, 'linux/arm64')
    expect(digestsOf(manifests)).toEqual(digestsOf([descriptorOf(sbom)]))
  })

  it("is found in cosign's tags too, of the image and of what it lists", async () => {
    const store = await storeWith(index)
    const tagOf = ({ digest }: Manifest, suffix: string) => `${digest.replace(':', '-')}.${suffix}`
    const tags = [tagOf(index, 'sig'), tagOf(arm64.manifest, 'att')]
    await putSample(store, sampleImage('signatures'), tags)
    const found = await find(store, index)
    expect([...found.tags].sort()).toEqual([...tags].sort())
    expect(found.manifests).toEqual([])
  })

  it('is more than is taken where there is no end of it', async () => {
    const store = await storeWith(index)
    store.referrers = async function* () {
      for (;;) yield descriptorOf(amd64.manifest)
    }
    await expect(find(store, index)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

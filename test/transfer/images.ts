import { setImmediate as turn } from 'node:timers/promises'
import { DrayError } from '../../src/errors.ts'
import type { Chunks } from '../../src/flow.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { childBlobs, descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'
import { type Platform, parsePlatform } from '../../src/oci/platform.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { MemoryStore } from '../support/memory-store.ts'

export const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip'

/** Two empty stores. */
export function stores() {
  return { source: new MemoryStore('from.test/app'), destination: new MemoryStore('to.test/app') }
}

/** Bytes that differ with the seed, so that blobs of one length have digests of their own. */
export function bytesOf(length: number, seed: string | number = length): Buffer {
  return Buffer.alloc(length, `${seed} `)
}

export function addBlob(
  store: MemoryStore,
  bytes: Uint8Array | string,
  mediaType: string = layerType,
): Descriptor {
  const content = Buffer.from(bytes)
  const digest = digestOf(content)
  store.blobs.set(digest, content)
  return { mediaType, digest, size: content.length }
}

export function addManifest(store: MemoryStore, document: object | string, mediaType?: string): Descriptor {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  const manifest = parseManifest(Buffer.from(text), { mediaType })
  store.manifests.set(manifest.digest, manifest)
  return descriptorOf(manifest)
}

export interface ImageOptions {
  readonly platform?: string
  readonly layers?: readonly (Descriptor | Uint8Array | string)[]
  readonly config?: object
  readonly more?: object
}

/** An image and its blobs; the descriptor has the platform, as the entry of an index has. */
export function addImage(store: MemoryStore, options: ImageOptions = {}): Descriptor {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform)
  const config = addBlob(store, JSON.stringify(options.config ?? platform ?? {}), mediaTypes.ociConfig)
  const layers = (options.layers ?? [`layer of ${options.platform}`]).map(layer =>
    typeof layer === 'string' || layer instanceof Uint8Array ? addBlob(store, layer) : layer,
  )
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, ...options.more }
  return { ...addManifest(store, document), ...(platform === undefined ? {} : { platform }) }
}

export function addIndex(
  store: MemoryStore,
  manifests: readonly Descriptor[],
  more: object = {},
): Descriptor {
  return addManifest(store, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...more })
}

/** BuildKit's attestation of an image, as an index lists it. */
export function addAttestation(store: MemoryStore, { digest }: Descriptor): Descriptor {
  const image = addImage(store, { layers: [`attestation of ${digest}`] })
  return {
    ...image,
    platform: { architecture: 'unknown', os: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': digest,
    },
  }
}

export function tag(store: MemoryStore, name: string, { digest }: Descriptor): void {
  store.tags.set(name, digest)
}

export function platforms(...texts: string[]): Platform[] {
  return texts.map(parsePlatform)
}

/** Lets everything that can go on without an outside event go on. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await turn()
}

/** Waits that are over at once, written down in milliseconds. */
export function instantSleep() {
  const delays: number[] = []
  return { delays, sleep: async (delayMs: number) => void delays.push(delayMs) }
}

/** An index of two platforms that share one layer. */
export function twoPlatforms(source: MemoryStore) {
  const shared = addBlob(source, bytesOf(5000))
  const amd64 = addImage(source, { platform: 'linux/amd64', layers: [shared, bytesOf(700)] })
  const arm64 = addImage(source, { platform: 'linux/arm64', layers: [shared, bytesOf(9000)] })
  const index = addIndex(source, [amd64, arm64])
  tag(source, '1.0', index)
  return { index, amd64, arm64, shared }
}

/** Puts an image's manifest, but not its blobs, to the destination. */
export function give(from: MemoryStore, to: MemoryStore, { digest }: Descriptor): void {
  const manifest = from.manifests.get(digest)
  if (manifest !== undefined) to.manifests.set(digest, manifest)
}

/** The config and the layers of an image. */
export function blobsOf(store: MemoryStore, { digest }: Descriptor): readonly Descriptor[] {
  const manifest = store.manifests.get(digest)
  return manifest === undefined ? [] : childBlobs(manifest)
}

export interface CopyWish {
  readonly only?: readonly string[]
  readonly unpack?: string
}

/** Copies an image to an empty store: all of it, some platforms, or the image of one. */
export function copyFrom(source: MemoryStore, root: Descriptor, { only = [], unpack }: CopyWish) {
  const { destination } = stores()
  tag(source, '1.0', root)
  const copied = copyImage({
    source,
    from: '1.0',
    destination,
    tags: ['1.0'],
    platforms: platforms(...(unpack === undefined ? only : [unpack])),
    unpack: unpack !== undefined,
  })
  return { destination, copied }
}

/** Gives one piece, and then nothing until the signal aborts. */
export async function* stall(chunks: Chunks, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    break
  }
  await new Promise<void>((_, reject) => {
    signal?.addEventListener('abort', () => reject(new DrayError('NETWORK', 'socket closed')))
  })
}

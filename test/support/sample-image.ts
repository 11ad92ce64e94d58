import type { Chunks } from '../../src/flow.ts'
import type { ImageDestination } from '../../src/image-store.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type DigestAlgorithm, digestOf } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'

/** Bytes beside the descriptor that is right for them. */
export interface SampleBlob {
  readonly bytes: Buffer
  readonly descriptor: Descriptor
}

export interface SampleImage {
  readonly config: SampleBlob
  readonly layer: SampleBlob
  readonly manifest: Manifest
}

/** A blob with the given content. */
export function sampleBlob(
  content: string | Uint8Array,
  mediaType = 'application/octet-stream',
  algorithm: DigestAlgorithm = 'sha256',
): SampleBlob {
  const bytes = Buffer.from(content)
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length } }
}

/** An image of one layer, different for each name; its manifest's JSON is laid out as no serialiser would. */
export function sampleImage(name: string, extra: Record<string, unknown> = {}): SampleImage {
  const layer = sampleBlob(`layer of ${name}`, 'application/vnd.oci.image.layer.v1.tar')
  const config = sampleBlob(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      author: name,
      rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
    }),
    mediaTypes.ociConfig,
  )
  const manifest = sampleManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: [layer.descriptor],
    ...extra,
  })
  return { config, layer, manifest }
}

/** An index over manifests. */
export function sampleIndex(children: readonly Manifest[], extra: Record<string, unknown> = {}): Manifest {
  return sampleManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map(descriptorOf),
    ...extra,
  })
}

/** A manifest with the given content. */
export function sampleManifest(document: Record<string, unknown>): Manifest {
  return parseManifest(Buffer.from(`${JSON.stringify(document, undefined, 3)}\n \n`))
}

/** Puts an image's blobs, and its manifest where `tags` says how. */
export async function putSample(
  store: ImageDestination,
  image: SampleImage,
  tags?: readonly string[],
): Promise<void> {
  for (const blob of [image.config, image.layer]) {
    await store.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
  }
  await store.putManifest(image.manifest, tags)
}

/** Content in pieces. */
export async function* chunksOf(...pieces: readonly (string | Uint8Array)[]): Chunks {
  for (const piece of pieces) yield Buffer.from(piece)
}

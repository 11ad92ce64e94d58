import type { ImageSource } from '../image-store.ts'
import { type ImageConfig, maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { blobName, type ReadBlobOptions, readBlob } from '../transfer/read-blob.ts'

/** True for the configuration of an image that can be run; what an artifact has in that place is its own affair. */
export function isImageConfig({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig
}

/**
 * The configuration of an image; undefined for what has none.
 * @throws DrayError `INTEGRITY` for a malformed one; what the source throws
 */
export async function readConfig(
  source: ImageSource,
  manifest: Manifest,
  reading: ReadBlobOptions,
): Promise<ImageConfig | undefined> {
  if (manifest.kind !== 'image' || !isImageConfig(manifest.content.config)) return undefined
  const { config } = manifest.content
  const name = blobName(source, config)
  return parseConfig(await collect(readBlob(source, config, reading), maxConfigBytes, name), name)
}

import type { ImageSource } from '../image-store.ts'
import { type ImageConfig, maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isConfigType } from '../oci/media-types.ts'
import { blobName, type ReadBlobOptions, readBlob } from '../transfer/read-blob.ts'

/**
 * The configuration of an image; undefined for what has none.
 * @throws DrayError `INTEGRITY` for a malformed one; what the source throws
 */
export async function readConfig(
  source: ImageSource,
  manifest: Manifest,
  reading: ReadBlobOptions,
): Promise<ImageConfig | undefined> {
  if (manifest.kind !== 'image' || !isConfigType(manifest.content.config.mediaType)) return undefined
  const { config } = manifest.content
  const name = blobName(source, config)
  return parseConfig(await collect(readBlob(source, config, reading), maxConfigBytes, name), name)
}

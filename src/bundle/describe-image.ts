import type { ImageSource } from '../image-store.ts'
import { maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { Digest } from '../oci/digest.ts'
import { childBlobs, type Manifest } from '../oci/manifest.ts'
import { isConfigType } from '../oci/media-types.ts'
import { formatPlatform } from '../oci/platform.ts'
import { offeredPlatforms } from '../transfer/platform-choice.ts'
import { readBlob } from '../transfer/read-blob.ts'
import type { StoredImage } from './contents.ts'

/**
 * The platforms that an image is for: as its index says, else as its config does; none where nobody says.
 * @throws DrayError what the reading of the config throws
 */
export async function platformsOf(
  store: ImageSource,
  { manifests: [root] }: StoredImage,
): Promise<readonly string[]> {
  if (root?.kind === 'index') return offeredPlatforms(root.content.manifests)
  if (root?.kind !== 'image') return []
  const { config } = root.content
  if (!isConfigType(config.mediaType)) return []
  const name = `the configuration of ${store.name}@${root.digest}`
  const { os, architecture, variant } = parseConfig(
    await collect(readBlob(store, config), maxConfigBytes, name),
    name,
  )
  if (!os || !architecture) return []
  return [formatPlatform({ os, architecture, ...(variant ? { variant } : {}) })]
}

/** The bytes of manifests and of all that they list, each digest counted once. */
export function sizeOf(manifests: readonly Manifest[]): number {
  const sizes = new Map<Digest, number>()
  for (const manifest of manifests) {
    sizes.set(manifest.digest, manifest.bytes.length)
    for (const { digest, size } of childBlobs(manifest)) sizes.set(digest, size)
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

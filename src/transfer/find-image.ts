import type { ImageSource, TagOrDigest } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Platform } from '../oci/platform.ts'
import { ManifestReader, maxIndexDepth, tooDeep } from './manifest-reader.ts'
import { findPlatform, isPlatformImage } from './platform-choice.ts'
import type { ReadBlobOptions } from './read-blob.ts'
import { selectImage } from './select-image.ts'

export interface FindImageOptions {
  /** The image for this platform must be there. */
  readonly platform?: Platform | undefined
  /** Without `platform`: the image for this one, or else the first. */
  readonly preferred?: Platform | undefined
  readonly reading?: ReadBlobOptions | undefined
}

/** An image, and the index that it was found in. */
export interface FoundImage {
  /** What the reference stands for: the image itself or an index. */
  readonly root: Manifest
  /** The image, out of the index where there is one; an empty index has none and stands for itself. */
  readonly image: Manifest
}

/**
 * The one image that is meant by a reference, looked for in an index and the indexes in it.
 * @throws DrayError `NOT_FOUND`; `USAGE` when a platform stands for several images
 */
export async function findImage(
  source: ImageSource,
  reference: TagOrDigest,
  { platform, preferred, reading = {} }: FindImageOptions = {},
): Promise<FoundImage> {
  const reader = new ManifestReader(source)
  const root = await reader.read(await source.resolve(reference))
  if (platform !== undefined) {
    const image = await selectImage(root, {
      source,
      reader,
      platforms: [platform],
      unpack: platform,
      reading,
    })
    return { root, image }
  }
  let image = root
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const entry = likeliestEntry(image, preferred)
    if (entry === undefined) return { root, image }
    image = await reader.readEntry(entry)
  }
  throw tooDeep(source.name)
}

function likeliestEntry(manifest: Manifest, preferred: Platform | undefined): Descriptor | undefined {
  if (manifest.kind !== 'index') return undefined
  const { manifests } = manifest.content
  const forPreferred = preferred && findPlatform(manifest.content, preferred)
  return forPreferred ?? manifests.find(isPlatformImage) ?? manifests[0]
}

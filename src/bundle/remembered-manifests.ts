import type { ImageSource } from '../image-store.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'

/** The same source; a manifest is read once, though several steps look at it. */
export function rememberManifests(source: ImageSource): ImageSource {
  const known = new Map<Digest, Promise<Manifest>>()
  return {
    name: source.name,
    metersReads: source.metersReads ?? false,
    resolve: reference => source.resolve(reference),
    getManifest(descriptor) {
      const read = known.get(descriptor.digest) ?? source.getManifest(descriptor)
      known.set(descriptor.digest, read)
      return read
    },
    getBlob: (descriptor, range) => source.getBlob(descriptor, range),
    rejectBlob: descriptor => source.rejectBlob?.(descriptor) ?? false,
  }
}

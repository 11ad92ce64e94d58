import type { Digest } from '../oci/digest.ts'
import { childBlobs } from '../oci/manifest.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import { isRunnable } from './check-manifest.ts'
import { placeIn } from './finding.ts'
import type { BlobUse, BlobUses } from './pass-blob.ts'
import type { ListedManifest } from './read-tree.ts'

/** A blob as one manifest lists it, and what it is there. */
export interface ListedBlob extends BlobUse {
  readonly owner: ListedManifest
  /** Which of the layers it is, from 0; undefined for a config. */
  readonly layer: number | undefined
}

/** The blobs of a manifest, config first, then layers in order. */
export function listBlobs(owner: ListedManifest): readonly ListedBlob[] {
  const { manifest, entries } = owner
  const layersField = manifest.kind === 'artifact' ? 'blobs' : 'layers'
  const first = manifest.kind === 'image' ? 1 : 0
  return childBlobs(manifest).map((descriptor, at) => {
    const layer = at < first ? undefined : at - first
    const field = layer === undefined ? 'config' : `${layersField}[${layer}]`
    return { descriptor, place: placeIn(entries[0].place, field, descriptor), owner, layer }
  })
}

/** True for the configuration of an image that can be run. */
export function isImageConfig({ owner, layer }: ListedBlob): boolean {
  return layer === undefined && isRunnable(owner.manifest)
}

/** True for a layer that is elsewhere. */
export function isForeign({ descriptor }: BlobUse): boolean {
  return isForeignLayerType(descriptor.mediaType)
}

/** Each blob with all its uses, in the order of the first of them. */
export function byDigest(uses: readonly BlobUse[]): readonly BlobUses[] {
  const found = new Map<Digest, [BlobUse, ...BlobUse[]]>()
  for (const use of uses) {
    const known = found.get(use.descriptor.digest)
    if (known === undefined) found.set(use.descriptor.digest, [use])
    else known.push(use)
  }
  return [...found.values()]
}

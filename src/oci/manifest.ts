import type { Descriptor } from './descriptor.ts'
import type { Digest } from './digest.ts'
import type { ArtifactManifest, ImageIndex, ImageManifest } from './manifest-schema.ts'

export type { ArtifactManifest, ImageIndex, ImageManifest } from './manifest-schema.ts'

/** The largest manifest that is read or written, in bytes: what distribution accepts (4 MiB). */
export const maxManifestBytes = 4 * 1024 * 1024

interface ManifestBase {
  /** The bytes as they came; never serialised again. */
  readonly bytes: Uint8Array
  readonly digest: Digest
  readonly mediaType: string
}

/** A manifest as its exact bytes, beside what they say. */
export type Manifest = ManifestBase &
  (
    | { readonly kind: 'index'; readonly content: ImageIndex }
    | { readonly kind: 'image'; readonly content: ImageManifest }
    | { readonly kind: 'artifact'; readonly content: ArtifactManifest }
  )

/** The descriptor of a manifest at hand. */
export function descriptorOf(manifest: Manifest): Descriptor {
  const { mediaType, digest, bytes } = manifest
  return { mediaType, digest, size: bytes.length }
}

/**
 * The descriptor of a manifest with a `subject` as a list of referrers has it, with its annotations (distribution-spec v1.1,
 * "Listing Referrers").
 */
export function referrerOf(manifest: Manifest): Descriptor {
  const { artifactType, annotations } = manifest.content
  const type = artifactType || (manifest.kind === 'image' ? manifest.content.config.mediaType : undefined)
  return {
    ...descriptorOf(manifest),
    ...(type ? { artifactType: type } : {}),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/** The manifests that an index lists; none for other kinds. Position decides, not the media type. */
export function childManifests(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.content.manifests : []
}

/** The blobs that a manifest lists: config first, then layers in order. */
export function childBlobs(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === 'image') return [manifest.content.config, ...manifest.content.layers]
  return manifest.kind === 'artifact' ? manifest.content.blobs : []
}

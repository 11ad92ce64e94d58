/** Media types of image-spec v1.1 and of Docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  /** The artifact manifest that image-spec 1.1 dropped before its release; still found in registries. */
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
} as const

/** The manifest types asked for in `Accept`; a registry may answer 404 for a type that is not listed. */
export const manifestAccept = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.ociArtifact,
].join(', ')

/** True for an OCI index and a Docker manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList
}

/** True for the configuration of an image that can be run; what an artifact has in that place is its own affair. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig
}

/** True for Docker's schema 1, signed or not. */
export function isSchema1Type(mediaType: string): boolean {
  return mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed
}

/** True for a type that says nothing about a manifest: what a server sends that does not know what it holds. */
export function isGenericType(mediaType: string): boolean {
  return /^(?:text\/.*|application\/(?:json|octet-stream))$/.test(mediaType)
}

/**
 * True for layers that registries need not hold: their content is at the descriptor's `urls`
 * (Docker's foreign layers; image-spec's non-distributable layers, deprecated in 1.1).
 */
export function isForeignLayerType(mediaType: string): boolean {
  return (
    mediaType === 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' ||
    mediaType === 'application/vnd.docker.image.rootfs.foreign.diff.tar' ||
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.v1.tar')
  )
}

/** The media type of a `Content-Type` header, without its parameters, in lower case. */
export function essenceOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

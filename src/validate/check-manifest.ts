import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, digestOf } from '../oci/digest.ts'
import { childBlobs, childManifests, type Manifest } from '../oci/manifest.ts'
import {
  isConfigType,
  isForeignLayerType,
  isGenericType,
  isIndexType,
  mediaTypes,
} from '../oci/media-types.ts'
import { formatPlatform } from '../oci/platform.ts'
import { attestedDigest, isPlatformImage } from '../transfer/platform-choice.ts'
import { error, type Issue, warning } from './finding.ts'
import { layerCompression } from './layer-type.ts'

/**
 * What is wrong with a manifest as a document, whatever it leads to (image-spec v1.1, manifest.md and image-index.md).
 */
export function manifestIssues(manifest: Manifest): readonly Issue[] {
  const { content } = manifest
  const issues = [
    ...versionIssues(manifest),
    ...annotationIssues(content.annotations),
    ...familyIssues(manifest),
  ]
  if (manifest.kind === 'index') return [...issues, ...indexIssues(manifest.content.manifests)]
  const isBare = manifest.kind === 'image' && manifest.content.config.mediaType === mediaTypes.ociEmpty
  if (isBare && !content.artifactType)
    issues.push(warning('the config is empty, and there is no artifactType'))
  return issues
}

/** True for an image that has a filesystem and a configuration to run it; false for artifacts of any form. */
export function isRunnable(manifest: Manifest): boolean {
  if (manifest.kind !== 'image') return false
  return isConfigType(manifest.content.config.mediaType)
}

/** What is wrong with a descriptor by itself (image-spec v1.1, descriptor.md). */
export function descriptorIssues({
  mediaType,
  annotations,
  data,
  digest,
  size,
}: Descriptor): readonly Issue[] {
  const issues = [...annotationIssues(annotations)]
  if (mediaType === '') issues.push(error('the descriptor has no media type'))
  if (data !== undefined) {
    const bytes = Buffer.from(data, 'base64')
    const isRight = bytes.length === size && digestOf(bytes, algorithmOf(digest)) === digest
    if (!isRight) issues.push(error('the data in the descriptor is not the content that it describes'))
  }
  return issues
}

/** What a descriptor says of a manifest, against what it is. */
export function listedIssues({ mediaType, size }: Descriptor, manifest: Manifest): readonly Issue[] {
  const issues: Issue[] = []
  const { length } = manifest.bytes
  if (size !== length) issues.push(error(`has ${length} bytes, its descriptor says ${size}`))
  if (mediaType !== '' && !isGenericType(mediaType) && mediaType !== manifest.mediaType) {
    issues.push(error(`is ${manifest.mediaType}, its descriptor says ${mediaType}`))
  }
  return issues
}

/** What is wrong with the media type of a layer; artifacts have layers of any type. */
export function layerTypeIssues({ mediaType, urls = [] }: Descriptor, manifest: Manifest): readonly Issue[] {
  if (isForeignLayerType(mediaType)) {
    return [
      warning(
        urls.length > 0
          ? 'a foreign layer: it is elsewhere, and was not looked for'
          : 'a foreign layer that does not say where it is',
      ),
    ]
  }
  const isKnown = mediaType === '' || layerCompression(mediaType) !== undefined
  return isKnown || !isRunnable(manifest) || isAttestationLayer(mediaType)
    ? []
    : [warning(`the media type ${mediaType} is none of a layer`)]
}

/** BuildKit's attestations look like images. */
function isAttestationLayer(mediaType: string): boolean {
  return mediaType === 'application/vnd.in-toto+json'
}

function versionIssues({ kind, content }: Manifest): readonly Issue[] {
  if (kind === 'artifact') return []
  const { schemaVersion } = content
  if (schemaVersion === undefined) return [warning('there is no schemaVersion')]
  return schemaVersion === 2 ? [] : [error(`the schemaVersion is ${schemaVersion}, not 2`)]
}

function annotationIssues(annotations: Descriptor['annotations']): readonly Issue[] {
  return Object.keys(annotations ?? {}).includes('') ? [warning('an annotation has no key')] : []
}

/** Registries and engines take one family or the other; both in one manifest is nobody's format. */
function familyIssues(manifest: Manifest): readonly Issue[] {
  const listed = [...childManifests(manifest), ...childBlobs(manifest)].map(({ mediaType }) => mediaType)
  const families = new Set(
    [manifest.mediaType, ...listed].map(familyOf).filter(family => family !== undefined),
  )
  return families.size > 1 ? [warning('media types of OCI and of Docker are mixed')] : []
}

function familyOf(mediaType: string): 'oci' | 'docker' | undefined {
  if (mediaType.startsWith('application/vnd.docker.')) return 'docker'
  return mediaType.startsWith('application/vnd.oci.image.') ? 'oci' : undefined
}

function indexIssues(entries: readonly Descriptor[]): readonly Issue[] {
  const issues: Issue[] = []
  const digests = new Set<string>(entries.map(({ digest }) => digest))
  const platforms = new Map<string, string>()
  for (const [at, entry] of entries.entries()) {
    const { mediaType, digest } = entry
    if (mediaType !== '' && !isManifestType(mediaType)) {
      issues.push(warning(`manifests[${at}]: the media type ${mediaType} is none of a manifest`))
    }
    const attested = attestedDigest(entry)
    if (attested !== undefined && !digests.has(attested)) {
      issues.push(warning(`manifests[${at}]: attests ${attested}, which the index does not list`))
    }
    if (!isPlatformImage(entry)) continue
    const platform = platformKey(entry)
    const other = platforms.get(platform)
    if (other !== undefined && other !== digest) {
      issues.push(warning(`manifests[${at}]: another image for ${platform}`))
    }
    platforms.set(platform, digest)
  }
  return issues
}

function isManifestType(mediaType: string): boolean {
  return (
    isIndexType(mediaType) ||
    mediaType === mediaTypes.ociManifest ||
    mediaType === mediaTypes.dockerManifest ||
    mediaType === mediaTypes.ociArtifact
  )
}

function platformKey({ platform }: Descriptor): string {
  if (platform === undefined) return ''
  const features = platform['os.features'] ?? []
  return [formatPlatform(platform), ...features.toSorted()].join(' ')
}

import { DrayError, quote } from '../errors.ts'
import { algorithmOf, type Digest, digestOf } from './digest.ts'
import { checkShape, parseJson } from './document.ts'
import { type Manifest, maxManifestBytes } from './manifest.ts'
import { artifactSchema, imageSchema, indexSchema } from './manifest-schema.ts'
import { isGenericType, isIndexType, isSchema1Type, mediaTypes } from './media-types.ts'

/** What is known about a manifest before it is read. */
export interface ParseManifestOptions {
  /** What the registry's `Content-Type` or the parent's descriptor says; the document's own `mediaType` comes first. */
  readonly mediaType?: string | undefined
  /** The digest that the bytes must have. */
  readonly digest?: Digest | undefined
  /** What the manifest is called in messages. */
  readonly name?: string | undefined
}

/**
 * Reads a manifest of any known shape; an unknown media type is kept and its shape decides what it holds.
 * @throws DrayError `INTEGRITY` for malformed content or another digest, `UNSUPPORTED` for schema 1
 */
export function parseManifest(bytes: Uint8Array, options: ParseManifestOptions = {}): Manifest {
  const name = options.name ?? 'manifest'
  const digest = digestOf(bytes, options.digest === undefined ? 'sha256' : algorithmOf(options.digest))
  if (options.digest !== undefined && digest !== options.digest) {
    throw new DrayError('INTEGRITY', `${name}: the content has digest ${digest}, not ${options.digest}`)
  }
  const document = parseObject(bytes, name)
  const mediaType = mediaTypeOf(document, options.mediaType)
  checkMediaType(mediaType, name)
  refuseSchema1(document, mediaType, name)
  const base = { bytes, digest, mediaType }
  const kind = kindOf(document, mediaType, name)
  const what = `${name}: the manifest`
  if (kind === 'index') return { ...base, kind, content: checkShape(indexSchema, document, what) }
  if (kind === 'image') return { ...base, kind, content: checkShape(imageSchema, document, what) }
  return { ...base, kind, content: checkShape(artifactSchema, document, what) }
}

function parseObject(bytes: Uint8Array, name: string): Record<string, unknown> {
  if (bytes.length > maxManifestBytes) {
    throw new DrayError(
      'INTEGRITY',
      `${name}: a manifest of ${bytes.length} bytes is over the limit of ${maxManifestBytes}`,
    )
  }
  const document = parseJson(bytes, `${name}: the manifest`)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new DrayError('INTEGRITY', `${name}: the manifest is not a JSON object`)
  }
  return document as Record<string, unknown>
}

function refuseSchema1(document: Record<string, unknown>, mediaType: string, name: string): void {
  if (!isSchema1Type(mediaType) && document.schemaVersion !== 1) return
  throw new DrayError('UNSUPPORTED', `${name}: this is a Docker schema 1 image, a format given up in 2017`, {
    hint: 'pull it with an old docker engine and push it again, or build it anew',
  })
}

/** The document's own word first; a header that says no more than "JSON" is no word at all. */
function mediaTypeOf(document: Record<string, unknown>, told = ''): string {
  if (typeof document.mediaType === 'string' && document.mediaType !== '') return document.mediaType
  if (told !== '' && !isGenericType(told)) return told
  const kind = kindByFields(document)
  if (kind === 'artifact') return mediaTypes.ociArtifact
  return kind === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest
}

/** It is sent as `Content-Type`, so it is text that a header can hold. */
function checkMediaType(mediaType: string, name: string): void {
  if (/^[\x20-\x7e]*$/.test(mediaType)) return
  throw new DrayError('INTEGRITY', `${name}: ${quote(mediaType)} is not a media type`)
}

/** One document must not be an index to one reader and an image to another (CVE-2021-41190). */
function kindOf(document: Record<string, unknown>, mediaType: string, name: string): Manifest['kind'] {
  if ('manifests' in document && listsLayers(document)) {
    throw new DrayError('INTEGRITY', `${name}: the manifest has both "manifests" and "layers" or "config"`)
  }
  const promised = kindByType(mediaType)
  const kind = kindByFields(document) ?? (promised === 'artifact' ? promised : undefined)
  if (kind === undefined) {
    throw new DrayError(
      'INTEGRITY',
      `${name}: neither an index nor an image manifest (media type ${quote(mediaType)})`,
    )
  }
  if (promised !== undefined && promised !== kind) {
    throw new DrayError(
      'INTEGRITY',
      `${name}: the media type ${quote(mediaType)} promises an ${promised}, but the fields are those of an ${kind}`,
    )
  }
  return kind
}

function kindByFields(document: Record<string, unknown>): Manifest['kind'] | undefined {
  if ('manifests' in document) return 'index'
  if (listsLayers(document)) return 'image'
  return 'blobs' in document ? 'artifact' : undefined
}

function listsLayers(document: Record<string, unknown>): boolean {
  return 'layers' in document || 'config' in document
}

function kindByType(mediaType: string): Manifest['kind'] | undefined {
  if (isIndexType(mediaType)) return 'index'
  if (mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest) return 'image'
  return mediaType === mediaTypes.ociArtifact ? 'artifact' : undefined
}

import { z } from 'zod/mini'
import { DrayError } from '../errors.ts'
import { type Descriptor, descriptorSchema } from './descriptor.ts'
import { algorithmOf, type Digest, digestOf } from './digest.ts'
import { isIndexType, isSchema1Type, mediaTypes } from './media-types.ts'

/** The largest manifest that is read or written, in bytes: what distribution accepts (4 MiB). */
export const maxManifestBytes = 4 * 1024 * 1024

const annotationsSchema = z.record(z.string(), z.string())

const indexSchema = z.looseObject({
  schemaVersion: z.optional(z.number()),
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  manifests: z.array(descriptorSchema),
  subject: z.optional(descriptorSchema),
  annotations: z.optional(annotationsSchema),
})

const imageSchema = z.looseObject({
  schemaVersion: z.optional(z.number()),
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  config: descriptorSchema,
  layers: z._default(z.array(descriptorSchema), []),
  subject: z.optional(descriptorSchema),
  annotations: z.optional(annotationsSchema),
})

const artifactSchema = z.looseObject({
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  blobs: z._default(z.array(descriptorSchema), []),
  subject: z.optional(descriptorSchema),
  annotations: z.optional(annotationsSchema),
})

/** An OCI index or a Docker manifest list (image-spec v1.1, image-index.md). */
export type ImageIndex = Readonly<z.infer<typeof indexSchema>>
/** An OCI or Docker image manifest, which artifacts use too (image-spec v1.1, manifest.md). */
export type ImageManifest = Readonly<z.infer<typeof imageSchema>>
/** The artifact manifest of image-spec's release candidates: `blobs` and no config. */
export type ArtifactManifest = Readonly<z.infer<typeof artifactSchema>>

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
  const declared = typeof document.mediaType === 'string' ? document.mediaType : ''
  const mediaType = declared || options.mediaType || guessMediaType(document)
  refuseSchema1(document, mediaType, name)
  const base = { bytes, digest, mediaType }
  const shape = shapeOf(document, mediaType, name)
  if (shape === 'index') return { ...base, kind: shape, content: check(indexSchema, document, name) }
  if (shape === 'image') return { ...base, kind: shape, content: check(imageSchema, document, name) }
  return { ...base, kind: shape, content: check(artifactSchema, document, name) }
}

/** The descriptor of a manifest at hand. */
export function descriptorOf(manifest: Manifest): Descriptor {
  const { mediaType, digest, bytes } = manifest
  return { mediaType, digest, size: bytes.length }
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

function parseObject(bytes: Uint8Array, name: string): Record<string, unknown> {
  if (bytes.length > maxManifestBytes) {
    throw new DrayError(
      'INTEGRITY',
      `${name}: a manifest of ${bytes.length} bytes is over the limit of ${maxManifestBytes}`,
    )
  }
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${name}: the manifest is not JSON`, { cause })
  }
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

/** One document must not be an index to one reader and an image to another (CVE-2021-41190). */
function shapeOf(document: Record<string, unknown>, mediaType: string, name: string): Manifest['kind'] {
  const listsManifests = 'manifests' in document
  const listsLayers = 'layers' in document || 'config' in document
  if (listsManifests && listsLayers) {
    throw new DrayError('INTEGRITY', `${name}: the manifest has both "manifests" and "layers" or "config"`)
  }
  if (listsManifests || isIndexType(mediaType)) return 'index'
  if (listsLayers) return 'image'
  if ('blobs' in document || mediaType === mediaTypes.ociArtifact) return 'artifact'
  if (mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest) return 'image'
  throw new DrayError(
    'INTEGRITY',
    `${name}: neither an index nor an image manifest (media type ${mediaType || 'unknown'})`,
  )
}

function guessMediaType(document: Record<string, unknown>): string {
  return 'manifests' in document ? mediaTypes.ociIndex : mediaTypes.ociManifest
}

function check<Schema extends z.ZodMiniType>(
  schema: Schema,
  document: unknown,
  name: string,
): z.infer<Schema> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.map(String).join('.') || 'manifest'
  throw new DrayError(
    'INTEGRITY',
    `${name}: the manifest is malformed at "${where}": ${issue?.message ?? 'invalid'}`,
  )
}

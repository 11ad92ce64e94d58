import type { ImageConfig } from '../oci/config.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childBlobs, childManifests, type Manifest } from '../oci/manifest.ts'
import { formatPlatform } from '../oci/platform.ts'

/**
 * The JSON document of `dray inspect --format json`. Every field is always there, null or empty where the image says
 * nothing, so that a template fits every image. Sizes are in bytes, times as the image has them (RFC 3339).
 *
 * For an index, `config`, `layers`, `history` and `size` are those of the one image whose digest is `imageDigest`.
 */
export interface Inspection {
  readonly reference: string
  /** What the reference stands for. */
  readonly digest: Digest
  readonly mediaType: string
  readonly kind: Manifest['kind']
  readonly artifactType: string | null
  /** The image that is described below: `digest` itself unless that is an index; null where none was chosen. */
  readonly imageDigest: Digest | null
  readonly platform: string | null
  readonly created: string | null
  /** All layers together, as they are stored (compressed). */
  readonly size: number | null
  readonly subject: Digest | null
  readonly annotations: Readonly<Record<string, string>>
  /** The manifests that an index lists. */
  readonly platforms: readonly InspectedPlatform[]
  readonly config: InspectedConfig | null
  readonly layers: readonly InspectedLayer[]
  readonly history: readonly InspectedStep[]
}

/** An entry of an index. */
export interface InspectedPlatform {
  /** `linux/arm/v7`, or null where the index does not say. */
  readonly platform: string | null
  readonly digest: Digest
  readonly mediaType: string
  readonly artifactType: string | null
  /** Of the manifest, not of the image. */
  readonly size: number
  readonly annotations: Readonly<Record<string, string>>
}

/** What an image's configuration says of how it runs. */
export interface InspectedConfig {
  readonly user: string | null
  readonly entrypoint: readonly string[] | null
  readonly cmd: readonly string[] | null
  readonly env: readonly string[]
  readonly workingDir: string | null
  readonly exposedPorts: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal: string | null
  readonly author: string | null
  readonly labels: Readonly<Record<string, string>>
}

/** A layer of the described image. */
export interface InspectedLayer {
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  readonly annotations: Readonly<Record<string, string>>
  /** The command that made the layer; null where the history does not tell. */
  readonly createdBy: string | null
}

/** A step of the described image's history. */
export interface InspectedStep {
  readonly created: string | null
  readonly createdBy: string | null
  readonly comment: string | null
  readonly emptyLayer: boolean
  /** The place of the step's layer in `layers`, from 0; null for an empty layer, or where the two lists disagree. */
  readonly layer: number | null
}

/** What an inspection is made from. */
export interface InspectionInput {
  /** The reference in full, as it is to be shown. */
  readonly reference: string
  /** What the reference stands for. */
  readonly manifest: Manifest
  /** For an index: the manifest of the image to describe. */
  readonly platformManifest?: Manifest | undefined
  /** The config of the image to describe, where it has one that could be read. */
  readonly config?: ImageConfig | undefined
}

/** Puts together what is known of an image (image-spec v1.1: manifest.md, image-index.md, config.md). */
export function inspectionOf(input: InspectionInput): Inspection {
  const { reference, manifest, config } = input
  const image = manifest.kind === 'index' ? input.platformManifest : manifest
  const blobs = image === undefined ? [] : layersOf(image)
  const { layers, history } = pair(blobs, config)
  const annotations = manifest.content.annotations ?? {}
  return {
    reference,
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    kind: manifest.kind,
    artifactType: manifest.content.artifactType ?? null,
    imageDigest: image?.digest ?? null,
    platform: platformOf(input, image),
    created: config?.created || createdOf(image) || createdOf(manifest) || null,
    size: image === undefined ? null : layers.reduce((sum, layer) => sum + layer.size, 0),
    subject: manifest.content.subject?.digest ?? null,
    annotations,
    platforms: childManifests(manifest).map(inspectedPlatform),
    config: config === undefined ? null : inspectedConfig(config),
    layers,
    history,
  }
}

function layersOf(image: Manifest): readonly Descriptor[] {
  return image.kind === 'image' ? image.content.layers : childBlobs(image)
}

function createdOf(manifest: Manifest | undefined): string | undefined {
  return manifest?.content.annotations?.['org.opencontainers.image.created']
}

function platformOf({ manifest, config }: InspectionInput, image: Manifest | undefined): string | null {
  const listed = childManifests(manifest).find(child => child.digest === image?.digest)?.platform
  if (listed !== undefined) return formatPlatform(listed)
  if (!config?.os || !config.architecture) return null
  const { os, architecture, variant, 'os.version': version } = config
  return formatPlatform({
    os,
    architecture,
    ...(variant ? { variant } : {}),
    ...(version ? { 'os.version': version } : {}),
  })
}

function inspectedPlatform(child: Descriptor): InspectedPlatform {
  return {
    platform: child.platform === undefined ? null : formatPlatform(child.platform),
    digest: child.digest,
    mediaType: child.mediaType,
    artifactType: child.artifactType ?? null,
    size: child.size,
    annotations: child.annotations ?? {},
  }
}

function inspectedConfig({ config, author }: ImageConfig): InspectedConfig {
  return {
    user: config?.User || null,
    entrypoint: listOf(config?.Entrypoint),
    cmd: listOf(config?.Cmd),
    env: config?.Env ?? [],
    workingDir: config?.WorkingDir || null,
    exposedPorts: Object.keys(config?.ExposedPorts ?? {}),
    volumes: Object.keys(config?.Volumes ?? {}),
    stopSignal: config?.StopSignal || null,
    author: author || null,
    labels: config?.Labels ?? {},
  }
}

function listOf(command: readonly string[] | string | null | undefined): readonly string[] | null {
  if (command === null || command === undefined) return null
  return typeof command === 'string' ? [command] : command
}

/**
 * Each step of the history that is not an empty layer made one layer, in order (image-spec v1.1, config.md). Some
 * builders write fewer or more steps; then any pairing would be a guess, and none is made.
 */
function pair(
  blobs: readonly Descriptor[],
  config: ImageConfig | undefined,
): Pick<Inspection, 'layers' | 'history'> {
  const steps = config?.history ?? []
  const filled = steps.filter(step => !step.empty_layer)
  const agree = filled.length === blobs.length
  const layers = blobs.map((blob, at) => ({
    digest: blob.digest,
    mediaType: blob.mediaType,
    size: blob.size,
    annotations: blob.annotations ?? {},
    createdBy: (agree ? filled[at]?.created_by : undefined) ?? null,
  }))
  const history = steps.map(step => ({
    created: step.created ?? null,
    createdBy: step.created_by ?? null,
    comment: step.comment || null,
    emptyLayer: step.empty_layer ?? false,
    layer: agree && !step.empty_layer ? filled.indexOf(step) : null,
  }))
  return { layers, history }
}

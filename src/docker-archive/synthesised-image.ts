import { quote } from '../errors.ts'
import { parseConfig } from '../oci/config.ts'
import { type Digest, digestOf, isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import type { TarFileEntry } from '../tar/tar-header.ts'
import { tarFault } from '../tar/tar-limits.ts'
import { withWorkGroup } from '../work-group.ts'
import type { ImageParts } from './archived-image.ts'
import type { LayerFile, LayerFiles } from './layer-files.ts'

/** An image that has no manifest in the archive, with one that was made for it. */
export interface SynthesisedImage {
  readonly manifest: Manifest
  /** Its blobs: the config's bytes, and where the layers are. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array | TarFileEntry>
}

export interface SynthesiseOptions {
  readonly files: LayerFiles
  /** What the archive is called in messages. */
  readonly name: string
  readonly signal?: AbortSignal | undefined
}

/** As many as Node has threads for zlib. */
const layersAtATime = 4

/**
 * Makes a manifest for an image. Config and layers stay as they lie in the archive, so the same archive gives the same
 * digest each time.
 * @throws DrayError `INTEGRITY`, `UNSUPPORTED` for zstd where this Node.js has none, `ABORTED`, `IO`
 */
export async function synthesiseImage(
  parts: ImageParts,
  { files, name, signal }: SynthesiseOptions,
): Promise<SynthesisedImage> {
  const { config } = parts
  const listed = withDiffIds(parts, name)
  const layers = await withWorkGroup({ limit: layersAtATime, signal }, group =>
    group.map(listed, ({ path, diffId }) => files.describe(path, diffId, group.signal)),
  )
  const blobs = new Map<Digest, Uint8Array | TarFileEntry>([[digestOf(config), config]])
  for (const [at, { path }] of listed.entries()) {
    const layer = layers[at]
    if (layer !== undefined) blobs.set(layer.digest, files.find(path))
  }
  return { manifest: manifestOf(config, layers), blobs }
}

const dockerTypes = {
  manifest: mediaTypes.dockerManifest,
  config: mediaTypes.dockerConfig,
  layer: 'application/vnd.docker.image.rootfs.diff.tar',
  compressed: '.',
}

const ociTypes: Readonly<Record<keyof typeof dockerTypes, string>> = {
  manifest: mediaTypes.ociManifest,
  config: mediaTypes.ociConfig,
  layer: 'application/vnd.oci.image.layer.v1.tar',
  compressed: '+',
}

/**
 * The manifest of an image that has lost its own: Docker's version 2, schema 2, and image-spec's where Docker has no media
 * type for a layer. Docker makes the same one, byte for byte, where it keeps images in containerd's store.
 */
export function manifestOf(config: Uint8Array, layers: readonly LayerFile[]): Manifest {
  const types = layers.some(({ compression }) => compression === 'zstd') ? ociTypes : dockerTypes
  const layerType = ({ compression }: LayerFile) =>
    compression === 'none' ? types.layer : `${types.layer}${types.compressed}${compression}`
  const document = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: digestOf(config), size: config.length },
    layers: layers.map(layer => ({ mediaType: layerType(layer), digest: layer.digest, size: layer.size })),
  }
  return parseManifest(Buffer.from(JSON.stringify(document)))
}

function withDiffIds({ config, layers }: ImageParts, name: string) {
  const diffIds = parseConfig(config, name).rootfs?.diff_ids ?? []
  if (diffIds.length !== layers.length) {
    throw tarFault(
      name,
      `an image has ${layers.length} layers, and its config the diff ids of ${diffIds.length}`,
    )
  }
  return layers.map((path, at) => {
    const diffId = diffIds[at] ?? ''
    if (!isDigest(diffId))
      throw tarFault(name, `the config has the diff id ${quote(diffId)}, which is no digest`)
    return { path, diffId }
  })
}

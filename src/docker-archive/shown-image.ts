import { DrayError } from '../errors.ts'
import type { LayoutReader } from '../layout/layout-reader.ts'
import { maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { ImageManifest, Manifest } from '../oci/manifest.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../oci/platform.ts'

/** What manifest.json shows for a manifest: the image that docker loads. */
export interface ShownImage {
  readonly manifest: ImageManifest
  /** The bytes of its config. */
  readonly config: Uint8Array
  readonly diffIds: readonly Digest[]
}

export interface ShownImageOptions {
  /** Where the blobs are. */
  readonly layout: LayoutReader
  /** Which image an index stands for; without it an index must have only one. */
  readonly platform: Platform | undefined
}

/**
 * The image that docker is to load for a manifest: the image itself, or the one of an index.
 * @throws DrayError `UNSUPPORTED` for what docker cannot load, and for an index that does not stand for one image;
 * `NOT_FOUND`, `INTEGRITY`, `IO`
 */
export async function findShownImage(manifest: Manifest, options: ShownImageOptions): Promise<ShownImage> {
  const { layout } = options
  const name = `${layout.name}@${manifest.digest}`
  const image = manifest.kind === 'index' ? await chosenImage(manifest, name, options) : manifest
  if (image.kind !== 'image') throw unsupported(name, `docker cannot load an ${image.kind}`)
  const { config: descriptor, layers } = image.content
  const content = await layout.getBlob(descriptor)
  const config = await collect(content, maxConfigBytes, `${layout.name}: blob ${descriptor.digest}`)
  const diffIds = (parseConfig(config, name).rootfs?.diff_ids ?? []).filter(isDigest)
  if (diffIds.length !== layers.length) {
    throw unsupported(
      name,
      `docker cannot load it: it has ${layers.length} layers, and its config the diff ids of ${diffIds.length}`,
    )
  }
  for (const layer of layers) await checkLayer(layer, layout)
  return { manifest: image.content, config, diffIds }
}

async function chosenImage(
  index: Manifest & { kind: 'index' },
  name: string,
  { layout, platform }: ShownImageOptions,
): Promise<Manifest> {
  // Attestations are for no platform.
  const images = index.content.manifests.filter(entry => entry.platform?.os !== 'unknown')
  const fitting = platform === undefined ? images : images.filter(entry => isFor(entry, platform))
  const [sole, ...others] = fitting
  if (sole !== undefined && others.length === 0) return layout.getManifest(sole)
  const offered = images.map(entry =>
    entry.platform === undefined ? 'an image' : formatPlatform(entry.platform),
  )
  const text = `a docker archive has one image under a name, and the index has ${offered.join(', ') || 'none'}`
  throw unsupported(name, text, 'choose one platform, as with --platform linux/amd64')
}

function isFor({ platform }: Descriptor, wanted: Platform): boolean {
  return platform !== undefined && matchesPlatform(wanted, platform)
}

async function checkLayer({ digest, mediaType }: Descriptor, layout: LayoutReader): Promise<void> {
  if ((await layout.findBlob(digest)) !== undefined) return
  if (!isForeignLayerType(mediaType))
    throw new DrayError('NOT_FOUND', `${layout.name}: there is no blob ${digest}`)
  const text = `the layer ${digest} is foreign and was left where its "urls" say, but an archive must hold it`
  throw unsupported(layout.name, text, 'copy foreign layers too, as with --include-foreign')
}

function unsupported(name: string, text: string, hint?: string): DrayError {
  return new DrayError('UNSUPPORTED', `${name}: ${text}`, { hint })
}

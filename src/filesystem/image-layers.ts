import { DrayError, quote } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import { maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, hexOf, isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isConfigType } from '../oci/media-types.ts'
import { blobName, type ReadBlobOptions, readBlob } from '../transfer/read-blob.ts'

/** A layer of an image. */
export interface Layer {
  /** 1 for the oldest. */
  readonly number: number
  readonly descriptor: Descriptor
  /** What its content must have as digest when it is not compressed. */
  readonly diffId?: Digest | undefined
}

/** Layers that make a filesystem together, and where they are read. */
export interface ImageLayers {
  readonly source: ImageSource
  /** The oldest first. */
  readonly layers: readonly Layer[]
  readonly reading?: ReadBlobOptions | undefined
}

/**
 * The layers of an image, without what its config says of them.
 * @throws DrayError `UNSUPPORTED` for what is no image
 */
export function layersOf(source: ImageSource, image: Manifest, reading?: ReadBlobOptions): ImageLayers {
  if (image.kind !== 'image') throw noFilesystem(source, image, `an ${image.kind} and no image`)
  const { config, layers } = image.content
  const stranger = layers.find(({ mediaType }) => !isTarType(mediaType))
  if (stranger !== undefined || !isConfigType(config.mediaType)) {
    const type = stranger?.mediaType ?? image.content.artifactType ?? config.mediaType
    throw noFilesystem(source, image, `no container image: it holds ${quote(type)}`)
  }
  return { source, layers: layers.map((descriptor, at) => ({ number: at + 1, descriptor })), reading }
}

/**
 * The same layers, each with the digest that its content must have (image-spec v1.1, config.md, `rootfs.diff_ids`).
 * @throws DrayError `INTEGRITY` where the config does not say it for each layer; what reading it throws
 */
export async function withDiffIds(image: ImageLayers, manifest: Manifest): Promise<ImageLayers> {
  if (manifest.kind !== 'image') return image
  const { source, layers, reading } = image
  const { config } = manifest.content
  const name = blobName(source, config)
  const { rootfs } = parseConfig(await collect(readBlob(source, config, reading), maxConfigBytes, name), name)
  const diffIds = rootfs?.diff_ids ?? []
  if (diffIds.length !== layers.length) {
    throw new DrayError(
      'INTEGRITY',
      `${name}: the config tells of ${diffIds.length} layers, the manifest of ${layers.length}`,
    )
  }
  return {
    ...image,
    layers: layers.map((layer, at) => {
      const diffId = diffIds[at] ?? ''
      if (!isDigest(diffId)) throw new DrayError('INTEGRITY', `${name}: ${quote(diffId)} is not a diff id`)
      return { ...layer, diffId }
    }),
  }
}

/**
 * One layer alone.
 * @param wanted its number, or its digest or the beginning of that, from 6 digits on and with or without the algorithm
 * @throws DrayError `NOT_FOUND`; `USAGE` where several layers are meant
 */
export function oneLayer(image: ImageLayers, wanted: string): ImageLayers {
  const { source, layers } = image
  const isNumber = /^\d{1,5}$/.test(wanted)
  const found = layers.filter(({ number, descriptor: { digest } }) =>
    isNumber ? number === Number(wanted) : isStartOf(wanted, digest),
  )
  const [layer] = found
  if (layer === undefined) {
    throw new DrayError('NOT_FOUND', `${source.name}: the image has no layer ${quote(wanted)}`, {
      hint: `it has ${layers.length}, of which 1 is the oldest; "dray inspect" shows them`,
    })
  }
  if (found.some(({ descriptor }) => descriptor.digest !== layer.descriptor.digest)) {
    throw new DrayError('USAGE', `${source.name}: several layers begin with ${quote(wanted)}`)
  }
  return { ...image, layers: [layer] }
}

function isStartOf(text: string, digest: Digest): boolean {
  return text.length >= 6 && (digest.startsWith(text) || hexOf(digest).startsWith(text))
}

/** How a layer is compressed is told by its first bytes; registries and builders err in the media type. */
function isTarType(mediaType: string): boolean {
  return /[./]tar(?:[.+](?:gzip|zstd))?$/.test(mediaType)
}

function noFilesystem(source: ImageSource, { digest }: Manifest, what: string): DrayError {
  return new DrayError('UNSUPPORTED', `${source.name}@${digest} is ${what}`, {
    hint: 'only container images have a filesystem; "dray blob" prints what else there is',
  })
}

import { pour } from '../flow.ts'
import type { BlobFiles } from '../layout/layout-files.ts'
import { type Digest, DigestCounter, digestOf, hexOf } from '../oci/digest.ts'
import { decompressed } from '../tar/decompress.ts'
import { tarFault } from '../tar/tar-limits.ts'
import type { TarWriter } from '../tar/tar-writer.ts'
import { type LegacyLayer, legacyLayers } from './legacy-layers.ts'
import { addFile, type NamedImage, type PackedImage, splitName } from './packed-image.ts'
import { manifestOf } from './synthesised-image.ts'

export interface PackLegacyOptions {
  readonly blobs: BlobFiles
  readonly tar: TarWriter
  /** What the archive is called in messages. */
  readonly name: string
  readonly signal?: AbortSignal | undefined
}

interface LayeredImage extends NamedImage {
  readonly folders: readonly LegacyLayer[]
}

/**
 * Writes images as docker 1.10 to 24 did: a config for each, and a folder for each layer, which is not compressed; with
 * what engines before 1.10 look for. It holds no manifests. The same images give the same bytes.
 * @throws DrayError `INTEGRITY` where a layer is not what the config says, `UNSUPPORTED` for zstd where this Node.js has none;
 * what the reading of the blobs throws; `ABORTED`
 */
export async function packLegacy(
  images: readonly NamedImage[],
  options: PackLegacyOptions,
): Promise<PackedImage[]> {
  const { tar, name } = options
  const layered = images.map(image => ({ ...image, folders: legacyLayers(image, name) }))
  await addFile(tar, 'manifest.json', JSON.stringify(layered.map(itemOf)))
  await addFile(tar, 'repositories', JSON.stringify(repositoriesOf(layered)))
  const configs = new Map(images.map(({ config }) => [configPath(config), config]))
  for (const [path, config] of configs) await addFile(tar, path, config)
  const sizes = await addFolders(
    layered.flatMap(({ folders }) => folders),
    options,
  )
  return layered.map(({ names, root, config, folders }) => ({
    names,
    sourceDigest: root.digest,
    digest: manifestOf(
      config,
      folders.map(({ diffId }) => ({ compression: 'none', digest: diffId, size: sizes.get(diffId) ?? 0 })),
    ).digest,
  }))
}

function itemOf({ config, names, folders }: LayeredImage): object {
  return { Config: configPath(config), RepoTags: names, Layers: folders.map(layerPath) }
}

function configPath(config: Uint8Array): string {
  return `${hexOf(digestOf(config))}.json`
}

function layerPath({ id }: LegacyLayer): string {
  return `${id}/layer.tar`
}

/** The uppermost layer of each name. */
function repositoriesOf(images: readonly LayeredImage[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {}
  for (const { names, folders } of images) {
    const top = folders.at(-1)
    if (top === undefined) continue
    for (const { repository, tag } of names.map(splitName)) {
      repositories[repository] = { ...repositories[repository], [tag]: top.id }
    }
  }
  return repositories
}

/** A layer that stands on others too is there once, with links to it. @returns the size of each layer in bytes */
async function addFolders(
  layers: readonly LegacyLayer[],
  options: PackLegacyOptions,
): Promise<Map<Digest, number>> {
  const { tar } = options
  const sizes = new Map<Digest, number>()
  const places = new Map<Digest, string>()
  for (const layer of new Map(layers.map(each => [each.id, each])).values()) {
    await addFile(tar, `${layer.id}/VERSION`, '1.0')
    await addFile(tar, `${layer.id}/json`, layer.json)
    const name = layerPath(layer)
    const place = places.get(layer.diffId)
    if (place !== undefined) {
      await tar.add({ name, type: 'symlink', linkname: `../${place}` })
      continue
    }
    const size = await checkedSize(layer, options)
    await tar.add({ name, size }, await unpacked(layer, options))
    sizes.set(layer.diffId, size)
    places.set(layer.diffId, name)
  }
  return sizes
}

/** Its header in the archive comes before the layer, so it is unpacked twice rather than kept. */
async function checkedSize(layer: LegacyLayer, options: PackLegacyOptions): Promise<number> {
  const counter = new DigestCounter()
  await pour(await unpacked(layer, options), piece => {
    counter.add(piece)
    return undefined
  })
  if (counter.digest() === layer.diffId) return counter.bytes
  throw tarFault(
    options.name,
    `layer ${layer.blob} has diff id ${counter.digest()}, but the config says ${layer.diffId}`,
  )
}

async function unpacked({ blob }: LegacyLayer, { blobs, name, signal }: PackLegacyOptions) {
  const packed = blobs.read(blob, { signal })
  return (await decompressed(packed, { name: `${name}: layer ${blob}` })).content
}

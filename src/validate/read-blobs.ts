import { type ImageConfig, maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import { algorithmOf, type Digest, isDigest } from '../oci/digest.ts'
import type { WorkGroup } from '../work-group.ts'
import { byDigest, isForeign, isImageConfig, type ListedBlob, listBlobs } from './blob-uses.ts'
import { configIssues, platformIssues } from './check-config.ts'
import { error, type Issue, placeIn } from './finding.ts'
import { layerCompression } from './layer-type.ts'
import { type BlobUse, type BlobUses, type PassBlobOptions, passBlob } from './pass-blob.ts'
import { type LayerFacts, readLayer } from './read-layer.ts'
import type { ListedManifest } from './read-tree.ts'

export interface ReadBlobsOptions extends PassBlobOptions {
  readonly group: WorkGroup
  /** How many bytes a layer may unpack to. */
  readonly maxLayerBytes: number | undefined
}

/** The configurations that could be read, by their digests. */
export type Configs = ReadonlyMap<Digest, ImageConfig>

/** Reads the configurations of all images, each once, and reports what is wrong with them. */
export async function readConfigs(
  manifests: readonly ListedManifest[],
  options: ReadBlobsOptions,
): Promise<Configs> {
  const { group, report } = options
  const configs = new Map<Digest, ImageConfig>()
  const blobs = byDigest(manifests.flatMap(listBlobs).filter(isImageConfig))
  await group.map(blobs, async uses => {
    const config = await passBlob(uses, options, async (content, name) =>
      parseConfig(await collect(content, maxConfigBytes, name), name),
    )
    if (config !== undefined) configs.set(uses[0].descriptor.digest, config)
  })
  for (const { manifest, entries } of manifests) {
    const config = configOf(manifest, configs)
    if (config === undefined || manifest.kind !== 'image') continue
    const { content } = manifest
    report(placeIn(entries[0].place, 'config', content.config), configIssues(config, content))
    for (const { descriptor, place } of entries) report(place, platformIssues(descriptor.platform, config))
  }
  return configs
}

/** The configuration of an image that can be run, where it could be read. */
export function configOf(manifest: ListedManifest['manifest'], configs: Configs): ImageConfig | undefined {
  return manifest.kind === 'image' ? configs.get(manifest.content.config.digest) : undefined
}

/** Reads all other blobs, each once, and reports what is wrong with them; what is elsewhere is left out. */
export async function readLayers(
  manifests: readonly ListedManifest[],
  configs: Configs,
  options: ReadBlobsOptions,
): Promise<void> {
  const uses = manifests.flatMap(listBlobs).filter(use => !isImageConfig(use) && !isForeign(use))
  const blobs = byDigest(uses.map(use => ({ ...use, diffId: diffIdOf(use, configs) })))
  await options.group.map(blobs, async blob => checkLayer(blob, options))
}

/** Without as many diff ids as layers it is not clear which belongs to which. */
function diffIdOf({ owner, layer }: ListedBlob, configs: Configs): Digest | undefined {
  const { manifest } = owner
  const diffIds = configOf(manifest, configs)?.rootfs?.diff_ids
  if (
    layer === undefined ||
    manifest.kind !== 'image' ||
    diffIds?.length !== manifest.content.layers.length
  ) {
    return undefined
  }
  const diffId = diffIds[layer]
  return diffId !== undefined && isDigest(diffId) ? diffId : undefined
}

async function checkLayer(uses: BlobUses, options: ReadBlobsOptions): Promise<void> {
  const { report, maxLayerBytes: maxBytes } = options
  const archives = uses.filter(({ descriptor }) => layerCompression(descriptor.mediaType) !== undefined)
  const [archive] = archives
  if (archive === undefined) {
    await passBlob(uses, options, async () => undefined)
    return
  }
  const algorithms = [
    ...new Set(archives.map(({ diffId }) => algorithmOf(diffId ?? archive.descriptor.digest))),
  ]
  const facts = await passBlob(uses, options, async (content, name) =>
    readLayer(content, { name, algorithms, maxBytes }),
  )
  if (facts === undefined) return
  report(archive.place, facts.issues)
  for (const use of archives) report(use.place, useIssues(use, facts))
}

/** What a manifest and a config say of a layer, against what it is. */
function useIssues({ descriptor, diffId }: BlobUse, { compression, diffIds }: LayerFacts): readonly Issue[] {
  // Of what could not be read to its end nothing is certain.
  if (diffIds.length === 0) return []
  const issues: Issue[] = []
  const { mediaType } = descriptor
  if (compression !== layerCompression(mediaType)) {
    const real = compression === 'none' ? 'not compressed' : `compressed with ${compression}`
    issues.push(error(`is ${real}, its media type is ${mediaType}`))
  }
  if (diffId !== undefined && !diffIds.includes(diffId)) {
    issues.push(error(`the uncompressed layer is ${diffIds.join(', ')}, the config says ${diffId}`))
  }
  return issues
}

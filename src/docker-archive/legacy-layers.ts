import * as z from 'zod/mini'
import { type Digest, digestOf, hexOf } from '../oci/digest.ts'
import { checkShape, parseJson } from '../oci/document.ts'
import type { NamedImage } from './packed-image.ts'

/** A layer as a folder of its own, with what docker's image specification v1 tells of it. */
export interface LegacyLayer {
  /** The folder's name, and the layer's ID for engines before docker 1.10. */
  readonly id: string
  /** The content of its `json`. */
  readonly json: string
  readonly diffId: Digest
  /** The blob that holds the layer, perhaps compressed. */
  readonly blob: Digest
}

/** What of an image's config belongs to its uppermost layer (docker's image specification v1, "Image JSON"). */
const ofTop = [
  'comment',
  'created',
  'container_config',
  'docker_version',
  'author',
  'config',
  'architecture',
  'variant',
  'os',
]

/**
 * The layers of an image, lowest first. An ID stands for a layer, all below it and what is told of it, so that layers
 * which images share are one folder.
 */
export function legacyLayers({ manifest, config, diffIds }: NamedImage, name: string): LegacyLayer[] {
  const document = checkShape(z.record(z.string(), z.unknown()), parseJson(config, name), name)
  const top = Object.fromEntries(
    ofTop.filter(field => field in document).map(field => [field, document[field]]),
  )
  const lower = { created: '1970-01-01T00:00:00Z', ...('os' in document ? { os: document.os } : {}) }
  const layers: LegacyLayer[] = []
  let chainId = ''
  for (const [at, { digest: blob }] of manifest.layers.entries()) {
    const diffId = diffIds[at] ?? blob
    // Image-spec v1.1, config.md#layer-chainid.
    chainId = at === 0 ? diffId : digestOf(`${chainId} ${diffId}`)
    const parent = layers.at(-1)?.id
    const told = { ...(parent === undefined ? {} : { parent }), ...(at === diffIds.length - 1 ? top : lower) }
    const id = hexOf(digestOf(JSON.stringify({ ...told, layer_id: chainId })))
    layers.push({ id, json: JSON.stringify({ id, ...told }), diffId, blob })
  }
  return layers
}

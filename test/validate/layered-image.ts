import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { compressed } from '../../src/tar/compress.ts'
import type { Compression } from '../../src/tar/compression.ts'
import { type NewTarHeader, tarOf } from '../../src/tar/tar-writer.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { chunksOf } from '../support/sample-image.ts'
import { addBlob, addManifest } from '../transfer/images.ts'

/** A layer as it is stored, and the archive in it. */
export interface TestLayer {
  readonly bytes: Uint8Array
  readonly archive: Uint8Array
  readonly mediaType: string
}

/** An entry of a layer; `text` is a file's content. */
export type TestEntry = NewTarHeader & { readonly text?: string }

/** The archive with these entries. */
export function archiveOf(...entries: readonly TestEntry[]): Promise<Buffer> {
  const archive = tarOf('layer', async tar => {
    for (const { text = '', ...header } of entries) {
      const size = Buffer.byteLength(text)
      await tar.add(size > 0 ? { size, ...header } : header, chunksOf(text))
    }
  })
  return collect(archive, 2 ** 24, 'layer')
}

/** A layer with these entries, compressed with gzip. */
export async function layerOf(...entries: readonly TestEntry[]): Promise<TestLayer> {
  return packed(await archiveOf(...entries))
}

/** A layer of any bytes as its archive. */
export async function packed(archive: Uint8Array, compression: Compression = 'gzip'): Promise<TestLayer> {
  const bytes = await collect(compressed(chunksOf(archive), { compression }), 2 ** 24, 'layer')
  return {
    bytes,
    archive,
    mediaType: `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`,
  }
}

export interface TestImage {
  readonly layers: readonly TestLayer[]
  readonly platform?: string
  /** Fields that are other in the config, the manifest, or the descriptor of the first layer or the config. */
  readonly config?: object
  readonly manifest?: object
  readonly layer?: object
  readonly configDescriptor?: object
}

/** Puts an image of which all that is not said is right into a store; gives back its entry for an index. */
export function addLayered(store: MemoryStore, image: TestImage): Descriptor {
  const platform = parsePlatform(image.platform ?? 'linux/amd64')
  const layers = image.layers.map(({ bytes, mediaType }, at) => ({
    ...addBlob(store, bytes, mediaType),
    ...(at === 0 ? image.layer : {}),
  }))
  const diffIds = image.layers.map(({ archive }) => digestOf(archive))
  const history = [...image.layers.map(() => ({ created_by: 'a step' })), { empty_layer: true }]
  const config = {
    ...platform,
    created: '2024-01-02T03:04:05Z',
    rootfs: { type: 'layers', diff_ids: diffIds },
    history,
    ...image.config,
  }
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...addBlob(store, JSON.stringify(config), mediaTypes.ociConfig), ...image.configDescriptor },
    layers,
    ...image.manifest,
  }
  return { ...addManifest(store, document), platform }
}

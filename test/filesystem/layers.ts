import { gzipSync } from 'node:zlib'
import { type ImageLayers, layersOf, withDiffIds } from '../../src/filesystem/image-layers.ts'
import { type Chunks, pour } from '../../src/flow.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { ImageManifest, Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import { realContent } from '../../src/tar/real-content.ts'
import type { TarHeader } from '../../src/tar/tar-header.ts'
import { type NewTarHeader, tarOf } from '../../src/tar/tar-writer.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { type SampleBlob, sampleBlob, sampleManifest } from '../support/sample-image.ts'

/** An entry with its content; a file's size is that of its content. */
export type Entry = NewTarHeader & { readonly content?: string | Buffer }

/**
 * An entry in short: `a/` a folder, `a` an empty file, `a = text` a file, `a -> b` a symlink, `a => b` a hard link,
 * `a | fifo` another type. `a/ 0700` and the like give a mode.
 */
export function entry(text: string): Entry {
  const link = /^(?<name>\S*) (?<kind>->|=>|=|\|) (?<rest>.*)$/s.exec(text)?.groups
  if (link?.kind === '->') return { name: link.name ?? '', type: 'symlink', linkname: link.rest }
  if (link?.kind === '=>') return { name: link.name ?? '', type: 'link', linkname: link.rest }
  if (link?.kind === '=') return { name: link.name ?? '', content: link.rest ?? '' }
  if (link?.kind === '|') return { name: link.name ?? '', type: link.rest as TarHeader['type'] }
  const [name = '', mode] = text.split(' ')
  const given = mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }
  return { name, type: name.endsWith('/') ? 'directory' : 'file', ...given }
}

/** A layer's tar with these entries, as `entry` has them or whole. */
export async function layerOf(...entries: readonly (string | Entry)[]): Promise<Buffer> {
  const tar = tarOf('layer', async writer => {
    for (const one of entries) {
      const { content = '', ...header } = typeof one === 'string' ? entry(one) : one
      const bytes = Buffer.from(content)
      await writer.add({ ...header, size: bytes.length }, chunksOf(bytes))
    }
  })
  return bytesOf(tar)
}

/** Layers in a store, as an image with a config that tells their diff ids. */
export interface TestImage {
  readonly store: MemoryStore
  readonly manifest: Manifest & { readonly content: ImageManifest }
  /** The layers as the program reads them. */
  readonly image: ImageLayers
  readonly blobs: readonly SampleBlob[]
  readonly config: SampleBlob
}

export interface TestImageOptions {
  /** How layers are stored; gzip when absent. */
  readonly compress?: (tar: Buffer) => Buffer
  readonly mediaType?: string
  readonly diffIds?: readonly string[]
}

/** An image of these layers, the oldest first. */
export async function imageOf(layers: readonly Buffer[], options: TestImageOptions = {}): Promise<TestImage> {
  const { compress = gzipSync, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip' } = options
  const blobs = layers.map(tar => sampleBlob(compress(tar), mediaType))
  const diffIds = options.diffIds ?? layers.map(tar => digestOf(tar))
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const config = sampleBlob(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs }),
    mediaTypes.ociConfig,
  )
  const manifest = sampleManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: blobs.map(({ descriptor }) => descriptor),
  })
  if (manifest.kind !== 'image') throw new Error('no image')
  const store = new MemoryStore('memory')
  for (const { descriptor, bytes } of [...blobs, config]) store.blobs.set(descriptor.digest, bytes)
  await store.putManifest(manifest, ['latest'])
  const image = await withDiffIds(layersOf(store, manifest), manifest)
  store.calls.length = 0
  return { store, manifest, image, blobs, config }
}

/** An image of layers in short. */
export async function imageOfTexts(...layers: readonly (readonly (string | Entry)[])[]): Promise<TestImage> {
  return imageOf(await Promise.all(layers.map(entries => layerOf(...entries))))
}

/** An entry of an archive with its content. */
export type ReadEntry = TarHeader & { readonly bytes: Buffer }

/** What is in an archive, in its order. */
export async function entriesOf(tar: Chunks): Promise<readonly ReadEntry[]> {
  const entries: ReadEntry[] = []
  for await (const item of readTar(tar, { name: 'exported' })) {
    const { head: _, content: __, ...header } = item
    entries.push({ ...header, bytes: await bytesOf(realContent(item, 'exported')) })
  }
  return entries
}

/** An entry in short, as `entry` reads it; an empty file is `a = `. */
export function shortOf({ name, type, linkname, bytes }: ReadEntry): string {
  if (type === 'directory') return name
  if (type === 'symlink') return `${name} -> ${linkname}`
  if (type === 'link') return `${name} => ${linkname}`
  return type === 'file' ? `${name} = ${bytes}` : `${name} | ${type}`
}

/** All of some content. */
export async function bytesOf(chunks: Chunks): Promise<Buffer> {
  const pieces: Buffer[] = []
  await pour(chunks, piece => {
    pieces.push(Buffer.from(piece))
    return undefined
  })
  return Buffer.concat(pieces)
}

/** Content in pieces of at most 64 KiB. */
export async function* chunksOf(bytes: Uint8Array): Chunks {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

import { flow } from '../flow.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { TarWriter } from '../tar/tar-writer.ts'
import type { ShownImage } from './shown-image.ts'

/** An image that is to be packed. */
export interface NamedImage extends ShownImage {
  /** What was put: the image's own manifest, or an index. */
  readonly root: Manifest
  /** Its names with their tags in full, in order. */
  readonly names: readonly string[]
}

/** What became of an image in an archive. */
export interface PackedImage {
  readonly names: readonly string[]
  /** The digest of what was put. */
  readonly sourceDigest: Digest
  /** The digest that the archive gives for it: the same, unless the format holds no manifests. */
  readonly digest: Digest
}

/** Adds a small file to an archive. */
export async function addFile(tar: TarWriter, name: string, content: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(content)
  const flowing = flow(async take => {
    await take(bytes)
  })
  await tar.add({ name, size: bytes.length }, flowing)
}

/** A name in full as its repository and tag. */
export function splitName(name: string): { repository: string; tag: string } {
  const colon = name.lastIndexOf(':')
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) }
}

import type { ImageLayers } from '../filesystem/image-layers.ts'
import { mergedEntries } from '../filesystem/merge-layers.ts'
import { pour } from '../flow.ts'
import { type Digest, DigestCounter } from '../oci/digest.ts'
import { realContent } from '../tar/real-content.ts'
import type { TarHeader, TarItem, TarType } from '../tar/tar-header.ts'
import { blobName } from '../transfer/read-blob.ts'

/** A file, folder, symlink or device of an image; two hard links to one another are two equal files. */
export interface FileInfo {
  readonly type: TarType
  /** The permissions, as chmod takes them. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes; 0 for what is no file. */
  readonly size: number
  /** Of the content; null for what is no file. */
  readonly digest: Digest | null
  /** Where a symlink leads; null for what is none. */
  readonly target: string | null
  /** The numbers of a device, `8:1`; null for what is none. */
  readonly device: string | null
}

/** What an image's filesystem has, by its path without a slash at its beginning. */
export type Files = ReadonlyMap<string, FileInfo>

/**
 * Reads the filesystem of an image, each layer once. Contents are hashed as they pass, and never held.
 * @throws DrayError `INTEGRITY` for layers that make no filesystem; what the source throws
 */
export async function readFiles(image: ImageLayers): Promise<Files> {
  const files = new Map<string, FileInfo>()
  const links = new Map<string, string>()
  for await (const { path, header, layer, linkTo, item } of mergedEntries(image)) {
    if (linkTo !== undefined) {
      links.set(path, linkTo)
      continue
    }
    links.delete(path)
    const archive = blobName(image.source, layer.descriptor)
    const digest = item === undefined || header.type !== 'file' ? null : await contentDigest(item, archive)
    files.set(path, infoOf(header, digest))
  }
  for (const [path, target] of links) {
    const info = files.get(target)
    if (info !== undefined) files.set(path, info)
  }
  return files
}

async function contentDigest(item: TarItem, archive: string): Promise<Digest> {
  const counter = new DigestCounter()
  await pour(realContent(item, archive), piece => {
    counter.add(piece)
    return undefined
  })
  return counter.digest()
}

function infoOf(
  { type, mode, uid, gid, size, linkname, devmajor, devminor }: TarHeader,
  digest: Digest | null,
): FileInfo {
  const isDevice = type === 'character-device' || type === 'block-device'
  return {
    type,
    mode,
    uid,
    gid,
    size,
    digest,
    target: type === 'symlink' ? linkname : null,
    device: isDevice ? `${devmajor}:${devminor}` : null,
  }
}

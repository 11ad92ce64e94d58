import { DrayError, quote } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { TarHeader, TarType } from '../tar/tar-header.ts'
import { blobName } from '../transfer/read-blob.ts'
import type { ImageLayers, Layer } from './image-layers.ts'
import { layerPath, parseLayerName } from './layer-name.ts'
import { mergedEntries } from './merge-layers.ts'
import { NameTree } from './name-tree.ts'
import { notFound, PathSearch } from './path-search.ts'
import { layerItems } from './read-layer.ts'

/** A name in an image, as `ls-files --format json` shows it. */
export interface FileRow {
  /** From the image's root, without a slash at its beginning; the root's own is `.`. */
  readonly path: string
  /** `link` is a hard link. Whiteouts and opaque markers are only in the list of one layer. */
  readonly type: TarType | 'whiteout' | 'opaque'
  /** Octal, as chmod takes it: `0755`. */
  readonly mode: string
  readonly uid: number
  readonly gid: number
  /** Null where the layer names none. */
  readonly user: string | null
  readonly group: string | null
  /** In bytes; for a hard link, of the file that it is. */
  readonly size: number
  /** ISO 8601; null for times that it cannot say. */
  readonly mtime: string | null
  /** Where a hard link or symlink leads, null for others. */
  readonly target: string | null
  /** The number of the layer that it comes from, 1 for the oldest, and its digest. */
  readonly layer: number
  readonly layerDigest: Digest
}

/**
 * What is in the filesystem of an image, at a path and below, in the order of the names. Symlinks on the way to the path
 * are followed within the image; the last part is only where a slash follows. The layers are read newest first, no
 * further than is needed to know the answer.
 * @throws DrayError `NOT_FOUND`; what reading the layers throws
 */
export async function listFiles(image: ImageLayers, path = ''): Promise<readonly FileRow[]> {
  const tree = new NameTree()
  const search = new PathSearch(path, tree, { followsLast: false })
  const isDone = () => {
    const found = search.find()
    return found !== undefined && (found.kind !== 'folder' || tree.isComplete(found.path))
  }
  const rows = new Map<string, FileRow>()
  for await (const entry of mergedEntries(image, { tree, isDone })) {
    const { linkTo } = entry
    const row = rowOf(entry.path, entry.header, entry.layer)
    const link = { path: row.path, type: 'link', target: linkTo ?? null } as const
    rows.set(entry.path, linkTo === undefined ? row : { ...(rows.get(linkTo) ?? row), ...link })
    if (search.see(entry) && search.find()?.kind === 'entry') break
  }
  const found = search.end()
  if (found.kind === 'nothing') throw notFound(found, image.source.name, path)
  return sorted(rows, found.path)
}

/**
 * The entries of one layer in its order, whiteouts among them, at a path and below. Nothing is followed.
 * @throws DrayError `NOT_FOUND`; what reading the layer throws
 */
export async function listLayer(image: ImageLayers, layer: Layer, path = ''): Promise<readonly FileRow[]> {
  const name = blobName(image.source, layer.descriptor)
  const wanted = layerPath(path, name)
  const rows: FileRow[] = []
  for await (const { item } of layerItems(image, layer)) {
    const { kind } = parseLayerName(item.name, name)
    const own = layerPath(item.name, name)
    if (!isAtOrBelow(own, wanted)) continue
    const row = rowOf(own, item, layer)
    rows.push(kind === 'whiteout' || kind === 'opaque' ? { ...row, type: kind, target: null } : row)
  }
  if (rows.length === 0 && wanted !== '') {
    throw new DrayError('NOT_FOUND', `${name}: ${quote(path)} is not in the layer`)
  }
  return rows
}

function rowOf(path: string, header: TarHeader, { number, descriptor }: Layer): FileRow {
  return {
    path: path || '.',
    type: header.type,
    mode: header.mode.toString(8).padStart(4, '0'),
    uid: header.uid,
    gid: header.gid,
    user: header.uname || null,
    group: header.gname || null,
    size: header.size,
    mtime: timeOf(header.mtime),
    target: header.linkname || null,
    layer: number,
    layerDigest: descriptor.digest,
  }
}

function timeOf(seconds: number): string | null {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

/** A folder before what is in it. */
function sorted(rows: ReadonlyMap<string, FileRow>, wanted: string): readonly FileRow[] {
  return [...rows]
    .filter(([path]) => isAtOrBelow(path, wanted))
    .map(([path, row]) => ({ key: path.replaceAll('/', '\0'), row }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ row }) => row)
}

function isAtOrBelow(path: string, top: string): boolean {
  return top === '' || path === top || path.startsWith(`${top}/`)
}

import { quote } from '../errors.ts'
import type { TarHeader, TarItem } from '../tar/tar-header.ts'
import { tarFault } from '../tar/tar-limits.ts'
import { blobName } from '../transfer/read-blob.ts'
import { HardLinks } from './hard-links.ts'
import type { ImageLayers, Layer } from './image-layers.ts'
import { Inode } from './inode.ts'
import { layerPath, longestName, parseLayerName } from './layer-name.ts'
import { NameTree } from './name-tree.ts'
import { layerItems } from './read-layer.ts'

/** An entry that is to be seen in the filesystem of an image. */
export interface MergedEntry {
  /** Its path in the image, without a slash at its beginning; the root's is empty. */
  readonly path: string
  readonly header: TarHeader
  /** The layer that it, or the content of a hard link, comes from. */
  readonly layer: Layer
  /** For a hard link, a name that was given out before; there is no content then. */
  readonly linkTo?: string | undefined
  /** The entry that is passing by, and its place in the layer. Its content can be taken until the next is asked for. */
  readonly item?: TarItem | undefined
  readonly ordinal?: number | undefined
}

export interface MergeOptions {
  /** Asked at the end of each layer: true ends the reading. */
  readonly isDone?: ((tree: NameTree) => boolean) | undefined
  /** Learns the names as the layers are read; a new one when absent. */
  readonly tree?: NameTree | undefined
}

/**
 * The entries of an image's filesystem, as the layers make it when they are put on one another (image-spec v1.1, layer.md,
 * "Applying Changesets"). The layers are read once, the newest first, so what is hidden is passed over; a layer is read a
 * second time only for the content of hard links whose target is hidden by a newer one. The entries of a layer come in
 * its order, and where it has a name several times the last counts; a folder may come after what is in it. Whiteouts
 * hide what older layers have, and nothing of their own layer.
 *
 * A folder that no entry describes is not given out. No entry lies below a symlink or anything else that is no folder.
 * @throws DrayError `INTEGRITY` for layers that are malformed or make no filesystem; what reading them throws
 */
export async function* mergedEntries(
  image: ImageLayers,
  { isDone = () => false, tree = new NameTree() }: MergeOptions = {},
): AsyncGenerator<MergedEntry, void> {
  const links = new HardLinks(tree)
  let name = image.source.name
  for (const layer of [...image.layers].reverse()) {
    name = blobName(image.source, layer.descriptor)
    tree.beginLayer(name)
    const judge = new Judge(tree, links, name)
    for await (const { item, ordinal } of layerItems(image, layer)) {
      const shown = judge.judge(item, ordinal)
      if (shown !== undefined) yield { ...shown, header: item, layer, item, ordinal }
    }
    for (const link of links.settle(name)) yield { ...link, layer }
    tree.endLayer()
    const wanted = links.takeWanted()
    if (wanted.size > 0) yield* secondLook(image, layer, wanted)
    if (isDone(tree)) return
  }
  links.end(name)
}

type Shown = Pick<MergedEntry, 'path' | 'linkTo'>

/** Decides of each entry of a layer whether it is to be seen. */
class Judge {
  readonly #tree: NameTree
  readonly #links: HardLinks
  readonly #layer: string

  constructor(tree: NameTree, links: HardLinks, layer: string) {
    this.#tree = tree
    this.#links = links
    this.#layer = layer
  }

  judge(item: TarItem, ordinal: number): Shown | undefined {
    const { kind, path } = parseLayerName(item.name, this.#layer)
    const isWhiteout = kind === 'whiteout' || kind === 'opaque'
    const found = this.#tree.enter(path, { isWhiteout })
    if (kind === 'whiteout') this.#tree.addWhiteout(found)
    if (kind === 'opaque') this.#tree.addOpaque(found)
    if (isWhiteout) return undefined
    const place = { ...found, isHidden: found.isHidden || kind === 'hidden' }
    if (item.type === 'directory') return this.#tree.addFolder(place) ? { path: place.path } : undefined
    if (item.type === 'link') return this.#judgeLink(item, place)
    const symlink = item.type === 'symlink' ? item.linkname : undefined
    if (symlink === '') throw this.#fault(item, 'is a symbolic link that leads nowhere')
    if (item.linkname.length > longestName) throw this.#fault(item, 'leads to a name that is too long')
    const isShown = this.#tree.addInode(place, new Inode({ ordinal, symlink }))
    return isShown ? { path: place.path } : undefined
  }

  #judgeLink(item: TarItem, place: ReturnType<NameTree['enter']>): Shown | undefined {
    const target = layerPath(item.linkname, this.#layer)
    const inode = this.#links.targetOf(target)
    if (target === place.path || target === '')
      throw this.#fault(item, 'is a hard link to a folder or to itself')
    if (!this.#tree.addInode(place, inode)) return undefined
    const { head: _, content: __, ...header } = item
    return this.#links.show(place.path, { ...header, xattrs: new Map() }, inode)
  }

  #fault({ name }: TarItem, text: string): Error {
    return tarFault(this.#layer, `entry ${quote(name)} ${text}`)
  }
}

/** Reads a layer again for content that links of visible names lead to and that is hidden under its own. */
async function* secondLook(
  image: ImageLayers,
  layer: Layer,
  wanted: ReadonlyMap<number, ReadonlyMap<string, TarHeader>>,
): AsyncGenerator<MergedEntry, void> {
  for await (const { item, ordinal } of layerItems(image, layer)) {
    const [first, ...others] = wanted.get(ordinal)?.keys() ?? []
    if (first === undefined) continue
    yield { path: first, header: item, layer, item, ordinal }
    for (const path of others) yield { path, header: item, layer, linkTo: first }
  }
}

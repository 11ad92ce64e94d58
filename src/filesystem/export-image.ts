import { type Flow, flow, pour } from '../flow.ts'
import { realContent } from '../tar/real-content.ts'
import { type TarWriter, tarOf } from '../tar/tar-writer.ts'
import type { ImageLayers, Layer } from './image-layers.ts'
import { type MergedEntry, mergedEntries } from './merge-layers.ts'
import { layerBytes } from './read-layer.ts'

/**
 * The filesystem of an image as one tar archive, in the order in which its layers are read: the newest first. Names
 * begin at the image's root, hard links come behind what they lead to, and no entry lies below a symlink. Files whose
 * name is in this form already are passed as they stand in the layer, with holes and attributes; the other entries are
 * written anew. The archive ends well only when all layers are what the manifest and the config say.
 * @throws DrayError as it flows: what `mergedEntries` throws
 */
export function exportImage(image: ImageLayers): Flow {
  return tarOf(image.source.name, async tar => {
    for await (const entry of mergedEntries(image)) await write(tar, entry, image.source.name)
  })
}

/** One layer as it is, but not compressed. */
export function exportLayer(image: ImageLayers, layer: Layer): Flow {
  return flow(take => pour(layerBytes(image, layer), take))
}

async function write(tar: TarWriter, entry: MergedEntry, archive: string): Promise<void> {
  const { path, header, item, linkTo } = entry
  if (linkTo !== undefined) {
    const { mode, uid, gid, uname, gname, mtime } = header
    await tar.add({ mode, uid, gid, uname, gname, mtime, name: path, type: 'link', linkname: linkTo })
  } else if (item?.type === 'file') {
    // A header that is passed on says the same to every reader only for files: others may claim a content that they lack.
    await (item.name === path ? tar.pass(item) : tar.add({ ...item, name: path }, realContent(item, archive)))
  } else {
    await tar.add({ ...header, name: path || './' })
  }
}

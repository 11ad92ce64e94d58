import { DrayError, quote } from '../errors.ts'
import { type Flow, flow, pour, type Take } from '../flow.ts'
import { collect } from '../oci/content.ts'
import { realContent } from '../tar/real-content.ts'
import type { TarItem } from '../tar/tar-header.ts'
import { blobName } from '../transfer/read-blob.ts'
import type { ImageLayers } from './image-layers.ts'
import { mergedEntries } from './merge-layers.ts'
import { NameTree } from './name-tree.ts'
import { type Found, notFound, PathSearch, type SeenEntry } from './path-search.ts'
import { layerItems } from './read-layer.ts'

export interface FileContentOptions {
  /**
   * Read every layer that has a say to its end, so that its digest is checked, before the first byte is given out. The
   * layer that has the file is then read twice, and the file may have 64 MiB.
   */
  readonly verify?: boolean | undefined
}

/** How large a file may be that is held in memory until its layer is verified, in bytes. */
const maxVerifiedBytes = 64 * 1024 * 1024

/**
 * The content of a file in an image, found as a process with the image as its root would find it. The layers are read
 * newest first, and only as far as it takes: without `verify` the reading ends with the file. What was not read to its
 * end is not verified, and of a name that a layer has twice the first is taken.
 * @throws DrayError as it flows: `NOT_FOUND`; `UNSUPPORTED` for what is no file, or too large to be verified;
 * `INTEGRITY`, and what reading the layers throws
 */
export function fileContent(
  image: ImageLayers,
  path: string,
  { verify = false }: FileContentOptions = {},
): Flow {
  return flow(async take => {
    const tree = new NameTree()
    const search = new PathSearch(path, tree, { followsLast: true })
    const isDone = () => search.find() !== undefined
    for await (const entry of mergedEntries(image, { tree, isDone })) {
      if (!search.see(entry) || verify) continue
      const found = search.find()
      if (found === undefined) continue
      const file = fileOf(found, image, path)
      const { item, ordinal, layer } = entry
      if (item === undefined || ordinal !== file.ordinal || layer !== file.layer) break
      // Awaited, because to leave the loop closes the layer.
      return await pour(contentOf(item, file, image), take)
    }
    const file = fileOf(search.end(), image, path)
    if (verify) await take(await verifiedContent(image, file))
    else await pourAgain(image, file, take)
  })
}

/** Reads a layer once more, up to a file that has passed by. */
async function pourAgain(image: ImageLayers, file: SeenEntry, take: Take): Promise<void> {
  for await (const { item, ordinal } of layerItems(image, file.layer)) {
    if (ordinal === file.ordinal) return await pour(contentOf(item, file, image), take)
  }
}

/** Reads a layer once more, to its end, and then gives the file that is in it. */
async function verifiedContent(image: ImageLayers, file: SeenEntry): Promise<Buffer> {
  let content: Buffer = Buffer.alloc(0)
  for await (const { item, ordinal } of layerItems(image, file.layer)) {
    if (ordinal !== file.ordinal) continue
    const name = `${image.source.name}: ${quote(item.name)}`
    if (item.size > maxVerifiedBytes) {
      const limit = `at most ${maxVerifiedBytes} are held until they are verified`
      throw new DrayError('UNSUPPORTED', `${name} has ${item.size} bytes; ${limit}`, {
        hint: 'leave out --verify, or use "dray export", which verifies all that it writes',
      })
    }
    content = await collect(contentOf(item, file, image), maxVerifiedBytes, name)
  }
  return content
}

function contentOf(item: TarItem, { layer }: SeenEntry, { source }: ImageLayers): Flow {
  return realContent(item, blobName(source, layer.descriptor))
}

/** @throws DrayError for what is no file */
function fileOf(found: Found, { source }: ImageLayers, path: string): SeenEntry {
  if (found.kind === 'entry' && found.entry.type === 'file') return found.entry
  if (found.kind === 'nothing') throw notFound(found, source.name, path)
  const what = found.kind === 'entry' ? found.entry.type.replace('-', ' ') : 'folder'
  throw new DrayError('UNSUPPORTED', `${source.name}: ${quote(path)} is a ${what}, not a file`, {
    hint: found.kind === 'folder' ? '"dray ls-files" shows what is in it' : undefined,
  })
}

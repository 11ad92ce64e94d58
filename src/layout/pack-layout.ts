import { flow } from '../flow.ts'
import { algorithmOf, hexOf } from '../oci/digest.ts'
import type { TarWriter } from '../tar/tar-writer.ts'
import { formatIndex, type IndexDocument } from './index-document.ts'
import { type IndexEntry, refNameOf } from './index-entries.ts'
import { layoutFileText } from './layout-file.ts'
import type { LayoutFiles } from './layout-files.ts'

/**
 * Writes a layout into an archive: what tells of the content first, then the blobs in order of their digests. The same
 * content gives the same bytes, in whatever order it came into the layout.
 * @throws DrayError what the reading of the files throws; `ABORTED`
 */
export async function packLayout(files: LayoutFiles, tar: TarWriter, signal?: AbortSignal): Promise<void> {
  await addText(tar, 'oci-layout', layoutFileText)
  await addText(tar, 'index.json', formatIndex(inOrder(await files.index())))
  await tar.add({ name: 'blobs', type: 'directory' })
  let folder = ''
  for (const digest of [...(await files.blobs.list())].sort()) {
    const size = await files.blobs.size(digest)
    if (size === undefined) continue
    const ownFolder = `blobs/${algorithmOf(digest)}`
    if (folder !== ownFolder) await tar.add({ name: ownFolder, type: 'directory' })
    folder = ownFolder
    await tar.add({ name: `${folder}/${hexOf(digest)}`, size }, files.blobs.read(digest, { signal }))
  }
}

async function addText(tar: TarWriter, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text)
  await tar.add(
    { name, size: bytes.length },
    flow(async take => {
      await take(bytes)
    }),
  )
}

/** By tag. Entries of one tag stay as they are: the last one counts. */
function inOrder(document: IndexDocument): IndexDocument {
  const keyOf = (entry: IndexEntry) => refNameOf(entry) ?? ` ${entry.digest}`
  const keyed = (document.manifests ?? []).map(entry => ({ key: keyOf(entry), entry }))
  const sorted = keyed.toSorted((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
  return { ...document, manifests: sorted.map(({ entry }) => entry) }
}

import { nameOfEntry } from '../../bundle/image-name.ts'
import type { IndexDocument } from '../../layout/index-document.ts'
import type { IndexEntry } from '../../layout/index-entries.ts'
import { Layout } from '../../layout/layout.ts'
import type { LayoutCache } from '../../layout/layout-cache.ts'
import { LayoutFolder } from '../../layout/layout-folder.ts'
import { imageNameKey, refNameKey } from '../../layout/ref-name.ts'

/**
 * One layout with images of many repositories (an unpacked bundle), each of which is seen as a layout of its own. An image
 * `docker.io/library/alpine:3.20` is in the repository `library/alpine`, and under its name in full. The blobs are those of
 * all.
 */
export class Bundle {
  readonly #folder: LayoutFolder
  readonly #views = new WeakMap<IndexDocument, Map<string, IndexDocument>>()

  constructor(dir: string, cache: LayoutCache) {
    this.#folder = new LayoutFolder(dir, { name: `oci:${dir}`, isThere: true, cache })
  }

  /** The repositories that have names, without their registries, in order of their characters. */
  async repositories(): Promise<string[]> {
    const { manifests } = await this.#folder.index()
    const names = (manifests ?? []).map(entry => nameOfEntry(entry).repository)
    return [...new Set(names.filter(name => name !== undefined).map(withoutRegistry))].sort()
  }

  /** A repository as a layout to read from; undefined where no image is of that name. */
  async find(repository: string): Promise<Layout | undefined> {
    const folder = this.#folder
    const { manifests } = await folder.index()
    if (!manifests?.some(entry => isOf(repository, nameOfEntry(entry).repository))) return undefined
    const files = { indexPath: folder.indexPath, blobs: folder.blobs, index: () => this.#view(repository) }
    return new Layout(folder, { name: `oci:${folder.dir}:${repository}`, files })
  }

  /** The same object for as long as the folder's index.json stays the same. */
  async #view(repository: string): Promise<IndexDocument> {
    const index = await this.#folder.index()
    const views = this.#views.get(index) ?? new Map<string, IndexDocument>()
    this.#views.set(index, views)
    const view = views.get(repository) ?? {
      ...index,
      manifests: (index.manifests ?? []).flatMap(entry => entryIn(repository, entry)),
    }
    views.set(repository, view)
    return view
  }
}

/** An entry as the repository has it; what has no name may refer to any image. */
function entryIn(repository: string, entry: IndexEntry): IndexEntry[] {
  const { repository: full, tag } = nameOfEntry(entry)
  if (full === undefined) return tag === undefined ? [entry] : []
  if (!isOf(repository, full)) return []
  const { [imageNameKey]: _, [refNameKey]: __, ...others } = entry.annotations ?? {}
  return [{ ...entry, annotations: tag === undefined ? others : { ...others, [refNameKey]: tag } }]
}

function isOf(repository: string, full: string | undefined): boolean {
  return full !== undefined && (full === repository || withoutRegistry(full) === repository)
}

function withoutRegistry(full: string): string {
  return full.slice(full.indexOf('/') + 1)
}

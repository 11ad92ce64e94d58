import { ArchiveFiles } from '../layout/archive-files.ts'
import { descriptorOfEntry } from '../layout/index-entries.ts'
import { LayoutReader } from '../layout/layout-reader.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestOf, isDigest } from '../oci/digest.ts'
import { childBlobs, descriptorOf } from '../oci/manifest.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import type { TarFile } from '../tar/tar-file.ts'
import { tarFault } from '../tar/tar-limits.ts'
import type { ImageParts } from './archived-image.ts'
import { fullName } from './image-name.ts'

/** containerd's annotation for an image's name in full, which docker reads and writes too. */
export const imageNameKey = 'io.containerd.image.name'

/** An image of the layout, with all its blobs. */
interface WholeImage {
  readonly descriptor: Descriptor
  readonly config: Digest
  readonly layers: number
}

/** What there is of a manifest and all below it. */
interface Holding {
  readonly images: readonly WholeImage[]
  /** False where something is not there that the manifest leads to. */
  readonly isWhole: boolean
}

/** An entry of index.json. */
interface Root extends Holding {
  readonly descriptor: Descriptor
  readonly name: string | undefined
}

const mostManifests = 10_000
const deepest = 8

/** The manifests in an archive that holds an OCI image layout too, as docker 25 and later write it. */
export class OriginalManifests {
  readonly layout: LayoutReader
  readonly #tar: TarFile
  readonly #files: ArchiveFiles
  readonly #holdings = new Map<Digest, Promise<Holding>>()
  #roots: Promise<readonly Root[]> | undefined

  private constructor(tar: TarFile, files: ArchiveFiles, name: string) {
    this.layout = new LayoutReader(name, files)
    this.#tar = tar
    this.#files = files
  }

  /**
   * @returns undefined where the archive holds no layout
   * @throws DrayError `UNSUPPORTED` for another layout version, `INTEGRITY`, `IO`
   */
  static async open(tar: TarFile, name: string): Promise<OriginalManifests | undefined> {
    if (tar.find('oci-layout') === undefined) return undefined
    return new OriginalManifests(tar, await ArchiveFiles.open(tar), name)
  }

  /**
   * The manifest that an image had, where the layout leads to all its blobs. It is an index where the image's name stands
   * for one of which all is there, or more than one image: an engine that has fetched one platform saves the index
   * with that alone, and then that platform's image is meant.
   * @throws DrayError `INTEGRITY`, `IO`
   */
  async find(names: readonly string[], { config, layers }: ImageParts): Promise<Descriptor | undefined> {
    const digest = digestOf(config)
    const isSame = (image: WholeImage) => image.config === digest && image.layers === layers.length
    this.#roots ??= this.#readRoots()
    const candidates = (await this.#roots).filter(({ images }) => images.some(isSame))
    const root =
      candidates.findLast(({ name }) => name !== undefined && names.includes(name)) ?? candidates[0]
    if (root === undefined) return undefined
    const forPlatforms = root.images.filter(({ descriptor }) => descriptor.platform?.os !== 'unknown')
    const isMeant = root.isWhole || forPlatforms.length > 1
    return this.layout.resolve(
      isMeant ? root.descriptor.digest : (root.images.find(isSame) ?? root).descriptor.digest,
    )
  }

  async #readRoots(): Promise<readonly Root[]> {
    const { manifests } = await this.#files.index()
    const roots: Root[] = []
    for (const entry of manifests ?? []) {
      if (!isDigest(entry.digest)) continue
      const descriptor = descriptorOfEntry(entry, this.#files.indexPath)
      const name = descriptor.annotations?.[imageNameKey]
      const holding = await this.#holdingOf(descriptor, 0)
      roots.push({ ...holding, descriptor, name: name === undefined ? undefined : fullName(name) })
    }
    return roots
  }

  #holdingOf(descriptor: Descriptor, depth: number): Promise<Holding> {
    const known = this.#holdings.get(descriptor.digest)
    if (known !== undefined) return known
    if (depth > deepest || this.#holdings.size >= mostManifests) {
      throw tarFault(
        this.#tar.name,
        `its indexes have more than ${mostManifests} manifests or ${deepest} levels`,
      )
    }
    const holding = this.#readHolding(descriptor, depth)
    this.#holdings.set(descriptor.digest, holding)
    return holding
  }

  async #readHolding(descriptor: Descriptor, depth: number): Promise<Holding> {
    if ((await this.layout.findBlob(descriptor.digest)) === undefined) return { images: [], isWhole: false }
    const manifest = await this.layout.getManifest(descriptor)
    if (manifest.kind === 'index') {
      const children: Holding[] = []
      for (const child of manifest.content.manifests) children.push(await this.#holdingOf(child, depth + 1))
      return {
        images: children.flatMap(({ images }) => images),
        isWhole: children.every(({ isWhole }) => isWhole),
      }
    }
    for (const blob of childBlobs(manifest)) {
      if (!(await this.#hasBlob(blob))) return { images: [], isWhole: false }
    }
    if (manifest.kind !== 'image') return { images: [], isWhole: true }
    const { config, layers } = manifest.content
    const platform = descriptor.platform
    const image = {
      descriptor: { ...descriptorOf(manifest), platform },
      config: config.digest,
      layers: layers.length,
    }
    return { images: [image], isWhole: true }
  }

  /** What is elsewhere need not be here. */
  async #hasBlob({ digest, size, mediaType }: Descriptor): Promise<boolean> {
    return isForeignLayerType(mediaType) || (await this.layout.findBlob(digest))?.size === size
  }
}

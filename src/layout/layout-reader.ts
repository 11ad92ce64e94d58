import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { BlobRange, ImageSource, TagOrDigest } from '../image-store.ts'
import { verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { IndexDocument } from './index-document.ts'
import { descriptorOfEntry, type IndexEntry, refNameOf } from './index-entries.ts'
import type { LayoutFiles } from './layout-files.ts'
import { describeManifest, type ManifestBlob, readManifest } from './manifest-blob.ts'

/** What is read from an OCI image layout, wherever its files are. Tags are the entries' `org.opencontainers.image.ref.name`. */
export class LayoutReader implements ImageSource {
  readonly name: string
  readonly #files: LayoutFiles

  /** @param name what the layout is called in messages */
  constructor(name: string, files: LayoutFiles) {
    this.name = name
    this.#files = files
  }

  async resolve(reference: TagOrDigest): Promise<Descriptor> {
    const entries = await this.#entries()
    // Programs that only append leave old entries of a tag behind; the last is the newest.
    const entry = entries.findLast(
      isDigest(reference) ? entry => entry.digest === reference : entry => refNameOf(entry) === reference,
    )
    if (entry !== undefined) return this.#describe(entry)
    if (isDigest(reference)) return describeManifest(this.#manifestBlob(reference))
    throw new DrayError('NOT_FOUND', `${this.name}: there is no tag "${reference}"`)
  }

  async getManifest(descriptor: Descriptor): Promise<Manifest> {
    return readManifest(this.#manifestBlob(descriptor.digest, descriptor.mediaType))
  }

  /** A manifest by tag or digest. */
  async readManifest(reference: TagOrDigest): Promise<Manifest> {
    return this.getManifest(await this.resolve(reference))
  }

  /** A blob's size by its digest; undefined when it is not there. */
  async findBlob(digest: Digest): Promise<Descriptor | undefined> {
    const size = await this.#files.blobs.size(digest)
    return size === undefined ? undefined : { mediaType: 'application/octet-stream', digest, size }
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    const { digest } = descriptor
    const { blobs } = this.#files
    if ((await blobs.size(digest)) === undefined) throw this.#missing(digest)
    if (range !== undefined) return blobs.read(digest, range)
    return verified(blobs.read(digest), descriptor, `${this.name}: blob ${digest}`)
  }

  /** What index.json holds; of a layout that is opened with a cache the same object as long as the file stays the same. */
  index(): Promise<IndexDocument> {
    return this.#files.index()
  }

  /** The tags, in order of their characters. */
  async listTags(): Promise<string[]> {
    const tags = (await this.#entries()).map(refNameOf).filter(tag => tag !== undefined)
    return [...new Set(tags)].sort()
  }

  /** The tags that stand for a digest. */
  async tagsOf(digest: Digest): Promise<string[]> {
    const own = (await this.#entries()).filter(entry => entry.digest === digest)
    return own.map(refNameOf).filter(tag => tag !== undefined)
  }

  /** The manifests that index.json lists, each once. */
  async listManifests(): Promise<Descriptor[]> {
    return [...new Map((await this.listEntries()).map(entry => [entry.digest, entry])).values()]
  }

  /** The entries of index.json, in its order and with their annotations; those with an unknown digest algorithm left out. */
  async listEntries(): Promise<Descriptor[]> {
    const known = (await this.#entries()).filter(({ digest }) => isDigest(digest))
    return known.map(entry => descriptorOfEntry(entry, this.#files.indexPath))
  }

  /**
   * The digest of the only image that index.json lists.
   * @throws DrayError `NOT_FOUND` when there is none, `USAGE` when there are several
   */
  async soleReference(): Promise<Digest> {
    const [sole, ...others] = await this.listManifests()
    if (sole === undefined) throw new DrayError('NOT_FOUND', `${this.name}: the layout holds no image`)
    if (others.length === 0) return sole.digest
    const tags = await this.listTags()
    const hint = tags.length > 0 ? `name one of its tags: ${tags.slice(0, 10).join(', ')}` : 'name a digest'
    throw new DrayError('USAGE', `${this.name}: the layout holds ${others.length + 1} images`, { hint })
  }

  async #entries(): Promise<readonly IndexEntry[]> {
    return (await this.index()).manifests ?? []
  }

  async #describe(entry: IndexEntry): Promise<Descriptor> {
    const { mediaType, digest, size } = descriptorOfEntry(entry, this.#files.indexPath)
    if ((await this.#files.blobs.size(digest)) === undefined) throw this.#missing(digest)
    return mediaType === '' ? describeManifest(this.#manifestBlob(digest)) : { mediaType, digest, size }
  }

  #manifestBlob(digest: Digest, mediaType?: string): ManifestBlob {
    return { blobs: this.#files.blobs, digest, mediaType, name: `${this.name}@${digest}` }
  }

  #missing(digest: Digest): DrayError {
    return new DrayError('NOT_FOUND', `${this.name}: there is no blob ${digest}`)
  }
}

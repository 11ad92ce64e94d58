import { stat } from 'node:fs/promises'
import { DrayError } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import type { Chunks } from '../flow.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import { verified } from '../oci/content.ts'
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { childManifests, descriptorOf, type Manifest } from '../oci/manifest.ts'
import { BlobStore } from './blob-store.ts'
import { checkRefName, type IndexEntry, listManifest, refNameOf, removeTag } from './index-entries.ts'
import { IndexFile } from './index-file.ts'
import { KeyedLock } from './keyed-lock.ts'
import { isLayout, writeLayoutFile } from './layout-file.ts'
import { describeManifest, type ManifestBlob, readManifest } from './manifest-blob.ts'

/** How a layout is opened. */
export interface OpenLayoutOptions {
  /** A folder that is no layout yet becomes one with the first write. */
  readonly create?: boolean | undefined
  /** Keep a manifest listed, without a tag, when its last tag moves or is deleted, as a registry does. */
  readonly keepUntagged?: boolean | undefined
  /** Shared by all who write to the same folder in this process; without it the layout is taken to be the only one. */
  readonly locks?: KeyedLock | undefined
}

/**
 * Opens an OCI image layout directory (image-spec v1.1, image-layout.md). Nothing is written by opening.
 * @throws DrayError `NOT_FOUND` without `create`, `UNSUPPORTED` for another layout version, `INTEGRITY`, `IO`
 */
export async function openLayout(dir: string, options: OpenLayoutOptions = {}): Promise<Layout> {
  const isThere = await isLayout(dir)
  if (!isThere && options.create !== true) await failNoLayout(dir)
  return new Layout(dir, isThere, options)
}

/** An OCI image layout directory as an image store. Tags are the entries' `org.opencontainers.image.ref.name`. */
export class Layout implements ImageSource, ImageDestination {
  readonly name: string
  readonly verifiesBlobs = true
  readonly dir: string
  /** The blobs, for those who bring content of their own; `create` comes before a write. */
  readonly blobs: BlobStore
  readonly #index: IndexFile
  readonly #keepUntagged: boolean
  #isThere: boolean

  /** For `openLayout`, which looks before. */
  constructor(dir: string, isThere: boolean, options: OpenLayoutOptions) {
    this.name = `oci:${dir}`
    this.dir = dir
    this.blobs = new BlobStore(dir, this.name)
    this.#index = new IndexFile(dir, options.locks ?? new KeyedLock())
    this.#keepUntagged = options.keepUntagged ?? false
    this.#isThere = isThere
  }

  /** Writes what makes the folder a layout, where it is missing. */
  async create(): Promise<void> {
    if (this.#isThere) return
    await makeFolder(this.dir)
    await this.#index.create()
    await writeLayoutFile(this.dir)
    this.#isThere = true
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

  find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    return ifThere(this.resolve(reference))
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
    const size = await this.blobs.size(digest)
    return size === undefined ? undefined : { mediaType: 'application/octet-stream', digest, size }
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    const { digest } = descriptor
    if ((await this.blobs.size(digest)) === undefined) throw this.#missing(digest)
    if (range !== undefined) return this.blobs.read(digest, range)
    return verified(this.blobs.read(digest), descriptor, `${this.name}: blob ${digest}`)
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return (await this.blobs.size(descriptor.digest)) === descriptor.size
  }

  async putBlob(
    descriptor: Descriptor,
    open: OpenContent,
    options: PutBlobOptions = {},
  ): Promise<PutBlobResult> {
    if (await this.hasBlob(descriptor)) return 'present'
    await this.create()
    const { digest, size } = descriptor
    await this.blobs.write({ digest, size, signal: options.signal }, open)
    return 'copied'
  }

  /**
   * Stores a manifest. With `tags` it is an image of its own and listed in index.json: under each tag, or without one
   * where the array is empty. Without `tags` it is a child that its parent leads to, and only a blob, unless it has a
   * `subject`: to what refers to another nothing leads but the index.
   */
  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    tags?.forEach(checkRefName)
    await this.create()
    const { digest, bytes } = manifest
    await this.blobs.write({ digest, size: bytes.length }, async start => only(bytes.subarray(start)))
    const listed = tags ?? (manifest.content.subject === undefined ? undefined : [])
    if (listed === undefined) return
    await this.#index.update(async entries =>
      listManifest(await this.#withoutChildren(manifest, entries), descriptorOf(manifest), {
        tags: listed,
        keepUntagged: this.#keepUntagged,
      }),
    )
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
    const listed = new Map<Digest, Descriptor>()
    for (const entry of await this.#entries()) {
      if (isDigest(entry.digest)) listed.set(entry.digest, this.#parseEntry(entry))
    }
    return [...listed.values()]
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

  /**
   * Removes a tag; the manifest's blob stays.
   * @throws DrayError `NOT_FOUND`
   */
  async deleteTag(tag: string): Promise<void> {
    await this.#index.update(entries => {
      if (entries.some(entry => refNameOf(entry) === tag)) {
        return removeTag(entries, tag, { keepUntagged: this.#keepUntagged })
      }
      throw new DrayError('NOT_FOUND', `${this.name}: there is no tag "${tag}"`)
    })
  }

  /**
   * Removes a manifest and with it all its tags; what it refers to stays.
   * @throws DrayError `NOT_FOUND`, also when the digest is that of a blob which is no manifest
   */
  async deleteManifest(digest: Digest): Promise<void> {
    await this.#index.update(async entries => {
      const rest = entries.filter(entry => entry.digest !== digest)
      if (rest.length === entries.length) await describeManifest(this.#manifestBlob(digest))
      return rest
    })
    await this.blobs.delete(digest)
  }

  async #entries(): Promise<readonly IndexEntry[]> {
    return this.#isThere ? this.#index.entries() : []
  }

  async #describe(entry: IndexEntry): Promise<Descriptor> {
    const { mediaType, digest, size } = this.#parseEntry(entry)
    if ((await this.blobs.size(digest)) === undefined) throw this.#missing(digest)
    return mediaType === '' ? describeManifest(this.#manifestBlob(digest)) : { mediaType, digest, size }
  }

  #parseEntry(entry: IndexEntry): Descriptor {
    const result = descriptorSchema.safeParse({ ...entry, annotations: entry.annotations ?? undefined })
    if (result.success) return result.data
    const where = result.error.issues[0]?.path.map(String).join('.')
    throw new DrayError(
      'INTEGRITY',
      `${this.dir}/index.json: the entry of ${entry.digest} is malformed at "${where}"`,
    )
  }

  /** Leaves out entries without a tag that the index now leads to and that say nothing which would be lost. */
  async #withoutChildren(parent: Manifest, entries: readonly IndexEntry[]): Promise<IndexEntry[]> {
    const children = new Set<string>(childManifests(parent).map(child => child.digest))
    const rest: IndexEntry[] = []
    for (const entry of entries) {
      const isChild = children.has(entry.digest) && refNameOf(entry) === undefined
      if (!isChild || !(await this.#isPlainChild(entry))) rest.push(entry)
    }
    return rest
  }

  async #isPlainChild(entry: IndexEntry): Promise<boolean> {
    const { digest, mediaType } = this.#parseEntry(entry)
    if ((await this.blobs.size(digest)) === undefined) return false
    const manifest = await readManifest(this.#manifestBlob(digest))
    return manifest.content.subject === undefined && manifest.mediaType === mediaType
  }

  #manifestBlob(digest: Digest, mediaType?: string): ManifestBlob {
    return { blobs: this.blobs, digest, mediaType, name: `${this.name}@${digest}` }
  }

  #missing(digest: Digest): DrayError {
    return new DrayError('NOT_FOUND', `${this.name}: there is no blob ${digest}`)
  }
}

async function failNoLayout(dir: string): Promise<never> {
  await onDisk(dir, stat(dir))
  throw new DrayError('NOT_FOUND', `${dir}: not an OCI image layout, there is no oci-layout file`)
}

async function* only(bytes: Uint8Array): Chunks {
  yield bytes
}

import { stat } from 'node:fs/promises'
import { DrayError } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import type { StagedFile } from '../files/staged-file.ts'
import type { Chunks } from '../flow.ts'
import type {
  ImageDestination,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { childManifests, descriptorOf, type Manifest } from '../oci/manifest.ts'
import type { BlobStatus, BlobStore } from './blob-store.ts'
import { descriptorOfEntry, type IndexEntry, listManifest, refNameOf, removeTag } from './index-entries.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LayoutCache } from './layout-cache.ts'
import { isLayout } from './layout-file.ts'
import type { LayoutFiles } from './layout-files.ts'
import { LayoutFolder } from './layout-folder.ts'
import { LayoutReader } from './layout-reader.ts'
import { checkRefName } from './ref-name.ts'

/** How a layout is opened. */
export interface OpenLayoutOptions {
  /** A folder that is no layout yet becomes one with the first write. */
  readonly create?: boolean | undefined
  /** Keep a manifest listed, without a tag, when its last tag moves or is deleted, as a registry does. */
  readonly keepUntagged?: boolean | undefined
  /** Shared by all who write to the same folder in this process; without it the layout is taken to be the only one. */
  readonly locks?: KeyedLock | undefined
  /** Remembers what the layout's small files say; for those who open it again and again. */
  readonly cache?: LayoutCache | undefined
}

/**
 * Opens an OCI image layout directory (image-spec v1.1, image-layout.md). Nothing is written by opening.
 * @throws DrayError `NOT_FOUND` without `create`, `UNSUPPORTED` for another layout version, `INTEGRITY`, `IO`
 */
export async function openLayout(dir: string, options: OpenLayoutOptions = {}): Promise<Layout> {
  const { locks, cache } = options
  const isThere = await (cache?.isLayout(dir) ?? isLayout(dir))
  if (!isThere && options.create !== true) await failNoLayout(dir)
  const name = `oci:${dir}`
  const folder = new LayoutFolder(dir, { name, isThere, locks, cache })
  return new Layout(folder, { name, keepUntagged: options.keepUntagged })
}

/** How a layout's folder becomes a store. */
export interface LayoutOptions {
  /** What the layout is called in messages. */
  readonly name: string
  readonly keepUntagged?: boolean | undefined
  /** Where to read; the folder when absent. */
  readonly files?: LayoutFiles | undefined
}

/** What comes with a manifest that is stored. */
export interface PutManifestOptions {
  /**
   * Looks at what the manifest refers to, and throws where it must not be listed. What it has found there (see
   * `BlobStore.use`) is there when the manifest is listed: nobody collects garbage in between.
   */
  readonly check?: (() => Promise<void>) | undefined
}

/** An OCI image layout directory as an image store. */
export class Layout extends LayoutReader implements ImageDestination {
  readonly verifiesBlobs = true
  readonly dir: string
  /** The blobs, for those who bring content of their own; `create` comes before a write. */
  readonly blobs: BlobStore
  readonly #folder: LayoutFolder
  readonly #keepUntagged: boolean

  /** For `openLayout`, which looks before. */
  constructor(folder: LayoutFolder, { name, keepUntagged = false, files = folder }: LayoutOptions) {
    super(name, files)
    this.dir = folder.dir
    this.blobs = folder.blobs
    this.#folder = folder
    this.#keepUntagged = keepUntagged
  }

  /** Writes what makes the folder a layout, where it is missing. */
  async create(): Promise<void> {
    await this.#folder.create()
  }

  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    // Who finds a manifest here brings nothing of what it refers to.
    if (isDigest(reference)) await this.blobs.use(reference)
    return ifThere(this.resolve(reference))
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    const found = (await this.blobs.use(digest)) ?? (await this.findBlob(digest))?.size
    return found === size
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
  async putManifest(
    manifest: Manifest,
    tags?: readonly string[],
    { check }: PutManifestOptions = {},
  ): Promise<void> {
    tags?.forEach(checkRefName)
    // Nothing is made for what is refused.
    if (!this.#folder.isThere) await check?.()
    await this.create()
    const listed = tags ?? (manifest.content.subject === undefined ? undefined : [])
    if (listed === undefined) {
      await using blob = this.#stageManifest(manifest)
      return await blob.putInPlace()
    }
    const change = async (entries: readonly IndexEntry[]) =>
      listManifest(await this.#withoutChildren(manifest, entries), descriptorOf(manifest), {
        tags: listed,
        keepUntagged: this.#keepUntagged,
      })
    // While others have the index, it is written but for its name.
    await using blob = this.#stageManifest(manifest)
    await this.#folder.indexFile.update(change, async () => {
      await check?.()
      // Not before the index is ours alone: who deletes the manifest now would take the blob along.
      await blob.putInPlace()
    })
  }

  /**
   * Removes a tag; the manifest's blob stays.
   * @throws DrayError `NOT_FOUND`
   */
  async deleteTag(tag: string): Promise<void> {
    await this.#folder.indexFile.update(entries => {
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
    await this.#folder.indexFile.exclusively(async (entries, replace) => {
      const rest = entries.filter(entry => entry.digest !== digest)
      if (rest.length === entries.length) await this.resolve(digest)
      await replace(rest)
      await this.blobs.delete(digest)
    })
  }

  /**
   * Removes blobs, and of those that are manifests what the index says of them, unless somebody has used them since they
   * were seen. Few at a time: nobody else can write to the index meanwhile.
   * @returns what was removed
   * @throws DrayError `IO`, `TIMEOUT`
   */
  async removeUnused(seen: readonly BlobStatus[]): Promise<readonly BlobStatus[]> {
    return this.#folder.indexFile.exclusively(async (entries, replace) => {
      const removed: BlobStatus[] = []
      for (const status of seen) {
        const gone = await this.blobs.deleteUnused(status)
        if (gone !== undefined) removed.push(gone)
      }
      const digests = new Set<string>(removed.map(({ digest }) => digest))
      const rest = entries.filter(({ digest }) => !digests.has(digest))
      if (rest.length < entries.length) await replace(rest)
      return removed
    })
  }

  #stageManifest({ digest, bytes }: Manifest): StagedFile {
    return this.blobs.stage({ digest, size: bytes.length }, async start => only(bytes.subarray(start)))
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
    const descriptor = descriptorOfEntry(entry, this.#folder.indexPath)
    if ((await this.findBlob(descriptor.digest)) === undefined) return false
    const { mediaType, content } = await this.getManifest({ ...descriptor, mediaType: '' })
    return content.subject === undefined && mediaType === descriptor.mediaType
  }
}

async function failNoLayout(dir: string): Promise<never> {
  await onDisk(dir, stat(dir))
  throw new DrayError('NOT_FOUND', `${dir}: not an OCI image layout, there is no oci-layout file`)
}

async function* only(bytes: Uint8Array): Chunks {
  yield bytes
}

import { join } from 'node:path'
import { ifThere } from '../../files/io-error.ts'
import { KeyedLock } from '../../layout/keyed-lock.ts'
import { type Layout, openLayout } from '../../layout/layout.ts'
import { LayoutCache } from '../../layout/layout-cache.ts'
import type { Digest } from '../../oci/digest.ts'
import { RegistryFault } from '../errors.ts'
import type { Collection, CollectOptions } from '../garbage/collect.ts'
import { Bundle } from './bundle.ts'
import { referrersIn, tagsOf } from './listings.ts'
import { ManifestCache } from './manifest-cache.ts'
import { PerIndex } from './per-index.ts'
import { folderNames, repositoryFolders, repositoryNameFault } from './repository-folders.ts'
import { SendingBlobs } from './sending-blobs.ts'
import { SharedBlobs } from './shared-blobs.ts'
import { UploadStore } from './upload-store.ts'

/** What a folder is served by. */
export interface StorageOptions {
  /** The folder is one layout with images of many repositories, which is only read. */
  readonly isBundle?: boolean | undefined
  /** Refuse all that writes or deletes; not even the files' times change. What mirrors fetch is kept all the same. */
  readonly readOnly?: boolean | undefined
  /** Refuse a manifest that refers to blobs which are not there; else the answer warns of them. */
  readonly requireBlobs?: boolean | undefined
  /** Now, in milliseconds since 1970. */
  readonly clock?: (() => number) | undefined
}

/**
 * The folder that the registry serves: each repository is an OCI layout of its own at `DIR/<repository>`. Unfinished
 * uploads are in `DIR/_uploads` and what repositories share in `DIR/_blobs`, names that no repository can have. Or the
 * folder is one layout of many repositories, to be read only.
 */
export class Storage {
  readonly uploads: UploadStore
  readonly sharedBlobs: SharedBlobs
  readonly sending = new SendingBlobs()
  readonly manifests = new ManifestCache()
  readonly tags = new PerIndex(tagsOf)
  readonly referrers = new PerIndex(layout => referrersIn(layout, this.manifests))
  readonly requireBlobs: boolean
  readonly #dir: string
  readonly #locks = new KeyedLock()
  readonly #cache: LayoutCache
  readonly #bundle: Bundle | undefined
  readonly #readOnly: boolean

  constructor(dir: string, options: StorageOptions = {}) {
    const { isBundle = false, readOnly = isBundle, requireBlobs = false, clock } = options
    this.#cache = new LayoutCache(clock)
    this.#bundle = isBundle ? new Bundle(dir, this.#cache) : undefined
    this.#dir = dir
    this.#readOnly = readOnly
    this.requireBlobs = requireBlobs
    this.uploads = new UploadStore(join(dir, folderNames.uploads), this.#locks)
    this.sharedBlobs = new SharedBlobs(join(dir, folderNames.sharedBlobs), this.#locks)
  }

  /** @throws RegistryFault `NAME_UNKNOWN` */
  async open(repository: string): Promise<Layout> {
    const layout = await this.find(repository)
    if (layout !== undefined) return layout
    throw new RegistryFault('NAME_UNKNOWN', `there is no repository ${repository}`)
  }

  async find(repository: string): Promise<Layout | undefined> {
    if (this.#bundle === undefined) return ifThere(this.#openLayout(repository, false))
    checkRepository(repository)
    return this.#bundle.find(repository)
  }

  /** Opens a repository that may not be there yet; its first write makes it. */
  async openToWrite(repository: string): Promise<Layout> {
    return this.#openLayout(repository, true)
  }

  /**
   * The size of a blob that a client is told of and may rely on from now on: no collector takes it away before the client
   * had the time to push what refers to it.
   */
  use(layout: Layout, digest: Digest): Promise<number | undefined> {
    return this.#readOnly ? layout.blobs.size(digest) : layout.blobs.use(digest)
  }

  /** The names of all repositories, in order of their characters. */
  async repositories(): Promise<string[]> {
    if (this.#bundle !== undefined) return this.#bundle.repositories()
    const found: string[] = []
    for await (const name of repositoryFolders(this.#dir)) {
      if (await this.#cache.isLayout(join(this.#dir, name))) found.push(name)
    }
    return found.sort()
  }

  /** A repository that has a blob, of those that `fits` lets through; whichever is found first. */
  async findWithBlob(digest: Digest, fits: (repository: string) => boolean): Promise<Layout | undefined> {
    for await (const name of repositoryFolders(this.#dir)) {
      if (!fits(name)) continue
      const layout = await this.find(name)
      if ((await layout?.blobs.size(digest)) !== undefined) return layout
    }
    return undefined
  }

  /** As `collectGarbage`. @throws DrayError `IO`, `ABORTED` */
  async collectGarbage(options: CollectOptions): Promise<Collection> {
    const { collectRegistry } = await import('../garbage/collect.ts')
    return collectRegistry(this.#dir, { ...options, locks: this.#locks })
  }

  #openLayout(repository: string, create: boolean): Promise<Layout> {
    checkRepository(repository)
    return openLayout(join(this.#dir, repository), {
      create,
      keepUntagged: true,
      locks: this.#locks,
      cache: this.#cache,
    })
  }
}

/** @throws RegistryFault `NAME_INVALID` */
export function checkRepository(name: string): void {
  const fault = repositoryNameFault(name)
  if (fault !== undefined) throw new RegistryFault('NAME_INVALID', `invalid repository name: ${fault}`)
}

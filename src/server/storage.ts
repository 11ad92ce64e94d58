import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, onDisk } from '../files/io-error.ts'
import { KeyedLock } from '../layout/keyed-lock.ts'
import { type Layout, openLayout } from '../layout/layout.ts'
import { LayoutCache } from '../layout/layout-cache.ts'
import type { Digest } from '../oci/digest.ts'
import { repositoryFault } from '../oci/reference.ts'
import { Bundle } from './bundle.ts'
import { RegistryFault } from './errors.ts'
import { referrersIn, tagsOf } from './listings.ts'
import { ManifestCache } from './manifest-cache.ts'
import { PerIndex } from './per-index.ts'
import { UploadStore } from './upload-store.ts'

/** The names that a layout's own files have; as a part of a repository's name they would collide with them. */
const layoutNames: readonly string[] = ['blobs', 'index.json', 'oci-layout']

/** What a folder is served by. */
export interface StorageOptions {
  /** The folder is one layout with images of many repositories, which is only read. */
  readonly isBundle?: boolean | undefined
  /** Refuse a manifest that refers to blobs which are not there; else the answer warns of them. */
  readonly requireBlobs?: boolean | undefined
  /** Now, in milliseconds since 1970. */
  readonly clock?: (() => number) | undefined
}

/**
 * The folder that the registry serves: each repository is an OCI layout of its own at `DIR/<repository>`, and
 * unfinished uploads are in `DIR/_uploads`, a name that no repository can have. Or the folder is one layout of many
 * repositories, to be read only.
 */
export class Storage {
  readonly uploads: UploadStore
  readonly manifests = new ManifestCache()
  readonly tags = new PerIndex(tagsOf)
  readonly referrers = new PerIndex(layout => referrersIn(layout, this.manifests))
  readonly requireBlobs: boolean
  readonly #dir: string
  readonly #locks = new KeyedLock()
  readonly #cache: LayoutCache
  readonly #bundle: Bundle | undefined

  constructor(dir: string, { isBundle = false, requireBlobs = false, clock }: StorageOptions = {}) {
    this.#cache = new LayoutCache(clock)
    this.#bundle = isBundle ? new Bundle(dir, this.#cache) : undefined
    this.#dir = dir
    this.requireBlobs = requireBlobs
    this.uploads = new UploadStore(join(dir, '_uploads'), this.#locks)
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

  /** The names of all repositories, in order of their characters. */
  async repositories(): Promise<string[]> {
    if (this.#bundle !== undefined) return this.#bundle.repositories()
    const found: string[] = []
    for await (const name of this.#walk('')) {
      if (await this.#cache.isLayout(join(this.#dir, name))) found.push(name)
    }
    return found.sort()
  }

  /** A repository that has a blob, of those that `fits` lets through; whichever is found first. */
  async findWithBlob(digest: Digest, fits: (repository: string) => boolean): Promise<Layout | undefined> {
    for await (const name of this.#walk('')) {
      if (!fits(name)) continue
      const layout = await this.find(name)
      if ((await layout?.blobs.size(digest)) !== undefined) return layout
    }
    return undefined
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

  /** The folders that could be repositories. */
  async *#walk(prefix: string): AsyncGenerator<string> {
    const folder = join(this.#dir, prefix)
    // Not there any more, perhaps.
    for (const entry of (await ifThere(onDisk(folder, readdir(folder, { withFileTypes: true })))) ?? []) {
      const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      if (!entry.isDirectory() || repositoryNameFault(name) !== undefined) continue
      yield name
      yield* this.#walk(name)
    }
  }
}

/** @throws RegistryFault `NAME_INVALID` */
export function checkRepository(name: string): void {
  const fault = repositoryNameFault(name)
  if (fault !== undefined) throw new RegistryFault('NAME_INVALID', `invalid repository name: ${fault}`)
}

function repositoryNameFault(name: string): string | undefined {
  const taken = name.split('/').find(component => layoutNames.includes(component))
  return taken === undefined ? repositoryFault(name) : `"${taken}" is a name that this registry needs itself`
}

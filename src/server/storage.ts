import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, onDisk } from '../files/io-error.ts'
import { KeyedLock } from '../layout/keyed-lock.ts'
import { type Layout, openLayout } from '../layout/layout.ts'
import { isLayout } from '../layout/layout-file.ts'
import { repositoryFault } from '../oci/reference.ts'
import { RegistryFault } from './errors.ts'
import { UploadStore } from './upload-store.ts'

/** The names that a layout's own files have; as a part of a repository's name they would collide with them. */
const layoutNames: readonly string[] = ['blobs', 'index.json', 'oci-layout']

/**
 * The folder that the registry serves: each repository is an OCI layout of its own at `DIR/<repository>`, and
 * unfinished uploads are in `DIR/_uploads`, a name that no repository can have.
 */
export class Storage {
  readonly uploads: UploadStore
  readonly #dir: string
  readonly #locks = new KeyedLock()

  constructor(dir: string) {
    this.#dir = dir
    this.uploads = new UploadStore(join(dir, '_uploads'), this.#locks)
  }

  /** @throws RegistryFault `NAME_UNKNOWN` */
  async open(repository: string): Promise<Layout> {
    const layout = await this.find(repository)
    if (layout !== undefined) return layout
    throw new RegistryFault('NAME_UNKNOWN', `there is no repository ${repository}`)
  }

  async find(repository: string): Promise<Layout | undefined> {
    return ifThere(this.#openLayout(repository, false))
  }

  /** Opens a repository that may not be there yet; its first write makes it. */
  async openToWrite(repository: string): Promise<Layout> {
    return this.#openLayout(repository, true)
  }

  /** The names of all repositories, in order of their characters. */
  async repositories(): Promise<string[]> {
    const found: string[] = []
    await this.#collect('', found)
    return found.sort()
  }

  #openLayout(repository: string, create: boolean): Promise<Layout> {
    checkRepository(repository)
    return openLayout(join(this.#dir, repository), { create, keepUntagged: true, locks: this.#locks })
  }

  async #collect(prefix: string, found: string[]): Promise<void> {
    const folder = join(this.#dir, prefix)
    for (const entry of await onDisk(folder, readdir(folder, { withFileTypes: true }))) {
      const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      if (!entry.isDirectory() || repositoryNameFault(name) !== undefined) continue
      if (await isLayout(join(this.#dir, name))) found.push(name)
      await this.#collect(name, found)
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

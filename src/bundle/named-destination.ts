import type {
  ImageDestination,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'

/**
 * One repository's images in a layout that holds those of many: in the place of tags stand names in full. What has no tag
 * is named by its digest, so that its repository is known.
 */
export class NamedDestination implements ImageDestination {
  readonly name: string
  readonly verifiesBlobs: boolean
  readonly #store: ImageDestination
  readonly #repository: string

  /** @param repository with its registry: `docker.io/library/alpine` */
  constructor(store: ImageDestination, repository: string) {
    this.name = `${store.name}:${repository}`
    this.verifiesBlobs = store.verifiesBlobs ?? false
    this.#store = store
    this.#repository = repository
  }

  find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    return this.#store.find(isDigest(reference) ? reference : this.#nameWith(reference))
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#store.hasBlob(descriptor)
  }

  putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult> {
    return this.#store.putBlob(descriptor, open, options)
  }

  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    const byDigest = `${this.#repository}@${manifest.digest}`
    const names = tags?.length === 0 ? [byDigest] : tags?.map(tag => this.#nameWith(tag))
    await this.#store.putManifest(manifest, names)
  }

  async finish(): Promise<void> {
    await this.#store.finish?.()
  }

  #nameWith(tag: string): string {
    return `${this.#repository}:${tag}`
  }
}

import { isDrayError } from '../errors.ts'
import type {
  ImageDestination,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Layout } from '../layout/layout.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/manifest.ts'

/**
 * A destination whose blobs go through a folder that keeps them, so that a blob travels once however often it is wanted.
 * What comes from there is verified as it is used, and fetched again where it is damaged. The folder is an OCI layout of
 * which only the blobs are used.
 */
export class CachedDestination implements ImageDestination {
  readonly name: string
  readonly verifiesBlobs = true
  readonly #store: ImageDestination
  readonly #cache: Layout

  constructor(store: ImageDestination, cache: Layout) {
    this.name = store.name
    this.#store = store
    this.#cache = cache
  }

  find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    return this.#store.find(reference)
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#store.hasBlob(descriptor)
  }

  /** A blob that was kept is `mounted`: its bytes did not travel. */
  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult> {
    if (await this.#store.hasBlob(descriptor)) return 'present'
    if (await this.#cache.hasBlob(descriptor)) {
      if (await this.#takeKept(descriptor, options)) return 'mounted'
      await this.#cache.blobs.delete(descriptor.digest)
    }
    await this.#cache.putBlob(descriptor, open, options)
    await this.#putKept(descriptor, options)
    return 'copied'
  }

  putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    return this.#store.putManifest(manifest, tags)
  }

  async finish(): Promise<void> {
    await this.#store.finish?.()
  }

  /** False where what was kept is not the blob any more. */
  async #takeKept(descriptor: Descriptor, options?: PutBlobOptions): Promise<boolean> {
    try {
      await this.#putKept(descriptor, options)
      return true
    } catch (error) {
      if (isDrayError(error, 'INTEGRITY', 'NOT_FOUND')) return false
      throw error
    }
  }

  async #putKept(descriptor: Descriptor, options?: PutBlobOptions): Promise<void> {
    const open: OpenContent = (start = 0) =>
      this.#cache.getBlob(descriptor, { start, signal: options?.signal })
    await this.#store.putBlob(descriptor, open, options)
  }
}

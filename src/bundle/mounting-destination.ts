import type {
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'

/** A repository. */
export type MountableStore = ImageSource & ImageDestination

/** Where blobs were put before, by their digests. */
export type PlacesOfBlobs = Map<Digest, MountableStore>

/** One of several repositories that images go to, which takes blobs from those that got them before. */
export class MountingDestination implements ImageDestination {
  readonly name: string
  readonly #store: MountableStore
  readonly #places: PlacesOfBlobs

  /** @param places shared by all those repositories */
  constructor(store: MountableStore, places: PlacesOfBlobs) {
    this.name = store.name
    this.#store = store
    this.#places = places
  }

  find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    return this.#store.find(reference)
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#store.hasBlob(descriptor)
  }

  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult> {
    const { digest } = descriptor
    const mountFrom = this.#places.get(digest)
    const result = await this.#store.putBlob(descriptor, open, { ...options, mountFrom })
    this.#places.set(digest, mountFrom ?? this.#store)
    return result
  }

  putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    return this.#store.putManifest(manifest, tags)
  }
}

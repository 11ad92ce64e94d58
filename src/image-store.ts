import type { Chunks } from './flow.ts'
import type { Descriptor } from './oci/descriptor.ts'
import type { Digest } from './oci/digest.ts'
import type { Manifest } from './oci/manifest.ts'

/** A tag or a digest within one repository or layout. */
export type TagOrDigest = string | Digest

/** The bytes of a blob from `start` (inclusive, in bytes) to its end. */
export interface BlobRange {
  readonly start: number
  /** Ends the reading, so that one which hangs does not have to be waited for. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens a blob's content, from its first byte or from `start` (inclusive, in bytes); may be called again after a failure.
 * All that is given out together is verified, unless the store does that itself (`verifiesBlobs`). A store that holds
 * a part of the blob from an earlier run asks for a `start` at once.
 */
export type OpenContent = (start?: number) => Promise<Chunks>

/** Where images come from: a registry's repository, a layout, an archive. */
export interface ImageSource {
  /** What this is called in messages: `ghcr.io/org/app`, `oci:./dir`. */
  readonly name: string

  /**
   * Turns a tag or digest into a descriptor. The descriptor's `size` and `mediaType` are as the store tells them.
   * @throws DrayError `NOT_FOUND`
   */
  resolve(reference: TagOrDigest): Promise<Descriptor>

  /**
   * A manifest by tag or digest at once: one request less than `resolve` with `getManifest`.
   * @throws DrayError `NOT_FOUND`, `INTEGRITY`
   */
  readManifest?(reference: TagOrDigest): Promise<Manifest>

  /** True where to read a manifest counts against a limit of the user's, and to resolve a reference does not. */
  readonly metersReads?: boolean

  /**
   * The exact bytes of a manifest, verified against the descriptor's digest.
   * @throws DrayError `NOT_FOUND`, `INTEGRITY`
   */
  getManifest(descriptor: Descriptor): Promise<Manifest>

  /**
   * The bytes of a blob. Without a range they are verified as they pass, and the last piece is only given out when the
   * digest is right. With a range, even one that starts at 0, they are not: who asks for a range verifies the whole.
   * @throws DrayError `NOT_FOUND`, `INTEGRITY`, `NETWORK`; the iteration throws them too
   */
  getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks>

  /** A blob's size by its digest alone; undefined when it is not there. A store that cannot tell does without. */
  findBlob?(digest: Digest): Promise<Descriptor | undefined>

  /**
   * Told that what `getBlob` gave is not what the descriptor says. True when it came from a place that is not asked for this
   * blob any more, so that to read it again, from its first byte, may help.
   */
  rejectBlob?(descriptor: Descriptor): boolean
}

/** How a blob came to be at the destination. */
export type PutBlobResult = 'copied' | 'mounted' | 'present'

/** Where images go to. */
export interface ImageDestination {
  /** What this is called in messages: `ghcr.io/org/app`, `oci:./dir`. */
  readonly name: string

  /** What the tag or digest stands for now, or undefined where it is absent or cannot be told. */
  find(reference: TagOrDigest): Promise<Descriptor | undefined>

  /** True when the blob is there; false when it is not, or when the store will not say. `putBlob` finds that out itself. */
  hasBlob(descriptor: Descriptor): Promise<boolean>

  /** True for a store that checks size and digest of each blob before it has a name, so that nobody has to do so before. */
  readonly verifiesBlobs?: boolean

  /**
   * Stores a blob. `open` may be called more than once, so a broken upload goes on, or starts again.
   * `mountFrom` names a source from which the store may take the blob without its bytes travelling.
   */
  putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult>

  /**
   * Stores a manifest under its digest and each of the tags. Its children must be there already. Without `tags` it is the
   * child of an index that comes later; with an empty array it is an image of its own that has no tag.
   */
  putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void>

  /** True when `putBlob` would take the blob from `source` without its bytes travelling. */
  canMountFrom?(source: ImageSource): boolean

  /**
   * Makes what was put there whole; after it nothing can be put. Called, once and after all else, by whoever opened the
   * destination. An archive appears only now, a folder of one image loses what is not of that image.
   */
  finish?(): Promise<void>
}

export interface PutBlobOptions {
  readonly mountFrom?: ImageSource | undefined
  /**
   * Ends the transfer; the store leaves no upload session open and nothing half-written under a final name. A layout keeps
   * the part of a large blob, to go on with.
   */
  readonly signal?: AbortSignal | undefined
}

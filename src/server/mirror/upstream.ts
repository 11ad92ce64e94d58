import type { ImageSource, TagOrDigest } from '../../image-store.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'

/** A repository of another registry, as far as it is needed to answer for it. The client's `Repository` is one. */
export interface Upstream extends ImageSource {
  readManifest(reference: TagOrDigest): Promise<Manifest>
  findBlob(digest: Digest): Promise<Descriptor | undefined>
  /** All tags, in any order. */
  tags(): AsyncIterable<string>
  /** The manifests that refer to one. */
  referrers(subject: Digest): AsyncIterable<Descriptor>
}

/** Another registry that is answered for. */
export interface MirroredRegistry {
  /** What its repositories have in front of their names here: `docker.io`. */
  readonly name: string
  /**
   * Opens one of its repositories, `library/alpine`: `path => registry.repository(path)`. Who is asked for content answers
   * soon and fails soon, so few retries and short waits suit it.
   */
  open(path: string): Upstream | Promise<Upstream>
  /** How long what a tag stands for is not asked again, in milliseconds; 30 seconds by default. */
  readonly freshMs?: number | undefined
  /** How long a client waits for an answer from there before it gets an older one, in milliseconds; 10 seconds by default. */
  readonly patienceMs?: number | undefined
}

/** What is kept of other registries' content. */
export interface MirrorLimits {
  /** Of all of it together, in bytes; any amount when absent. */
  readonly maxBytes?: number | undefined
  /** What nobody used for so long goes, in milliseconds; 30 days by default, `Infinity` keeps it. */
  readonly maxAgeMs?: number | undefined
}

/** What is counted of mirrors. */
export type MirrorEvent =
  | {
      readonly type: 'request'
      readonly mirror: string
      readonly kind: 'manifest' | 'blob'
      /** Whether it was there, had to be fetched, or was all that could be given while the upstream was away. */
      readonly result: 'hit' | 'miss' | 'stale'
    }
  | { readonly type: 'fetched'; readonly mirror: string; readonly bytes: number }
  | { readonly type: 'evicted'; readonly mirror: string; readonly bytes: number }

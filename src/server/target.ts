import type { MirroredRepository } from './mirror/repository.ts'

/** What the path of a request names. */
export interface Target {
  /** Checked; empty for endpoints of the whole registry. */
  readonly repository: string
  /** What the client calls it, which may be another name for a mirrored one. */
  readonly askedAs: string
  /** Of another registry, which is answered for. */
  readonly mirrored: MirroredRepository | undefined
  /** The tag, digest or upload behind the endpoint's name, decoded but not checked; empty where there is none. */
  readonly reference: string
}

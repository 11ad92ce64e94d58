import type { PartialFolder } from '../../layout/partial-folder.ts'
import type { Storage } from '../storage/storage.ts'
import type { MirrorEvent } from './upstream.ts'

/** What all mirrors of a server have. */
export interface MirrorSurroundings {
  readonly storage: Storage
  /** Where blobs are while they come. */
  readonly partials: PartialFolder
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
  /** Ends all downloads. */
  readonly signal: AbortSignal
  readonly onWarning?: ((message: string) => void) | undefined
  readonly onEvent?: ((event: MirrorEvent) => void) | undefined
}

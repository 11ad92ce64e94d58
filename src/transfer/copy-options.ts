import { DrayError } from '../errors.ts'
import type { ImageDestination, ImageSource, TagOrDigest } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Platform } from '../oci/platform.ts'
import { tagFault } from '../oci/reference.ts'
import type { OnTransferEvent } from './events.ts'
import { rateLimit } from './rate-limit.ts'
import { defaultRetries, defaultSleep, type Retry, type Sleep } from './read-blob.ts'

export interface CopyOptions {
  readonly source: ImageSource
  /** What to copy from the source. */
  readonly from: TagOrDigest
  readonly destination: ImageDestination
  /** The tags to write; with none the image is only there under its digest. */
  readonly tags: readonly string[]
  /** What `from` must stand for; checked before anything is written. */
  readonly expectedDigest?: Digest | undefined
  /** The digest that the copied image must have at the destination; checked before anything is written. */
  readonly expectedResult?: Digest | undefined
  /** Copy only these platforms of an index, in a smaller index with a digest of its own. */
  readonly platforms?: readonly Platform[] | undefined
  /** Copy the image of the one platform named, without its index; its digest stays. */
  readonly unpack?: boolean | undefined
  /** How many blobs or manifests travel at a time; unless told 8 large ones, or up to 24 that are small. */
  readonly jobs?: number | undefined
  /** How many bytes of blobs go by in a second, all transfers together; as many as can unless told. */
  readonly bytesPerSecond?: number | undefined
  /** How many times in a row a blob's source is opened again without a byte coming of it; 5 unless told. */
  readonly retries?: number | undefined
  /**
   * Copy layers too that registries need not hold (foreign, non-distributable). They are read from the source itself:
   * the `urls` of their descriptors are not followed.
   */
  readonly includeForeign?: boolean | undefined
  /**
   * Hash every blob on its way; true unless told. Without it a registry's own check of each blob has to do; a store that
   * always checks what it gets, such as a layout, does so all the same.
   */
  readonly verify?: boolean | undefined
  /** Write every manifest and tag, though they are there already; blobs that are there are still not sent. */
  readonly force?: boolean | undefined
  /** Write nothing; the result tells what would be done. */
  readonly dryRun?: boolean | undefined
  readonly onEvent?: OnTransferEvent | undefined
  readonly signal?: AbortSignal | undefined
  /** Waits between tries. */
  readonly sleep?: Sleep | undefined
  /** A clock in milliseconds. */
  readonly now?: (() => number) | undefined
}

/**
 * Eight streams fill a fast line, and more only take memory (measured on loopback: 4 to 48 make no difference). What is
 * small waits for answers rather than for bytes, so more of that pays where answers take long.
 */
const defaultLimit = 24
/** A blob of so many bytes takes time for itself, and not for the answers around it. */
export const largeBytes = 1024 * 1024
const largeWeight = 3

/** A clock; the `performance` of Node's costs milliseconds to load. */
function milliseconds(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/**
 * Checks what can be wrong with options before any request goes out, and fills in the defaults.
 * @throws DrayError `USAGE`, or `INVALID_REFERENCE` for a tag
 */
export function copySettings(options: CopyOptions) {
  const { tags, platforms = [], unpack = false, jobs, retries = defaultRetries } = options
  const { bytesPerSecond, sleep = defaultSleep, now = milliseconds } = options
  for (const tag of tags) {
    const fault = tagFault(tag)
    if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid tag "${tag}": ${fault}`)
  }
  if (unpack && platforms.length !== 1) {
    throw new DrayError('USAGE', `an image is unpacked for one platform, not for ${platforms.length}`)
  }
  if (jobs !== undefined && (!Number.isInteger(jobs) || jobs < 1))
    throw new DrayError('USAGE', `jobs must be 1 or more, not ${jobs}`)
  if (!Number.isInteger(retries) || retries < 0) {
    throw new DrayError('USAGE', `retries must be 0 or more, not ${retries}`)
  }
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) {
    throw new DrayError('USAGE', `bytesPerSecond must be more than 0, not ${bytesPerSecond}`)
  }
  const onEvent = options.onEvent ?? (() => {})
  return {
    ...options,
    tags: [...new Set(tags)],
    platforms,
    unpack: unpack ? platforms[0] : undefined,
    limit: jobs ?? defaultLimit,
    weigh: ({ size }: Descriptor) => (jobs === undefined && size >= largeBytes ? largeWeight : 1),
    reading: {
      retries,
      sleep,
      onRetry: (retry: Retry) => onEvent({ type: 'retry', ...retry }),
    },
    rateLimit: bytesPerSecond === undefined ? undefined : rateLimit({ bytesPerSecond, now, sleep }),
    includeForeign: options.includeForeign ?? false,
    verify: options.verify ?? true,
    force: options.force ?? false,
    dryRun: options.dryRun ?? false,
    onEvent,
    now,
  }
}

/** Options that are checked and complete. */
export type CopySettings = ReturnType<typeof copySettings>

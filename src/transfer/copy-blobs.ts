import { isDrayError } from '../errors.ts'
import type { ImageDestination, PutBlobResult } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import type { WorkGroup } from '../work-group.ts'
import { BlobReadings, type BlobReadingsOptions } from './blob-readings.ts'
import { largeBytes } from './copy-options.ts'

export interface CopyBlobsOptions extends BlobReadingsOptions {
  readonly destination: ImageDestination
  readonly group: WorkGroup
  /** How much of the group's limit a blob takes up. */
  readonly weigh: (descriptor: Descriptor) => number
  /** Copy layers too that registries need not hold. */
  readonly includeForeign: boolean
  /** Nothing of the image was found at the destination, so that small blobs are worth asking for before it answers. */
  readonly isNew: boolean
  /** Only say what would be done. */
  readonly dryRun: boolean
}

/** What became of a blob, or would become of it in a dry run; `foreign` is left where its `urls` say. */
export interface BlobOutcome {
  readonly descriptor: Descriptor
  readonly how: PutBlobResult | 'foreign'
}

/**
 * Brings blobs to the destination, in order, several at a time: by mounting where the destination can, else by sending
 * what is not there. When one fails the others are ended and have ended when this throws.
 */
export async function copyBlobs(
  blobs: readonly Descriptor[],
  options: CopyBlobsOptions,
): Promise<readonly BlobOutcome[]> {
  const { group, onEvent, dryRun, weigh, isNew } = options
  const seen = { copied: false, present: false }
  const isLikelyMissing = ({ size }: Descriptor) =>
    !seen.present && (seen.copied || (isNew && size < largeBytes))
  const bring = async (descriptor: Descriptor): Promise<BlobOutcome> => {
    if (dryRun) return { descriptor, how: await foresee(descriptor, options) }
    onEvent({ type: 'blob-started', descriptor })
    const how = await copyBlob(descriptor, { ...options, isLikelyMissing: isLikelyMissing(descriptor) })
    if (how === 'copied' || how === 'present') seen[how] = true
    onEvent({ type: 'blob-done', descriptor, how })
    return { descriptor, how }
  }
  return await group.map(blobs, bring, weigh)
}

/** What would be done for a blob. The one question to the destination is not asked where mounting answers it. */
async function foresee(descriptor: Descriptor, options: CopyBlobsOptions): Promise<BlobOutcome['how']> {
  const { source, destination } = options
  if (isLeftOut(descriptor, options)) return 'foreign'
  if (destination.canMountFrom?.(source)) return 'mounted'
  return (await destination.hasBlob(descriptor)) ? 'present' : 'copied'
}

function isLeftOut({ mediaType }: Descriptor, { includeForeign }: CopyBlobsOptions): boolean {
  return !includeForeign && isForeignLayerType(mediaType)
}

interface CopyBlobOptions extends CopyBlobsOptions {
  /** The download starts while the upload is opened; in vain, where the blob is there, which ends it after a few pieces. */
  readonly isLikelyMissing: boolean
}

/** A source that can read the blob elsewhere is asked again where it was another one. */
async function copyBlob(descriptor: Descriptor, options: CopyBlobOptions): Promise<BlobOutcome['how']> {
  const { source, onEvent } = options
  if (isLeftOut(descriptor, options)) return 'foreign'
  for (;;) {
    try {
      return await bringOver(descriptor, options)
    } catch (error) {
      if (!isDrayError(error, 'INTEGRITY') || !source.rejectBlob?.(descriptor)) throw error
      onEvent({ type: 'blob-restarted', descriptor, start: 0 })
    }
  }
}

async function bringOver(descriptor: Descriptor, options: CopyBlobOptions): Promise<PutBlobResult> {
  const { source, destination, group } = options
  const readings = new BlobReadings(descriptor, options)
  const mountFrom = destination.canMountFrom?.(source) ? source : undefined
  if (options.isLikelyMissing && mountFrom === undefined && destination.verifiesBlobs !== true)
    readings.begin()
  try {
    return await destination.putBlob(descriptor, start => readings.open(start), {
      mountFrom,
      signal: group.signal,
    })
  } catch (error) {
    // A store tells a broken body as a broken request; the source's own words say more.
    throw readings.fault ?? error
  } finally {
    await readings.close()
  }
}

import type { Chunks } from '../flow.ts'
import type { ImageDestination, ImageSource, PutBlobResult } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import type { WorkGroup } from '../work-group.ts'
import type { OnTransferEvent } from './events.ts'
import { type ReadBlobOptions, readBlob } from './read-blob.ts'

export interface CopyBlobsOptions {
  readonly source: ImageSource
  readonly destination: ImageDestination
  readonly group: WorkGroup
  readonly onEvent: OnTransferEvent
  /** How blobs are read; their readings also end when the group fails. */
  readonly reading: Omit<ReadBlobOptions, 'signal'>
  /** Copy layers too that registries need not hold. */
  readonly includeForeign: boolean
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
  const { group, onEvent, dryRun } = options
  return await group.map(blobs, async descriptor => {
    if (dryRun) return { descriptor, how: await foresee(descriptor, options) }
    onEvent({ type: 'blob-started', descriptor })
    const how = await copyBlob(descriptor, options)
    onEvent({ type: 'blob-done', descriptor, how })
    return { descriptor, how }
  })
}

/** What has to be done for a blob. The one question to the destination is not asked where mounting answers it. */
async function foresee(descriptor: Descriptor, options: CopyBlobsOptions): Promise<BlobOutcome['how']> {
  const { source, destination } = options
  if (!options.includeForeign && isForeignLayerType(descriptor.mediaType)) return 'foreign'
  if (destination.canMountFrom?.(source)) return 'mounted'
  return (await destination.hasBlob(descriptor)) ? 'present' : 'copied'
}

async function copyBlob(descriptor: Descriptor, options: CopyBlobsOptions): Promise<BlobOutcome['how']> {
  const { source, destination, group } = options
  const how = await foresee(descriptor, options)
  group.signal.throwIfAborted()
  if (how === 'foreign' || how === 'present') return how
  const readings = new BlobReadings(descriptor, options)
  try {
    return await destination.putBlob(descriptor, () => readings.open(), {
      mountFrom: how === 'mounted' ? source : undefined,
      signal: group.signal,
    })
  } catch (error) {
    // A store tells a broken body as a broken request; the source's own words say more.
    throw readings.fault ?? error
  } finally {
    await readings.close()
  }
}

/** The readings of one blob, a new one whenever its upload starts again; only one is open at a time. */
class BlobReadings {
  readonly #descriptor: Descriptor
  readonly #options: CopyBlobsOptions
  #current: AsyncGenerator<Uint8Array> | undefined
  #fault: unknown

  constructor(descriptor: Descriptor, options: CopyBlobsOptions) {
    this.#descriptor = descriptor
    this.#options = options
  }

  /** What the source failed with for good; it is not asked again after that. */
  get fault(): unknown {
    return this.#fault
  }

  async open(): Promise<Chunks> {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#current !== undefined) {
      await this.close()
      this.#options.onEvent({ type: 'blob-restarted', descriptor: this.#descriptor })
    }
    this.#current = this.#read()
    return this.#current
  }

  /** Ends the reading that is open; the source's stream is closed when this is done. */
  async close(): Promise<void> {
    await this.#current?.return(undefined)
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const { source, group, reading, onEvent } = this.#options
    const descriptor = this.#descriptor
    const content = readBlob(source, descriptor, { ...reading, signal: group.signal })
    // What the store throws into this generator is no fault of the source, so only `next` is watched.
    const next = () => content.next().catch(error => this.#fail(error))
    try {
      for (let step = await next(); !step.done; step = await next()) {
        onEvent({ type: 'blob-progress', descriptor, bytes: step.value.length })
        yield step.value
      }
    } finally {
      await content.return(undefined)
    }
  }

  #fail(error: unknown): never {
    this.#fault = error
    throw error
  }
}

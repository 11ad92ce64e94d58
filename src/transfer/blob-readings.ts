import { DrayError } from '../errors.ts'
import { type Chunks, type Flow, flow, type Take, watched } from '../flow.ts'
import type { ImageDestination, ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { abortError } from '../work-group.ts'
import { Checkpoints } from './checkpoints.ts'
import type { OnTransferEvent } from './events.ts'
import type { RateLimit } from './rate-limit.ts'
import { blobName, type ReadBlobOptions, readBlobFrom } from './read-blob.ts'

export interface BlobReadingsOptions {
  readonly source: ImageSource
  readonly destination: Pick<ImageDestination, 'verifiesBlobs'>
  /** Ends all readings. */
  readonly group: { readonly signal: AbortSignal }
  readonly onEvent: OnTransferEvent
  /** How blobs are read; their readings also end with the group. */
  readonly reading: Omit<ReadBlobOptions, 'signal'>
  /** Hash what passes, where the destination does not do so itself. */
  readonly verify: boolean
  /** Holds all the blobs together to a number of bytes per second. */
  readonly rateLimit?: RateLimit | undefined
}

/** The readings of one blob, a new one whenever its upload starts or goes on again; only one is open at a time. */
export class BlobReadings {
  readonly #descriptor: Descriptor
  readonly #options: BlobReadingsOptions
  readonly #isVerified: boolean
  #checkpoints: Checkpoints | undefined
  #current: Reading | undefined
  #early: { readonly reading: Reading; readonly content: Promise<Chunks> } | undefined
  #fault: unknown

  constructor(descriptor: Descriptor, options: BlobReadingsOptions) {
    this.#descriptor = descriptor
    this.#options = options
    this.#isVerified = options.verify && options.destination.verifiesBlobs !== true
  }

  /** What the source failed with for good; it is not asked again after that. */
  get fault(): unknown {
    return this.#fault
  }

  /** Asks the source for the blob before the store does, so that both are asked at the same time. */
  begin(): void {
    const reading = new Reading(this.#options.group.signal)
    const content = this.#options.source.getBlob(this.#descriptor, { start: 0, signal: reading.signal })
    // Of no interest unless the store asks; then it shows.
    content.catch(() => undefined)
    this.#early = { reading, content }
  }

  /** The content from the byte `start` on. */
  async open(start = 0): Promise<Chunks> {
    if (this.#fault !== undefined) throw this.#fault
    const { onEvent } = this.#options
    const isAgain = this.#current !== undefined
    const early = start === 0 ? this.#early : undefined
    if (early === undefined) await this.#early?.reading.close()
    this.#early = undefined
    await this.close()
    if (isAgain || start > 0) onEvent({ type: 'blob-restarted', descriptor: this.#descriptor, start })
    const reading = early?.reading ?? new Reading(this.#options.group.signal)
    this.#current = reading
    const content = this.#read(start, reading, early?.content)
    return flow(take => reading.pour(content, take))
  }

  /** Ends the reading that is open; the source's stream is closed when this is done. */
  async close(): Promise<void> {
    await this.#early?.reading.close()
    await this.#current?.close()
  }

  #read(start: number, open: Reading, early?: Promise<Chunks>): Flow {
    const { signal } = open
    const { source, reading, rateLimit, onEvent } = this.#options
    const descriptor = this.#descriptor
    const readFrom = (position: number) =>
      readBlobFrom(source, descriptor, { ...reading, start: position, signal, opened: early })
    // Made only now: of many blobs nothing has to be read.
    if (this.#isVerified) this.#checkpoints ??= new Checkpoints(descriptor, blobName(source, descriptor))
    const content = this.#checkpoints?.verified(start, readFrom) ?? readFrom(start)
    const faulty = watched(content, error => {
      // The end of a reading that was closed is no fault of the source's.
      if (!open.isClosed) this.#fault = error
    })
    return flow(take =>
      faulty.pour(piece => {
        onEvent({ type: 'blob-progress', descriptor, bytes: piece.length })
        const turn = rateLimit?.take(piece.length, signal)
        return turn === undefined ? take(piece) : turn.then(() => take(piece))
      }),
    )
  }
}

/** Content that can be ended from outside, though the source stalls, or the store has left it without a word. */
class Reading {
  readonly #all: AbortSignal
  readonly #abort = new AbortController()
  readonly #follow = () => this.#abort.abort(this.#all.reason)
  #refuse: ((reason: unknown) => void) | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #isPoured = false
  #isClosed = false

  /** Cheaper than `AbortSignal.any` where there are many, since no collection of garbage has to find it. */
  constructor(all: AbortSignal) {
    this.#all = all
    if (all.aborted) this.#follow()
    else all.addEventListener('abort', this.#follow, { once: true })
  }

  /** Ends the source: when this is closed before the end, or with all readings. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  pour(content: Flow, take: Take): Promise<void> {
    const poured = content.pour(piece => {
      const taken = take(piece)
      return taken === undefined ? undefined : this.#unlessClosed(taken)
    })
    this.#ended = poured.then(
      () => {
        this.#isPoured = true
      },
      () => undefined,
    )
    return poured
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#all.removeEventListener('abort', this.#follow)
    if (this.#isPoured) return
    // With a reason of its own: the usual one takes milliseconds to load.
    this.#abort.abort(new DrayError('ABORTED', 'the reading is over'))
    this.#refuse?.(abortError(this.signal))
    await this.#ended
  }

  #unlessClosed(taken: Promise<unknown>): Promise<unknown> {
    return new Promise((keep, refuse) => {
      this.#refuse = refuse
      taken.then(keep, refuse)
    })
  }
}

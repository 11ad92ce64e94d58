import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../backoff.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { type Chunks, type Flow, flow, nothing, type Take, watched } from '../flow.ts'
import type { BlobRange, ImageSource } from '../image-store.ts'
import { verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { abortError } from '../work-group.ts'

/** Waits; throws once the signal is aborted. */
export type Sleep = (delayMs: number, signal?: AbortSignal) => Promise<unknown>

export interface ReadBlobOptions {
  /** How many times in a row the stream is opened again without a byte coming of it; 5 unless told. */
  readonly retries?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly sleep?: Sleep | undefined
  /** Called before each wait. */
  readonly onRetry?: ((retry: Retry) => void) | undefined
}

/** A blob's source that broke is opened again after `delayMs`. */
export interface Retry {
  /** What the blob is called in messages. */
  readonly name: string
  readonly reason: string
  readonly delayMs: number
}

/** How many openings in a row may bring no byte. */
export const defaultRetries = 5

/**
 * The content of a blob, as one stream. A broken connection, a time-out, a fault of the registry or an early end opens
 * the source again at the byte where it broke; a source that cannot be opened is left to its store. Size and digest are
 * those of all that was given out, and the last piece is only given out when both are right.
 * @throws DrayError what the source threw last; `INTEGRITY` for other content than the descriptor says; `ABORTED`
 */
export function readBlob(source: ImageSource, descriptor: Descriptor, options: ReadBlobOptions = {}): Flow {
  return verified(readBlobFrom(source, descriptor, options), descriptor, blobName(source, descriptor))
}

/** What a blob is called in messages and events. */
export function blobName(source: Pick<ImageSource, 'name'>, descriptor: Descriptor): string {
  return `${source.name}@${descriptor.digest}`
}

export interface ReadBlobFromOptions extends ReadBlobOptions {
  /** The first byte; 0 unless told. */
  readonly start?: number | undefined
  /** What the source was asked for already, from the first byte on. */
  readonly opened?: Promise<Chunks> | undefined
}

/** The same from the byte `start` on, and not verified: a store that verifies what it gets needs no more. */
export function readBlobFrom(
  source: ImageSource,
  descriptor: Descriptor,
  options: ReadBlobFromOptions = {},
): Flow {
  const { retries = defaultRetries, signal, start: first = 0 } = options
  const name = blobName(source, descriptor)
  return flow(async take => {
    let position = first
    let attempt = 0
    let { opened } = options
    for (;;) {
      const start = position
      const content = opened ?? openAt(source, descriptor, { start, signal })
      opened = undefined
      const opening = await pourOpening(content, {
        signal,
        take: piece => {
          throwIfAborted(signal)
          position += piece.length
          return take(piece)
        },
      })
      // What breaks after the last byte, which was the right one, does no harm. A source that ends without a fault and
      // without a byte has no more; who verifies says what is missing.
      if (position >= descriptor.size || (opening === 'ended' && position === start)) return
      if (position > start) attempt = 0
      const fault =
        opening === 'ended' ? new DrayError('NETWORK', `${name}: ended after ${position} bytes`) : opening
      if (attempt >= retries) throw fault
      await pause({ name, reason: fault.message, delayMs: backoffMs(attempt, Math.random()) }, options)
      attempt += 1
    }
  })
}

/** Reads the source once; gives back the fault that another opening may mend. */
async function pourOpening(
  opening: Promise<Chunks>,
  { signal, take }: { readonly signal: AbortSignal | undefined; readonly take: Take },
): Promise<'ended' | DrayError> {
  const content = await opening
  let fault: unknown
  try {
    await watched(content, error => {
      fault = error
    }).pour(take)
    return 'ended'
  } catch (error) {
    throwIfAborted(signal)
    if (error === fault && isBrokenStream(fault)) return fault
    throw error
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

/** Opens the source; what fails here has been tried again by the store as often as it should be. */
async function openAt(source: ImageSource, descriptor: Descriptor, range: BlobRange): Promise<Chunks> {
  try {
    return await source.getBlob(descriptor, range)
  } catch (error) {
    throwIfAborted(range.signal)
    // RFC 9110, 15.5.17: the blob is shorter at the source than its descriptor says.
    if (isDrayError(error) && error.status === 416 && range.start > 0) return nothing()
    throw error
  }
}

/** True for what another try may mend: the content was not wrong, it did not come. */
function isBrokenStream(error: unknown): error is DrayError {
  if (isDrayError(error, 'NETWORK', 'TIMEOUT')) return true
  return isDrayError(error, 'REGISTRY') && error.status !== undefined && error.status >= 500
}

async function pause(retry: Retry, options: ReadBlobOptions): Promise<void> {
  const { signal, sleep = defaultSleep, onRetry } = options
  onRetry?.(retry)
  try {
    await sleep(retry.delayMs, signal)
  } catch (error) {
    throwIfAborted(signal)
    throw error
  }
}

/** Waits by the machine's own clock. */
export function defaultSleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return wait(delayMs, undefined, { signal })
}

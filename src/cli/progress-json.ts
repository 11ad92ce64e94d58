import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { TransferEvent } from '../transfer/events.ts'
import { jsonLine } from './output.ts'
import type { Progress, ProgressOptions } from './progress-display.ts'
import { redact } from './redact.ts'

/** A blob's progress is told at most once in so many milliseconds; its bytes are summed up meanwhile. */
const progressIntervalMs = 250

interface Pending {
  readonly descriptor: Descriptor
  bytes: number
  toldAt: number
}

/** Each event as one line of JSON, in the shape of `TransferEvent`. */
export function startJson({ stream, now }: Required<ProgressOptions>): Progress {
  const pending = new Map<Digest, Pending>()
  const write = (event: TransferEvent) => {
    stream.write(jsonLine(masked(event)))
  }
  const flush = (blob: Pending | undefined) => {
    if (blob === undefined || blob.bytes === 0) return
    write({ type: 'blob-progress', descriptor: blob.descriptor, bytes: blob.bytes })
    blob.bytes = 0
    blob.toldAt = now()
  }
  const onEvent = (event: TransferEvent) => {
    if (event.type === 'blob-progress') {
      const { descriptor, bytes } = event
      const blob = pending.get(descriptor.digest) ?? { descriptor, bytes: 0, toldAt: now() }
      pending.set(descriptor.digest, blob)
      blob.bytes += bytes
      if (now() - blob.toldAt >= progressIntervalMs) flush(blob)
      return
    }
    if (event.type === 'blob-done' || event.type === 'blob-restarted') {
      flush(pending.get(event.descriptor.digest))
      pending.delete(event.descriptor.digest)
    }
    write(event)
  }
  return {
    onEvent,
    stop() {
      for (const blob of pending.values()) flush(blob)
      pending.clear()
    },
  }
}

function masked(event: TransferEvent): TransferEvent {
  if (event.type === 'warning') return { ...event, message: redact(event.message) }
  if (event.type === 'retry') return { ...event, name: redact(event.name), reason: redact(event.reason) }
  return event
}

import type { Digest } from '../oci/digest.ts'
import type { TransferEvent } from '../transfer/events.ts'
import { printable } from './printable.ts'
import { redact } from './redact.ts'
import { formatBytes, formatDuration } from './units.ts'

/** The speed is that of the last so many milliseconds. */
const speedWindowMs = 5000
/** Progress is summed up over so many milliseconds, so that the window holds few samples. */
const sampleMs = 250

/** A blob on its way. */
export interface RunningBlob {
  readonly digest: Digest
  readonly size: number
  /** How much of it is there. */
  bytes: number
}

/** Where a transfer stands, as far as its events tell. Bytes count as done when they are there, however they came. */
export class ProgressState {
  readonly #now: () => number
  readonly #running = new Map<Digest, RunningBlob>()
  #samples: { at: number; bytes: number }[] = []
  totalBytes = 0
  doneBytes = 0
  blobs = 0
  doneBlobs = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** The blobs on their way, the first started first. */
  get running(): readonly RunningBlob[] {
    return [...this.#running.values()]
  }

  /** True between the plan and the last blob. */
  get isRunning(): boolean {
    return this.#running.size > 0 || this.doneBlobs < this.blobs
  }

  apply(event: TransferEvent): void {
    switch (event.type) {
      case 'planned':
        this.totalBytes += event.bytes
        this.blobs += event.blobs
        if (this.#samples.length === 0) this.#samples.push({ at: this.#now(), bytes: 0 })
        return
      case 'blob-started':
        this.#running.set(event.descriptor.digest, { ...event.descriptor, bytes: 0 })
        return
      case 'blob-progress':
        this.#advance(event.descriptor.digest, event.bytes)
        return
      case 'blob-restarted': {
        const blob = this.#running.get(event.descriptor.digest)
        this.doneBytes += event.start - (blob?.bytes ?? 0)
        if (blob) blob.bytes = event.start
        return
      }
      case 'blob-done': {
        const { digest, size } = event.descriptor
        // What is left out never travels.
        if (event.how === 'foreign') this.totalBytes -= size
        else this.doneBytes += size - (this.#running.get(digest)?.bytes ?? 0)
        this.doneBlobs += 1
        this.#running.delete(digest)
      }
    }
  }

  /** Bytes per second that travelled lately; undefined while there is too little to tell. */
  get speed(): number | undefined {
    const now = this.#now()
    const recent = this.#samples.filter(sample => now - sample.at <= speedWindowMs)
    const first = recent[0] ?? this.#samples.at(-1)
    if (first === undefined || now - first.at < sampleMs) return undefined
    const bytes = recent.slice(1).reduce((sum, sample) => sum + sample.bytes, 0)
    return (bytes / (now - first.at)) * 1000
  }

  #advance(digest: Digest, bytes: number): void {
    const blob = this.#running.get(digest)
    if (blob) blob.bytes += bytes
    this.doneBytes += bytes
    const now = this.#now()
    const last = this.#samples.at(-1)
    if (last && this.#samples.length > 1 && now - last.at < sampleMs) last.bytes += bytes
    else this.#samples.push({ at: now, bytes })
    while ((this.#samples[1]?.at ?? now) < now - speedWindowMs) this.#samples.shift()
  }
}

/** The parts of a summary, each as short as it can be, the most telling first. */
export function summaryParts(state: ProgressState): string[] {
  const { totalBytes, doneBytes, blobs, doneBlobs, speed } = state
  if (blobs === 0) return ['reading manifests']
  const left = totalBytes - doneBytes
  const parts = [
    `${percentOf(doneBytes, totalBytes)}%`,
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
  ]
  if (speed !== undefined && left > 0) {
    parts.push(`${formatBytes(speed)}/s`)
    if (speed > 0) parts.push(`${formatSeconds(left / speed)} left`)
  }
  return [...parts, `${doneBlobs} of ${blobs} blobs`]
}

/** Whole seconds, so that the line does not twitch. */
function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds)
  return whole < 60 ? `${whole}s` : formatDuration(whole * 1000)
}

/** How much is done, in whole percent; 100 only when all of it is. */
export function percentOf(done: number, total: number): number {
  return total === 0 ? 100 : Math.floor((done / total) * 100)
}

/** The line for an event that must be told at once: a warning or a retry. Undefined for all others. */
export function noticeOf(event: TransferEvent): string | undefined {
  if (event.type === 'warning') return `warning: ${printable(redact(event.message))}`
  if (event.type !== 'retry') return undefined
  const what = printable(redact(`${event.name}: ${event.reason}`))
  return `retry: ${what}; trying again in ${formatDuration(event.delayMs)}`
}

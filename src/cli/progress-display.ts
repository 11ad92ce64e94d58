import type { Writable } from 'node:stream'
import type { OnTransferEvent } from '../transfer/events.ts'

/** A running display of a transfer. */
export interface Progress {
  readonly onEvent: OnTransferEvent
  /** Takes the display away and gives the cursor back. Must be called, also after a failure; twice does no harm. */
  stop(): void
}

export interface ProgressOptions {
  /** Where to draw: stderr. */
  readonly stream: Writable
  readonly color?: boolean
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number
}

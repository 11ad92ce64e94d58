import type { TransferEvent } from '../transfer/events.ts'
import type { Progress, ProgressOptions } from './progress-display.ts'
import { noticeOf, ProgressState, summaryParts } from './progress-state.ts'
import { shortDigest } from './short-digest.ts'
import { formatBytes } from './units.ts'

/** How long nothing is said while blobs are on their way. */
const intervalMs = 5000

/** Lines for logs: one when a blob was copied, one every few seconds in between, and warnings and retries. */
export function startLines({ stream, now }: Required<ProgressOptions>): Progress {
  const state = new ProgressState(now)
  const say = (line: string) => {
    stream.write(`${line}\n`)
    timer.refresh()
  }
  const timer = setInterval(() => {
    if (state.isRunning) say(summaryParts(state).join(', '))
  }, intervalMs)
  timer.unref()
  return {
    onEvent(event) {
      state.apply(event)
      const line = noticeOf(event) ?? lineOf(event, state)
      if (line !== undefined) say(line)
    },
    stop: () => clearInterval(timer),
  }
}

/** Warnings only. */
export function startWarnings({ stream }: Required<ProgressOptions>): Progress {
  const onEvent = (event: TransferEvent) => {
    if (event.type === 'warning') stream.write(`${noticeOf(event)}\n`)
  }
  return { onEvent, stop: () => {} }
}

/** Blobs that did not travel get no line: a copy with nothing to do would be all lines. */
function lineOf(event: TransferEvent, state: ProgressState): string | undefined {
  if (event.type !== 'blob-done' || event.how !== 'copied') return undefined
  const { digest, size } = event.descriptor
  return [`copied ${shortDigest(digest)} (${formatBytes(size)})`, ...summaryParts(state)].join(', ')
}

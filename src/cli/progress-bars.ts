import { type ProgressState, percentOf, type RunningBlob, summaryParts } from './progress-state.ts'
import { shortDigest } from './short-digest.ts'
import { formatBytes } from './units.ts'

const maxRunning = 6
const maxBarLength = 30

/** Colours a bar. Colours take no columns. */
export type Paint = (bar: string) => string

/** The room that bars have. */
export interface BarsSize {
  /** The columns that a line may take. */
  readonly columns: number
  /** The lines that there may be, the summary included. */
  readonly rows: number
}

/** The summary and below it the running blobs, the longest running first. No line is wider than `columns`. */
export function progressLines(state: ProgressState, size: BarsSize, paint: Paint): string[] {
  const { running } = state
  const fits = Math.max(0, Math.min(maxRunning, size.rows - 1))
  const shown = running.slice(0, running.length > fits ? Math.max(0, fits - 1) : fits)
  const hidden = running.length - shown.length
  return [
    joinWhatFits(summaryParts(state), size.columns),
    ...shown.map(blob => blobLine(blob, size.columns, paint)),
    ...(hidden > 0 && fits > 0 ? [`and ${hidden} more`.slice(0, size.columns)] : []),
  ]
}

function joinWhatFits(parts: readonly string[], columns: number): string {
  let line = ''
  for (const part of parts) {
    const longer = line === '' ? part : `${line}, ${part}`
    if (longer.length <= columns) line = longer
  }
  return line
}

function blobLine({ digest, size, bytes }: RunningBlob, columns: number, paint: Paint): string {
  const isWide = columns >= 50
  const name = shortDigest(digest, isWide ? 12 : 7)
  const percent = `${percentOf(bytes, size)}%`
  const amount = isWide ? `${formatBytes(bytes)} of ${formatBytes(size)}` : percent
  // The bar leaves room for the longest amount, so that bars below one another end in one column.
  const longest = isWide ? '99.9 MB of 99.9 MB'.length : '100%'.length
  const length = Math.min(maxBarLength, columns - name.length - longest - ' [] '.length)
  if (length < 3) return `${name} ${percent}`.slice(0, columns)
  const filled = size === 0 ? length : Math.floor((bytes / size) * length)
  const head = filled < length ? '>' : ''
  const done = '='.repeat(filled)
  return `${name} [${paint(done + head)}${' '.repeat(length - filled - head.length)}] ${amount}`
}

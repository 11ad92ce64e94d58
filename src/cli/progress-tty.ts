import type { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { Chalk } from 'chalk'
import ora from 'ora'
import { progressLines } from './progress-bars.ts'
import type { Progress, ProgressOptions } from './progress-display.ts'
import { noticeOf, ProgressState } from './progress-state.ts'

/** What a terminal tells about its size; both are undefined or 0 where it does not say. */
type Screen = Writable & { readonly columns?: number; readonly rows?: number }

/** The columns in front of each line: the spinner and two spaces. */
const margin = 3

/**
 * Bars at the bottom of a terminal, drawn again ten times a second; terminals that know synchronised output show each
 * drawing at once. Other text that is written to the terminal meanwhile appears above them.
 */
export function startBars({ stream, color, now }: Required<ProgressOptions>): Progress {
  const screen: Screen = stream
  const state = new ProgressState(now)
  const { cyan } = new Chalk({ level: color ? 1 : 0 })
  let drawn: string[] = []
  const spinner = ora({
    stream: screen,
    isEnabled: true,
    color: color ? 'cyan' : false,
    interval: 100,
    // Stdin may be the data of the transfer, and Ctrl-C must stay a signal.
    discardStdin: false,
    // A function is asked again for each frame.
    suffixText: () => {
      // The last column stays free: some terminals go to the next line as soon as it is filled.
      const columns = Math.max(1, (screen.columns || 80) - margin - 1)
      drawn = progressLines(state, { columns, rows: (screen.rows || 24) - 1 }, cyan)
      return drawn.join(`\n${' '.repeat(margin)}`)
    },
  })
  const onResize = () => {
    const extra = extraRows(drawn, screen.columns || 80)
    if (extra > 0) stream.write(`\x1b[${extra}A\x1b[J\r`)
  }
  screen.on('resize', onResize)
  spinner.start()
  return {
    onEvent(event) {
      state.apply(event)
      const notice = noticeOf(event)
      if (notice !== undefined) stream.write(`${notice}\n`)
    },
    stop() {
      screen.off('resize', onResize)
      spinner.stop()
    },
  }
}

/** A terminal that grew narrower breaks long lines, so more rows are to be cleared than ora drew. */
function extraRows(lines: readonly string[], columns: number): number {
  const widths = lines.map(line => margin + stripVTControlCharacters(line).length)
  return widths.reduce((extra, width) => extra + Math.ceil(width / columns) - 1, 0)
}

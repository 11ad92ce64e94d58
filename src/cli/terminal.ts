import { openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'

/** What a prompt needs of a terminal's keyboard. */
export interface TerminalInput extends NodeJS.ReadableStream {
  setRawMode(raw: boolean): unknown
}

/** A person's keyboard and screen. */
export interface Terminal {
  readonly input: TerminalInput
  readonly output: NodeJS.WritableStream
  close(): void
}

/** The streams that may be a terminal. */
export interface StandardStreams {
  readonly stdin: NodeJS.ReadStream
  readonly stderr: NodeJS.WriteStream
}

/**
 * The terminal that the program was started from, even when stdin and stdout are redirected; undefined where there is
 * none, as in a CI job. Close it when done.
 */
export function openTerminal(streams: StandardStreams): Terminal | undefined {
  const controlling = openControllingTerminal()
  if (controlling) return controlling
  const { stdin, stderr } = streams
  if (!stdin.isTTY || !stderr.isTTY) return undefined
  return { input: stdin, output: stderr, close: () => stdin.pause() }
}

function openControllingTerminal(): Terminal | undefined {
  try {
    const input = new ReadStream(openSync('/dev/tty', 'r'))
    const output = new WriteStream(openSync('/dev/tty', 'w'))
    const close = () => {
      input.destroy()
      output.destroy()
    }
    return { input, output, close }
  } catch {
    // Without a controlling terminal (or on Windows) there is nothing to open; the caller hears it as undefined.
    return undefined
  }
}

import type { Writable } from 'node:stream'
import { DrayError } from '../errors.ts'

/** The reader of stdout went away, as in `dray ls | head -1`. Not a fault: the program ends quietly with exit code 0. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'

  constructor() {
    super('the reader of the output has gone')
  }
}

/** Writes results to stdout. Each promise resolves when the bytes have left the process. */
export interface Stdout {
  /** True when people read along, so that what a registry supplied must be escaped. */
  readonly isTerminal: boolean
  /** How wide a terminal's lines are; undefined where nobody reads along. */
  readonly columns: number | undefined
  /** @throws OutputClosed, DrayError `IO` */
  write(text: string | Uint8Array): Promise<void>
  /**
   * Writes a stream as it comes, no faster than the reader takes it. The stream is closed when the reader goes away.
   * @throws OutputClosed, DrayError `IO`, and what the stream throws
   */
  writeAll(chunks: AsyncIterable<Uint8Array>): Promise<void>
}

/** Makes the program's stdout of a stream. */
export function openStdout(
  stream: Writable & { readonly isTTY?: boolean; readonly columns?: number },
): Stdout {
  // A failed write comes both as an event and through its callback; the callback is the one that is answered.
  stream.on('error', () => {})
  const write = (text: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stream.write(text, error => (error ? reject(writeError(error)) : resolve()))
    })
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.isTTY === true ? stream.columns : undefined
    },
    write,
    async writeAll(chunks) {
      for await (const chunk of chunks) await write(chunk)
    },
  }
}

/** Lets the program run on when nobody reads its stderr any more: a pipe, or a terminal. Gives the stream back. */
export function tolerateClosedPipe<Stream extends Writable>(stream: Stream): Stream {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!isClosedPipe(error) && error.code !== 'EIO') throw error
  })
  return stream
}

function writeError(error: Error): Error {
  if (isClosedPipe(error)) return new OutputClosed()
  return new DrayError('IO', `cannot write to stdout: ${error.message}`, { cause: error })
}

function isClosedPipe(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED'
}

import type { Chunks } from '../flow.ts'
import type { ZlibStream } from './compression.ts'

/**
 * Content on its way through a stream of node:zlib, with back-pressure. When the reader leaves early the content is closed.
 * @param onRest told of the bytes that come after the end which the stream has found itself
 * @throws what the content and `onRest` throw, as it is, and what `faultOf` makes of the stream's own errors
 */
export async function* throughZlib(
  chunks: Chunks,
  stream: ZlibStream,
  { onRest, faultOf }: { onRest: (rest: Uint8Array) => void; faultOf: (error: unknown) => unknown },
): AsyncGenerator<Uint8Array> {
  let fault: { readonly error: unknown } | undefined
  const feeding = feed(chunks, stream, onRest).catch(error => {
    fault = { error }
    stream.destroy()
  })
  try {
    yield* stream
  } catch (error) {
    await feeding
    // The stream ends prematurely where its content does; then that is the cause.
    throw fault === undefined ? faultOf(error) : fault.error
  } finally {
    stream.destroy()
    await feeding
  }
  if (fault !== undefined) throw fault.error
}

async function feed(chunks: Chunks, stream: ZlibStream, onRest: (rest: Uint8Array) => void): Promise<void> {
  let wake = () => {}
  stream.on('close', () => wake())
  let hasEnded = false
  for await (const chunk of chunks) {
    if (hasEnded) {
      onRest(chunk)
      continue
    }
    const before = stream.bytesWritten
    await new Promise<void>(resolve => {
      wake = resolve
      stream.write(chunk, () => resolve())
    })
    if (stream.destroyed) return
    const taken = stream.bytesWritten - before
    hasEnded = taken < chunk.length
    if (hasEnded) onRest(chunk.subarray(taken))
  }
  stream.end()
}

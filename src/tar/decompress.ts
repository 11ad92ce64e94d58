import type { Chunks } from '../flow.ts'
import { isZero } from './blocks.ts'
import { ChunkReader } from './chunk-reader.ts'
import { type Compression, compressionOf, decompressor, magicBytes } from './compression.ts'
import { tarFault } from './tar-limits.ts'
import { throughZlib } from './through-zlib.ts'
import { zstdFrames } from './zstd-frames.ts'

/** How much may come out of compressed content before it is called a bomb. */
export interface DecompressLimits {
  /** The bytes that may come out; 256 GiB when absent. */
  readonly maxBytes?: number | undefined
  /**
   * How many bytes may come out for each that goes in, once more than `freeBytes` are out; 2000 when absent. Gzip reaches
   * 1032 with zeros, zstd 32768.
   */
  readonly maxRatio?: number | undefined
  /** The bytes that may come out whatever goes in; 8 GiB when absent, which a layer of zeros may have. */
  readonly freeBytes?: number | undefined
}

export interface DecompressOptions extends DecompressLimits {
  /** What the content is called in messages. */
  readonly name: string
}

/** Content as it is without its compression. */
export interface Decompressed {
  readonly compression: Compression
  /** Must be read, or the chunks stay open. */
  readonly content: Chunks
}

/**
 * Content without its compression, which its first bytes tell. Gzip members and zstd frames that follow one another are
 * one content; zeros behind the last gzip member are left out. The chunks are read to their end, and closed when the
 * reader leaves early.
 * @throws DrayError `UNSUPPORTED` for zstd where this Node.js has none; the iteration: `INTEGRITY` for what is damaged,
 * cut off, has something else behind it or exceeds the limits. What the chunks throw
 */
export async function decompressed(chunks: Chunks, options: DecompressOptions): Promise<Decompressed> {
  const reader = new ChunkReader(chunks)
  try {
    const start = await reader.take(magicBytes)
    const compression = compressionOf(start)
    const { name } = options
    const counted = { bytes: 0 }
    const whole = counting(rejoined(start, reader), counted)
    if (compression === 'none') return { compression, content: limited(whole, counted, options) }
    const stream = await decompressor(compression)
    const pieces = compression === 'zstd' ? zstdFrames(whole, name) : whole
    const content = throughZlib(pieces, stream, {
      onRest: rest => {
        if (!isZero(rest)) throw tarFault(name, `something else is behind the ${compression} data`)
      },
      faultOf: error => tarFault(name, `the ${compression} data is damaged or cut off`, error),
    })
    return { compression, content: limited(content, counted, options) }
  } catch (error) {
    await reader.close()
    throw error
  }
}

async function* rejoined(start: Uint8Array, reader: ChunkReader): AsyncGenerator<Uint8Array> {
  try {
    if (start.length > 0) yield start
    for (;;) {
      const piece = await reader.some()
      if (piece.length === 0) return
      yield piece
    }
  } finally {
    await reader.close()
  }
}

async function* counting(chunks: Chunks, counted: { bytes: number }): AsyncGenerator<Uint8Array> {
  for await (const piece of chunks) {
    counted.bytes += piece.length
    yield piece
  }
}

const gibibyte = 1024 ** 3

async function* limited(
  chunks: Chunks,
  input: { readonly bytes: number },
  { name, maxBytes = 256 * gibibyte, maxRatio = 2000, freeBytes = 8 * gibibyte }: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const piece of chunks) {
    bytes += piece.length
    if (bytes > maxBytes) throw tarFault(name, `unpacks to more than ${maxBytes} bytes, which is the limit`)
    if (bytes > freeBytes && bytes > input.bytes * maxRatio) {
      throw tarFault(name, `unpacks to more than ${maxRatio} times its size, which is the limit`)
    }
    yield piece
  }
}

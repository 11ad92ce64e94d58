import { type Chunks, type Flow, flow, pour } from '../flow.ts'
import { type Compression, compressor } from './compression.ts'
import { throughZlib } from './through-zlib.ts'

export interface CompressOptions {
  /** `none` when absent. */
  readonly compression?: Compression | undefined
  /** 1 is fastest; at most 9 for gzip, where 6 is meant when absent, and 22 for zstd, where it is 3. */
  readonly level?: number | undefined
}

/**
 * Content compressed. The same content and options give the same bytes with one version of Node.js: no time and no
 * system is written into them.
 * @throws DrayError `UNSUPPORTED` as it flows, for zstd where this Node.js has none; and what the content throws
 */
export function compressed(chunks: Chunks, { compression = 'none', level }: CompressOptions): Flow {
  return flow(async take => {
    if (compression === 'none') return pour(chunks, take)
    const stream = await compressor(compression, level)
    const pieces = throughZlib(chunks, stream, { onRest: () => {}, faultOf: error => error })
    return pour(compression === 'gzip' ? withoutSystem(pieces) : pieces, take)
  })
}

/** The tenth byte names the operating system (RFC 1952, section 2.3.1); 255 is unknown. */
async function* withoutSystem(pieces: Chunks): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const piece of pieces) {
    if (position <= 9 && position + piece.length > 9) piece[9 - position] = 255
    position += piece.length
    yield piece
  }
}

import { quote } from '../errors.ts'
import type { Chunks, Flow, Take } from '../flow.ts'
import { isZero, paddingOf } from './blocks.ts'
import { ChunkReader } from './chunk-reader.ts'
import { HeadReader } from './read-head.ts'
import type { TarItem } from './tar-header.ts'
import { behindTheEnd, type ReadTarOptions, tarFault } from './tar-limits.ts'

/**
 * Reads an uncompressed archive entry by entry, in the order of the archive and in constant memory (POSIX.1-2017 pax,
 * "ustar Interchange Format" and "pax Interchange Format"; GNU tar's and v7's formats too). The content of an item must
 * be taken before the next item is asked for; what is left of it is skipped. The chunks are read to their end, also
 * behind the blocks that end the archive, so that whoever verifies them on the way sees them all; when the reader
 * leaves early they are closed.
 *
 * Global PAX headers are applied to the entries behind them. Names are not judged (see `safePath`), nor is an entry
 * refused because its name occurred before. The content of links, folders and devices is none, whatever size they
 * claim. A missing end of the archive is accepted where an entry has just ended.
 * @throws DrayError `INTEGRITY` for what is no tar archive, is cut off, damaged, exceeds the limits, or has an entry of an
 * unknown type; and what the chunks throw
 */
export async function* readTar(chunks: Chunks, options: ReadTarOptions): AsyncGenerator<TarItem, void> {
  const reader = new ChunkReader(chunks)
  const heads = new HeadReader(reader, options)
  try {
    for (;;) {
      const head = await heads.next()
      if (head === undefined) break
      const { header } = head
      const content = new ItemContent(reader, header.storedSize, () => {
        const entry = `entry ${quote(header.name)}`
        return tarFault(options.name, `${entry} is cut off, the archive ends at byte ${reader.position}`)
      })
      yield { ...header, head: head.bytes, content }
      await content.end()
    }
    await readRest(reader, options)
  } finally {
    await reader.close()
  }
}

/** The content of the entry that the archive is at. */
class ItemContent implements Flow {
  readonly #reader: ChunkReader
  readonly #end: number
  readonly #padding: number
  readonly #cutOff: () => Error
  #hasEnded = false

  constructor(reader: ChunkReader, size: number, cutOff: () => Error) {
    this.#reader = reader
    this.#end = reader.position + size
    this.#padding = paddingOf(size)
    this.#cutOff = cutOff
  }

  async pour(take: Take): Promise<void> {
    for await (const piece of this) await take(piece)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#hasEnded) throw new Error('the archive is past this entry')
      const missing = this.#end - this.#reader.position
      if (missing === 0) return
      const piece = await this.#reader.some(missing)
      if (piece.length === 0) throw this.#cutOff()
      yield piece
    }
  }

  /** Passes over what was not taken. */
  async end(): Promise<void> {
    this.#hasEnded = true
    const rest = this.#end + this.#padding - this.#reader.position
    if ((await this.#reader.skip(rest)) < rest) throw this.#cutOff()
  }
}

/** Whoever looks into an archive sees nothing of what is behind its end, but writers put nothing but zeros there. */
async function readRest(reader: ChunkReader, { onOddity }: ReadTarOptions): Promise<void> {
  let isTold = onOddity === undefined
  for (;;) {
    const piece = await reader.some()
    if (piece.length === 0) return
    if (isTold || isZero(piece)) continue
    isTold = true
    onOddity?.(behindTheEnd)
  }
}

import { quote } from '../errors.ts'
import { type Chunks, type Flow, flow, type Take } from '../flow.ts'
import { ChunkReader } from './chunk-reader.ts'
import { checkedMap, decimal, type Segment } from './sparse-map.ts'
import type { TarHeader, TarItem } from './tar-header.ts'
import { tarFault } from './tar-limits.ts'

/**
 * The content of an entry as it is unpacked: of a sparse file with zeros for its holes, of every other what is stored.
 * @throws DrayError `INTEGRITY` as it flows, for a map of the holes that does not fit; what the content throws
 */
export function realContent(item: TarItem, archive: string): Flow {
  return item.sparse === undefined ? item.content : filledUp(item, item.content, { archive })
}

export interface FilledUpOptions {
  /** What the archive is called in messages. */
  readonly archive: string
  /** The first and the last byte that are wanted, both inclusive; the whole file where left out. */
  readonly start?: number | undefined
  readonly end?: number | undefined
}

/**
 * The content of a sparse file with zeros for its holes.
 * @param stored the whole of its stored content
 * @throws DrayError `INTEGRITY` as it flows, for a map that does not fit; what the content throws
 */
export function filledUp(
  { name, sparse, size, storedSize }: TarHeader,
  stored: Chunks,
  { archive, start = 0, end = size - 1 }: FilledUpOptions,
): Flow {
  return flow(async take => {
    const reader = new ChunkReader(stored)
    const file = new Cutting(take, start, end)
    try {
      const map = sparse === 'in content' ? await readMap(reader, size) : sparse
      const sum = map?.reduce((bytes, { length }) => bytes + length, reader.position)
      if (map === undefined || sum !== storedSize) {
        throw tarFault(archive, `entry ${quote(name)} has a map of its holes that does not fit its content`)
      }
      for (const { offset, length } of map) {
        await file.addZeros(offset)
        await file.addFrom(reader, length)
      }
      await file.addZeros(size)
    } finally {
      await reader.close()
    }
  })
}

const longestMap = 16 * 1024 * 1024

/** A count and as many pairs of numbers, one a line, filled up to whole blocks (GNU tar's manual, "PAX Format, Version 1.0"). */
async function readMap(reader: ChunkReader, size: number): Promise<readonly Segment[] | undefined> {
  const lines: string[] = []
  let text = ''
  let count: number | undefined
  do {
    const block = await reader.take(512)
    if (block.length < 512 || reader.position > longestMap) return undefined
    const parts = (text + block.toString('latin1')).split('\n')
    text = parts.pop() ?? ''
    lines.push(...parts)
    count = decimal(lines[0])
    if (count === undefined) return undefined
  } while (lines.length <= 2 * count)
  return checkedMap(lines.slice(1, 1 + 2 * count).map(decimal), size)
}

const zeros = Buffer.alloc(64 * 1024)

/** Gives on what lies between two bytes of a file; zeros that nobody wants cost nothing. */
class Cutting {
  readonly #take: Take
  readonly #start: number
  readonly #end: number
  #position = 0

  constructor(take: Take, start: number, end: number) {
    this.#take = take
    this.#start = start
    this.#end = end + 1
  }

  async addZeros(upTo: number): Promise<void> {
    const end = Math.min(upTo, this.#end)
    for (let at = Math.max(this.#position, this.#start); at < end; at += zeros.length) {
      await this.#take(zeros.subarray(0, end - at))
    }
    this.#position = upTo
  }

  async addFrom(reader: ChunkReader, length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const piece = await reader.some(left)
      if (piece.length === 0) return
      const wanted = piece.subarray(
        Math.max(0, this.#start - this.#position),
        Math.max(0, this.#end - this.#position),
      )
      if (wanted.length > 0) await this.#take(wanted)
      this.#position += piece.length
      left -= piece.length
    }
  }
}

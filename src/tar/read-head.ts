import { blockBytes, isZero, paddingOf } from './blocks.ts'
import type { ByteSource } from './byte-source.ts'
import { decodeHead } from './decode-head.ts'
import { encodeHead, paxBlocks } from './encode-head.ts'
import { HeadBlocks } from './head-blocks.ts'
import { numberField } from './number-field.ts'
import { type PaxRecord, parsePax } from './pax-records.ts'
import type { TarHeader } from './tar-header.ts'
import { type ReadTarOptions, tarFault } from './tar-limits.ts'
import { loadTarStream, type TarStream } from './tar-stream.ts'

/** The header of an entry, and its blocks as they stood. */
export interface ReadHead {
  readonly header: TarHeader
  /** Where it begins in the archive, in bytes. */
  readonly offset: number
  /** See `TarItem`. */
  readonly bytes: Buffer
}

/** Reads the headers of an archive; between two, its caller passes over the content and the padding. */
export class HeadReader {
  readonly #source: ByteSource
  readonly #options: ReadTarOptions
  readonly #globals = new Map<string, PaxRecord>()
  #globalBytes = 0
  #entries = 0
  #tarStream: TarStream | undefined

  constructor(source: ByteSource, options: ReadTarOptions) {
    this.#source = source
    this.#options = options
  }

  /**
   * The next header, or undefined where the archive ends.
   * @throws DrayError `INTEGRITY`
   */
  async next(): Promise<ReadHead | undefined> {
    const { maxEntries = 1_000_000 } = this.#options
    const offset = this.#source.position
    const blocks = await this.#readBlocks(offset)
    if (blocks === undefined) return undefined
    this.#entries += 1
    if (this.#entries > maxEntries) throw this.#fault(`more than ${maxEntries} entries, which is the limit`)
    this.#tarStream ??= await loadTarStream()
    const tarStream = this.#tarStream
    const inherited = this.#inheritedBy(blocks)
    const records = [...inherited, ...blocks.pax]
    const header = await decodeHead({ blocks, records, offset, archive: this.#options.name }, tarStream)
    const bytes = async () => {
      // Readers do not agree on whether there is content behind what is no file.
      if (header.type !== 'file' && blocks.hasSize(inherited)) return encodeHead(header, tarStream)
      if (inherited.length === 0) return Buffer.concat(blocks.own)
      return Buffer.concat([await paxBlocks(records, tarStream), ...blocks.withoutPax])
    }
    return { header, offset, bytes: await bytes() }
  }

  #inheritedBy(blocks: HeadBlocks): PaxRecord[] {
    const own = new Set(blocks.pax.map(({ key }) => key))
    return [...this.#globals.values()].filter(({ key }) => !own.has(key))
  }

  /** The blocks up to the one that describes the entry, and those that go on with its map. */
  async #readBlocks(offset: number): Promise<HeadBlocks | undefined> {
    const blocks = new HeadBlocks()
    for (;;) {
      const block = await this.#source.take(blockBytes)
      if (blocks.all.length === 0 && (await this.#isEnd(block))) return undefined
      this.#checkWhole(block, blockBytes)
      if (isZero(block)) throw this.#fault(`the header at byte ${offset} belongs to no entry`)
      const flag = flagOf(block)
      if (!longHeaders.includes(flag)) {
        blocks.add([block], flag)
        if (flag === 'S') await this.#readMap(blocks, block)
        return blocks
      }
      await this.#readLongHeader(blocks, block, flag)
    }
  }

  async #readLongHeader(blocks: HeadBlocks, block: Buffer, flag: string): Promise<void> {
    const size = numberField(block, 124, 12)
    const offset = this.#source.position - blockBytes
    if (size === undefined || size < 0)
      throw this.#fault(`the header at byte ${offset} has an impossible size`)
    this.#checkLength(blocks.length + size)
    const padded = await this.#source.take(size + paddingOf(size))
    this.#checkWhole(padded, size + paddingOf(size))
    blocks.add([block, padded], flag)
    if (flag !== 'x' && flag !== 'g') return
    const records = parsePax(padded.subarray(0, size))
    if (records === undefined) throw this.#fault(`the PAX header at byte ${offset} is malformed`)
    if (flag === 'x') blocks.pax = records
    else this.#addGlobals(records, size)
  }

  #addGlobals(records: readonly PaxRecord[], size: number): void {
    this.#globalBytes += size
    if (this.#globalBytes > mostGlobalBytes) {
      throw this.#fault(`headers for all entries of more than ${mostGlobalBytes} bytes`)
    }
    // A comment says nothing of an entry.
    for (const record of records) if (record.key !== 'comment') this.#globals.set(record.key, record)
  }

  /** A sparse file of GNU's old format has more of its map in blocks behind the header. */
  async #readMap(blocks: HeadBlocks, header: Buffer): Promise<void> {
    for (let goesOn = header[482] !== 0; goesOn; ) {
      this.#checkLength(blocks.length + blockBytes)
      const block = await this.#source.take(blockBytes)
      this.#checkWhole(block, blockBytes)
      blocks.map.push(block)
      blocks.add([block], 'map')
      goesOn = block[504] !== 0
    }
  }

  /** Two blocks of zeros end an archive; so does, where an entry has just ended, the end of the bytes. */
  async #isEnd(block: Buffer): Promise<boolean> {
    if (block.length > 0 && !(block.length === blockBytes && isZero(block))) return false
    const next = block.length === 0 ? block : await this.#source.take(blockBytes)
    if (!isZero(next)) throw this.#fault(`a single block of zeros before byte ${this.#source.position}`)
    if (next.length < blockBytes)
      this.#options.onOddity?.('the two blocks of zeros that end an archive are missing')
    return true
  }

  #checkWhole(bytes: Buffer, length: number): void {
    if (bytes.length < length) throw this.#fault(`cut off at byte ${this.#source.position}`)
  }

  #checkLength(bytes: number): void {
    const { maxHeadBytes = 1024 * 1024 } = this.#options
    if (bytes > maxHeadBytes)
      throw this.#fault(`headers of more than ${maxHeadBytes} bytes, which is the limit`)
  }

  #fault(text: string): Error {
    return tarFault(this.#options.name, text)
  }
}

/** They are looked at again for each entry. */
const mostGlobalBytes = 16 * 1024

/** PAX headers of one entry and of all that follow, and GNU's long link names and names (two forms). */
const longHeaders: readonly string[] = ['x', 'g', 'K', 'L', 'N']

function flagOf(block: Buffer): string {
  return block.toString('latin1', 156, 157)
}

import type { Header } from 'tar-stream'
import { quote } from '../errors.ts'
import { decodeName } from './entry-name.ts'
import { numberField } from './number-field.ts'
import type { PaxRecord } from './pax-records.ts'
import { decimal, oldSparseMap, paxSparseMap, type SparseMap } from './sparse-map.ts'
import type { TarHeader, TarType } from './tar-header.ts'
import { tarFault } from './tar-limits.ts'
import type { TarStream } from './tar-stream.ts'

/** The blocks of a header in the order of the archive. */
export interface DecodableBlocks {
  /** All but those that go on with an old sparse file's map, which are in `map`. */
  readonly all: readonly Buffer[]
  /** The one that describes the entry. */
  readonly last: Buffer
  readonly map: readonly Buffer[]
}

/** The header of an entry, and what it is called in messages. */
export interface HeadToDecode {
  readonly blocks: DecodableBlocks
  /** The records of PAX headers that count for this entry. */
  readonly records: readonly PaxRecord[]
  /** Where the header begins in the archive, in bytes. */
  readonly offset: number
  readonly archive: string
}

/**
 * What the blocks of a header say. tar-stream reads them; numbers, PAX records and sparse maps are read here, for it is
 * lenient with numbers, takes records for text and does not know maps.
 * @throws DrayError `INTEGRITY`
 */
export async function decodeHead(head: HeadToDecode, tarStream: TarStream): Promise<TarHeader> {
  const decoded = await decodeBlocks(head, tarStream)
  const fields = new Fields(head, decoded)
  const { name, type, sparse } = fields
  const storedSize = type === 'file' ? fields.number('size', 124, 12) : 0
  const isLink = type === 'link' || type === 'symlink'
  const isDevice = type === 'character-device' || type === 'block-device'
  return {
    name,
    type,
    size: sparse?.size ?? storedSize,
    storedSize,
    sparse: sparse?.map,
    mode: fields.number('mode', 100, 8) & 0o7777,
    uid: fields.number('uid', 108, 8),
    gid: fields.number('gid', 116, 8),
    uname: fields.text('uname') ?? decoded.uname ?? '',
    gname: fields.text('gname') ?? decoded.gname ?? '',
    mtime: fields.mtime(),
    linkname: isLink ? fields.target(decoded.linkname) : '',
    devmajor: isDevice ? fields.number('SCHILY.devmajor', 329, 8) : 0,
    devminor: isDevice ? fields.number('SCHILY.devminor', 337, 8) : 0,
    xattrs: fields.xattrs(),
  }
}

/**
 * In latin1 no byte of a name is lost. With this mark a `drain` tells that all is read, which costs less than an end: tar-stream
 * would find the content missing.
 */
const options: Parameters<TarStream['extract']>[0] &
  Record<'allowUnknownFormat' | 'filenameEncoding', unknown> = {
  allowUnknownFormat: true,
  filenameEncoding: 'latin1',
  highWaterMark: 1,
}

async function decodeBlocks(
  { blocks, offset, archive }: HeadToDecode,
  { extract }: TarStream,
): Promise<Header> {
  const decoded = await new Promise<Header | { readonly error?: unknown }>(resolve => {
    const extractor = extract(options)
    extractor.on('entry', resolve)
    extractor.on('error', error => resolve({ error }))
    extractor.on('drain', () => resolve({}))
    extractor.write(blocks.all.length === 1 ? blocks.last : Buffer.concat(blocks.all))
  })
  if ('name' in decoded) return decoded
  const isFirst = offset === 0 && blocks.all.length === 1
  const text = isFirst ? 'not a tar archive' : `the header at byte ${offset} is damaged`
  throw tarFault(archive, text, decoded.error)
}

const xattrPrefix = 'SCHILY.xattr.'

/** What PAX records say goes before what the ustar block says; a record without a value says nothing. */
class Fields {
  readonly #head: HeadToDecode
  readonly #records: ReadonlyMap<string, Uint8Array>
  readonly sparse: { readonly map: SparseMap; readonly size: number } | undefined
  readonly name: string
  readonly type: TarType

  constructor(head: HeadToDecode, { name, type }: Header) {
    this.#head = head
    const filled = head.records.filter(({ value }) => value.length > 0)
    this.#records = new Map(filled.map(({ key, value }) => [key, value]))
    this.name = this.text('GNU.sparse.name') ?? this.textOf('path', name)
    this.type = this.#type(type)
    const sparse = this.#flag === 'S' ? oldSparseMap(head.blocks.last, head.blocks.map) : paxSparseMap(filled)
    if (sparse === 'malformed') throw this.#fault('has a malformed map of its holes')
    this.sparse = this.type === 'file' ? sparse : undefined
    for (const key of textKeys) {
      if (this.#records.get(key)?.includes(0)) throw this.#fault(`has a NUL in its ${key}`)
    }
  }

  text(key: string): string | undefined {
    const value = this.#records.get(key)
    return value && decodeName(value)
  }

  /** A name that tar-stream found in a block, or a record that replaces it. */
  textOf(key: string, found: string | null | undefined): string {
    return this.text(key) ?? decodeName(Buffer.from(found ?? '', 'latin1'))
  }

  target(found: string | null | undefined): string {
    const target = this.textOf('linkpath', found)
    if (target === '') throw this.#fault('is a link that leads nowhere')
    return target
  }

  /** Not by tar-stream, which takes what is negative or no number for something else. */
  number(key: string, offset: number, length: number): number {
    const text = this.text(key)
    const value = text === undefined ? numberField(this.#head.blocks.last, offset, length) : decimal(text)
    if (value === undefined || value < 0) throw this.#fault(`has an impossible ${key}`)
    return value
  }

  mtime(): number {
    const text = this.text('mtime')
    const value = text === undefined ? numberField(this.#head.blocks.last, 136, 12) : seconds(text)
    if (value === undefined) throw this.#fault('has an impossible mtime')
    return value
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    const found = [...this.#records].filter(([key]) => key.startsWith(xattrPrefix))
    if (found.length === 0) return noXattrs
    // Copies, because a piece of the archive is to be forgotten when its header is read.
    return new Map(found.map(([key, value]) => [key.slice(xattrPrefix.length), Buffer.from(value)]))
  }

  get #flag(): string {
    return this.#head.blocks.last.toString('latin1', 156, 157)
  }

  #type(type: Header['type']): TarType {
    const isFile = type === 'file' || type === 'contiguous-file' || this.#flag === 'S'
    // Before ustar there was no type for folders.
    if (isFile) return this.name.endsWith('/') ? 'directory' : 'file'
    const known = types.find(one => one === type)
    if (known === undefined) throw this.#fault(`is of the unknown type ${quote(this.#flag)}`)
    return known
  }

  #fault(text: string): Error {
    return tarFault(this.#head.archive, `entry ${quote(this.name)} ${text}`)
  }
}

function seconds(text: string): number | undefined {
  return /^-?\d{1,15}(?:\.\d*)?$/.test(text) ? Number(text) : undefined
}

const textKeys: readonly string[] = ['path', 'linkpath', 'GNU.sparse.name', 'uname', 'gname']

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map()

const types: readonly TarType[] = ['link', 'symlink', 'directory', 'character-device', 'block-device', 'fifo']

import type { Header } from 'tar-stream'
import { paddingOf } from './blocks.ts'
import { encodeName } from './entry-name.ts'
import { formatPax, type PaxRecord } from './pax-records.ts'
import type { TarHeader } from './tar-header.ts'
import type { TarStream } from './tar-stream.ts'

/** All that is told of an entry to be written. */
export type WholeHeader = Omit<TarHeader, 'storedSize' | 'sparse'>

/**
 * The header of an entry as blocks of 512 bytes: a ustar block, behind a PAX header where the ustar block has no room for
 * something (names that are longer than 100 bytes or not ASCII, 8 GiB and more, fractions of a second, attributes).
 */
export async function encodeHead(header: WholeHeader, tarStream: TarStream): Promise<Buffer> {
  const records: PaxRecord[] = []
  const block = await ustarBlock(withoutOverflow(header, records), tarStream)
  return records.length === 0 ? block : Buffer.concat([await paxBlocks(records, tarStream), block])
}

/** A PAX header with these records, which goes in front of an entry's ustar block. */
export async function paxBlocks(records: readonly PaxRecord[], tarStream: TarStream): Promise<Buffer> {
  const body = formatPax(records)
  const header: Block = { ...root, name: 'PaxHeader', type: 'pax-header', size: body.length, mode: 0o644 }
  const head = await ustarBlock(header, tarStream)
  return Buffer.concat([head, body, Buffer.alloc(paddingOf(body.length))])
}

/** tar-stream's types leave the type of PAX headers out, which it writes all the same. */
type Block = Omit<Header, 'type'> & { readonly type: Header['type'] | 'pax-header' }

const root = {
  uid: 0,
  gid: 0,
  mtime: new Date(0),
  linkname: '',
  uname: '',
  gname: '',
  devmajor: 0,
  devminor: 0,
}

/** Puts what the ustar block has no room for into `records`, and something short in its place. */
function withoutOverflow(header: WholeHeader, records: PaxRecord[]): Block {
  const add = (key: string, value: string | Uint8Array) => {
    records.push({ key, value: typeof value === 'string' ? encodeName(value) : value })
  }
  const text = (key: string, value: string, room: number, substitute: string): string => {
    if (value.length <= room && /^[\x01-\x7f]*$/.test(value)) return value
    add(key, value)
    return substitute
  }
  const number = (key: string, value: number, most: number): number => {
    if (Number.isInteger(value) && value >= 0 && value <= most) return value
    // Not as `1e-7`.
    add(key, Number.isInteger(value) ? String(value) : value.toFixed(9))
    return Math.max(0, Math.min(Math.floor(value), most))
  }
  const block: Block = {
    name: text('path', header.name, 100, 'PaxName'),
    linkname: text('linkpath', header.linkname, 100, 'PaxLink'),
    type: header.type,
    size: number('size', header.size, 0o77777777777),
    // tar-stream takes a mode of 0 for none, and cuts the bits of the type off.
    mode: header.mode | 0o100000,
    uid: number('uid', header.uid, 0o777777),
    gid: number('gid', header.gid, 0o777777),
    // tar-stream counts the seconds in 32 bits.
    mtime: new Date(number('mtime', header.mtime, 0x7fffffff) * 1000),
    uname: text('uname', header.uname, 31, ''),
    gname: text('gname', header.gname, 31, ''),
    devmajor: number('SCHILY.devmajor', header.devmajor, 0o777777),
    devminor: number('SCHILY.devminor', header.devminor, 0o777777),
  }
  for (const [name, value] of header.xattrs) add(`SCHILY.xattr.${name}`, value)
  return block
}

/** The packer is told of a content that it never gets, so that the block is all that comes. */
async function ustarBlock(header: Block, { pack }: TarStream): Promise<Buffer> {
  const packer = pack()
  packer.entry(header as Header)
  await new Promise<void>(resolve => packer.once('readable', () => resolve()))
  return packer.read() as Buffer
}

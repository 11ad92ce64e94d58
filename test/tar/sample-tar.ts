import { type Chunks, pour } from '../../src/flow.ts'
import { readTar } from '../../src/tar/read-tar.ts'
import type { TarItem } from '../../src/tar/tar-header.ts'
import type { ReadTarOptions } from '../../src/tar/tar-limits.ts'
import { type NewTarHeader, tarOf } from '../../src/tar/tar-writer.ts'

/** An entry for a test: what is told of it, and its content as text. */
export type SampleEntry = Omit<NewTarHeader, 'size'> & { readonly text?: string }

/** All bytes of some content. */
export async function bytesOf(chunks: Chunks): Promise<Buffer> {
  const pieces: Buffer[] = []
  await pour(chunks, piece => {
    pieces.push(Buffer.from(piece))
    return undefined
  })
  return Buffer.concat(pieces)
}

/** Bytes in pieces of a length that fits no block. */
export async function* piecesOf(bytes: Uint8Array, length = 700): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length)
}

/** An archive with these entries, as our own writer writes it. */
export async function sampleTar(...entries: readonly SampleEntry[]): Promise<Buffer> {
  const fill = tarOf('sample.tar', async tar => {
    for (const { text = '', ...header } of entries) {
      await tar.add({ ...header, size: Buffer.byteLength(text) }, piecesOf(Buffer.from(text)))
    }
  })
  return bytesOf(fill)
}

/** An entry that was read, with all of its content. */
export type WholeItem = Omit<TarItem, 'content'> & { readonly stored: Buffer }

/** Reads an archive to its end. */
export async function itemsOf(
  bytes: Uint8Array | Chunks,
  options: Partial<ReadTarOptions> = {},
): Promise<WholeItem[]> {
  const items: WholeItem[] = []
  const chunks = bytes instanceof Uint8Array ? piecesOf(bytes) : bytes
  for await (const { content, ...item } of readTar(chunks, { name: 'sample.tar', ...options })) {
    items.push({ ...item, stored: await bytesOf(content) })
  }
  return items
}

/** A block of 512 bytes with some fields set by hand, and its checksum right. */
export function handmadeBlock(fields: Readonly<Record<number, string | Uint8Array>>): Buffer {
  const block = Buffer.alloc(512)
  for (const [offset, value] of Object.entries(fields))
    block.set(Buffer.from(value as string), Number(offset))
  return withChecksum(block)
}

/** The same block with its checksum right (POSIX.1-2017 pax, "ustar Interchange Format"). */
export function withChecksum(block: Uint8Array): Buffer {
  const copy = Buffer.from(block)
  copy.fill(' ', 148, 156)
  const sum = copy.reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return copy
}

/** Bytes filled up to whole blocks. */
export function padded(bytes: string | Uint8Array): Buffer {
  const content = Buffer.from(bytes as string)
  return Buffer.concat([content, Buffer.alloc(-content.length & 511)])
}

/** A header with a body, such as a PAX header (`x`) or a long name (`L`). */
export function longHeader(flag: string, body: string | Uint8Array): Buffer {
  const size = Buffer.byteLength(body as string)
    .toString(8)
    .padStart(11, '0')
  return Buffer.concat([
    handmadeBlock({ 0: 'long', 124: size, 156: flag, 257: 'ustar\0' + '00' }),
    padded(body),
  ])
}

/** The two blocks that end an archive. */
export const endBlocks = Buffer.alloc(1024)

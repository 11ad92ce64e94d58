import type { Transform } from 'node:stream'
import { DrayError } from '../errors.ts'
import { isSkippable } from './zstd-frames.ts'

/** How an archive or layer is compressed. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** How many bytes `compressionOf` wants to see. */
export const magicBytes = 4

/** What the first bytes of some content say of its compression (RFC 1952, section 2.3.1; RFC 8878, section 3.1). */
export function compressionOf(start: Buffer): Compression {
  if (start.length >= 2 && start.readUInt16BE() === 0x1f8b) return 'gzip'
  if (start.length < magicBytes) return 'none'
  const magic = start.readUInt32LE()
  return magic === 0xfd2fb528 || isSkippable(magic) ? 'zstd' : 'none'
}

/** A stream of node:zlib: what is written to it comes out compressed or decompressed. */
export type ZlibStream = Transform & { readonly bytesWritten: number }

/** More than Node's own 16 KiB, which costs a turn of the thread pool for each. */
const chunkSize = 128 * 1024

/**
 * A stream that compresses, with nothing in its output but what is in the content.
 * @throws DrayError `UNSUPPORTED` for zstd where this Node.js has none
 */
export async function compressor(compression: 'gzip' | 'zstd', level?: number): Promise<ZlibStream> {
  const zlib = await import('node:zlib')
  if (compression === 'gzip') return zlib.createGzip({ chunkSize, level: level ?? 6 })
  const { createZstdCompress = lacking(), constants } = zlib
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? 3, [constants.ZSTD_c_checksumFlag]: 1 }
  return createZstdCompress({ chunkSize, params })
}

/**
 * A stream that decompresses.
 * @throws DrayError `UNSUPPORTED` for zstd where this Node.js has none
 */
export async function decompressor(compression: 'gzip' | 'zstd'): Promise<ZlibStream> {
  const zlib = await import('node:zlib')
  if (compression === 'gzip') return zlib.createGunzip({ chunkSize })
  const { createZstdDecompress = lacking() } = zlib
  return createZstdDecompress({ chunkSize })
}

function lacking(): never {
  throw new DrayError('UNSUPPORTED', `Node.js ${process.version} cannot read or write zstd`, {
    hint: 'use Node.js 22.15 or later',
  })
}

import { type FileHandle, open, rm } from 'node:fs/promises'
import { FileAppender } from '../files/file-appender.ts'
import { onDisk } from '../files/io-error.ts'
import { temporaryPath } from '../files/temporary-name.ts'
import { type Chunks, pour } from '../flow.ts'
import { untilAborted } from '../until-aborted.ts'
import { aborted } from './aborted.ts'
import { compressionOf, magicBytes } from './compression.ts'
import { type DecompressLimits, decompressed } from './decompress.ts'
import { indexedTarFile, TarFile } from './tar-file.ts'
import type { TarLimits } from './tar-limits.ts'

export interface OpenArchiveOptions extends TarLimits, DecompressLimits {
  /** Where an archive that cannot be read in place is put while it is open; must be there. */
  readonly temporaryFolder: string
  /** What the archive is called in messages; the path when absent. */
  readonly name?: string | undefined
  /** Ends the reading of an archive that is not read in place. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an archive, plain or compressed with gzip or zstd, from a file or from chunks; one that is open already is given
 * back. A plain file is read where it is;
 * everything else is written, unpacked, into a file without a name in the temporary folder, which the system removes when
 * the archive is closed, and also when the program is killed.
 * @throws DrayError `NOT_FOUND`, `IO`, `ABORTED`, `UNSUPPORTED` for zstd where this Node.js has none; `INTEGRITY` as
 * `readTar` and `decompressed`; what the chunks throw
 */
export async function openArchive(
  source: string | Chunks | TarFile,
  options: OpenArchiveOptions,
): Promise<TarFile> {
  if (source instanceof TarFile) return source
  if (typeof source !== 'string') return spooled(source, options.name ?? 'the archive', options)
  const name = options.name ?? source
  const file = await onDisk(name, open(source, 'r'))
  let isKept = false
  try {
    if (await isPlain(file, name)) {
      isKept = true
      return await indexedTarFile(file, name, options)
    }
    return await spooled(fileChunks(file, name), name, options)
  } finally {
    // Not longer than the signal says: while a pipe gives nothing it cannot be closed.
    if (!isKept) await untilAborted(file.close(), options.signal, fired => aborted(name, fired))
  }
}

async function isPlain(file: FileHandle, name: string): Promise<boolean> {
  if (!(await onDisk(name, file.stat())).isFile()) return false
  const { buffer, bytesRead } = await onDisk(name, file.read(Buffer.alloc(magicBytes), 0, magicBytes, 0))
  return compressionOf(buffer.subarray(0, bytesRead)) === 'none'
}

const pieceBytes = 64 * 1024

/** One piece behind the other, as pipes give them. */
async function* fileChunks(file: FileHandle, name: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(pieceBytes)
    const { bytesRead } = await onDisk(name, file.read(piece, 0, pieceBytes, null))
    if (bytesRead === 0) return
    yield piece.subarray(0, bytesRead)
  }
}

async function spooled(chunks: Chunks, name: string, options: OpenArchiveOptions): Promise<TarFile> {
  const { temporaryFolder, signal } = options
  const file = await namelessFile(temporaryFolder)
  const writing = async () => {
    const { content } = await decompressed(chunks, { ...options, name })
    const appender = new FileAppender(file, { path: temporaryFolder, position: 0 })
    await pour(content, piece => {
      if (signal?.aborted) throw aborted(name, signal)
      return appender.add(piece)
    })
    await appender.end()
  }
  try {
    await untilAborted(writing(), signal, fired => aborted(name, fired))
  } catch (error) {
    await file.close()
    throw error
  }
  return indexedTarFile(file, name, options)
}

/** Without a name it needs nobody to remove it. */
async function namelessFile(folder: string): Promise<FileHandle> {
  const path = temporaryPath(folder)
  const file = await onDisk(folder, open(path, 'wx+', 0o600), 'IO')
  try {
    await onDisk(path, rm(path))
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

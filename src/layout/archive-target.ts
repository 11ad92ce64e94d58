import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DrayError, isDrayError, quote } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { linkTarget } from '../files/link-target.ts'
import { makeFolder } from '../files/make-folder.ts'
import type { Chunks } from '../flow.ts'
import { type CompressOptions, compressed } from '../tar/compress.ts'
import { type Compression, compressor } from '../tar/compression.ts'
import { type TarWriter, tarOf } from '../tar/tar-writer.ts'
import { writeTarFile } from '../tar/write-tar-file.ts'
import { type LayoutArchive, openLayoutArchive } from './layout-archive.ts'
import { PartialFolder } from './partial-folder.ts'

export interface LayoutArchiveDestinationOptions extends CompressOptions {
  /** Where the content of a stream is collected, and an old archive put that cannot be read in place; must be there. */
  readonly tmpDir: string
  /** What a stream is called in messages: `-` when absent. */
  readonly name?: string | undefined
  /** Begin anew instead of adding to an archive that is there. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Takes the bytes of an archive, as stdout does. */
export type WriteArchive = (content: Chunks) => Promise<void>

/** Where an archive goes to. */
export interface ArchiveTarget {
  /** What the archive is called in messages. */
  readonly name: string
  /** Where the content is collected. Nobody else uses this folder. */
  readonly folder: string
  /** Permissions of the folder; what the umask leaves when absent. */
  readonly mode?: number
  /** Where large blobs are kept when the archive does not come to be; nowhere when absent. */
  readonly partials?: PartialFolder
  /** The archive that is there, and whose content stays. */
  readonly old?: LayoutArchive | undefined
  /** Writes the archive with the entries that `fill` adds. */
  write(fill: (tar: TarWriter) => Promise<void>): Promise<void>
}

/**
 * An archive that goes to a file, or to what takes its bytes.
 * @throws DrayError `UNSUPPORTED` for zstd where this Node.js has none; as `fileTarget`
 */
export async function openArchiveTarget(
  target: string | WriteArchive,
  options: LayoutArchiveDestinationOptions,
): Promise<ArchiveTarget> {
  if (typeof target === 'string') return fileTarget(target, options)
  await checkCompression(options)
  return streamTarget(target, options)
}

/** An archive that goes to a stream; its content is collected in the temporary folder. */
export function streamTarget(take: WriteArchive, options: LayoutArchiveDestinationOptions): ArchiveTarget {
  const name = `oci-archive:${options.name ?? '-'}`
  return {
    name,
    folder: join(options.tmpDir, `dray-${randomUUID()}`),
    mode: 0o700,
    write: fill => take(compressed(tarOf(name, fill), options)),
  }
}

/**
 * An archive that is, or will be, a file; its content is collected in a hidden folder beside it.
 * @throws DrayError `USAGE` where something is there that no image can be added to; `INTEGRITY`, `UNSUPPORTED`, `IO`
 */
export async function fileTarget(
  path: string,
  options: LayoutArchiveDestinationOptions,
): Promise<ArchiveTarget> {
  const file = await linkTarget(path)
  const compression = { compression: options.compression ?? compressionOfName(file), level: options.level }
  await checkCompression(compression)
  const before = await describe(file)
  const old = before.isEmpty || options.replace ? undefined : await openOld(file, options)
  const hidden = join(dirname(file), `.${basename(file)}.partial`)
  return {
    name: `oci-archive:${path}`,
    folder: join(hidden, randomUUID()),
    partials: new PartialFolder(hidden),
    old,
    async write(fill) {
      if ((await describe(file)).identity !== before.identity) throw changed(path)
      await makeFolder(dirname(file))
      await writeTarFile(file, fill, compression)
    },
  }
}

/** What this Node.js cannot do would otherwise be noticed when everything has been fetched. */
async function checkCompression({ compression = 'none', level }: CompressOptions): Promise<void> {
  if (compression !== 'none') (await compressor(compression, level)).destroy()
}

function compressionOfName(file: string): Compression {
  if (/\.t?gz$/i.test(file)) return 'gzip'
  return /\.t?zst$/i.test(file) ? 'zstd' : 'none'
}

interface FileState {
  readonly isEmpty: boolean
  /** Another text when somebody has written the file since. */
  readonly identity: string
}

async function describe(file: string): Promise<FileState> {
  const status = await ifThere(onDisk(file, stat(file, { bigint: true })))
  if (status === undefined) return { isEmpty: true, identity: '' }
  // Not a device or pipe either, in whose place a file would come.
  if (!status.isFile()) throw new DrayError('USAGE', `${file}: not a file`)
  const { size, dev, ino, mtimeNs } = status
  return { isEmpty: size === 0n, identity: `${dev} ${ino} ${size} ${mtimeNs}` }
}

async function openOld(
  file: string,
  { tmpDir, signal }: LayoutArchiveDestinationOptions,
): Promise<LayoutArchive> {
  const hint = 'remove the file first, or write to another one'
  try {
    const old = await openLayoutArchive(file, { tmpDir, signal })
    const foreign = old.files.findForeign()
    if (foreign === undefined) return old
    await old.close()
    throw new DrayError('USAGE', `${file}: holds ${quote(foreign)} too, which would be lost`, { hint })
  } catch (cause) {
    if (!isDrayError(cause, 'NOT_FOUND', 'INTEGRITY')) throw cause
    const code = cause.code === 'NOT_FOUND' ? 'USAGE' : cause.code
    throw new DrayError(code, cause.message, { hint, cause })
  }
}

function changed(path: string): DrayError {
  return new DrayError('IO', `${path}: another program has written this file in the meantime`, {
    hint: 'run the command again',
  })
}

import type { Chunks } from '../flow.ts'
import { openArchive } from '../tar/open-archive.ts'
import type { TarFile } from '../tar/tar-file.ts'
import { ArchiveFiles } from './archive-files.ts'
import { LayoutReader } from './layout-reader.ts'

/** How an archive is opened. */
export interface OpenLayoutArchiveOptions {
  /** Where an archive that cannot be read in place is put, unpacked, while it is open; must be there. */
  readonly tmpDir: string
  /** What a stream is called in messages: `-` when absent. */
  readonly name?: string | undefined
  /** Ends the reading of a compressed archive or a stream. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an archive that holds an OCI image layout (image-spec v1.1, image-layout.md): a file, or a stream as it comes from
 * stdin; tar, tar.gz or tar.zst; or one that is open already. A tar that is a file is read where it lies, and only its
 * headers until a blob is asked for.
 * @throws DrayError `NOT_FOUND` also where the archive holds something else; `UNSUPPORTED` for another layout version, and
 * for zstd where this Node.js has none; `INTEGRITY`, `ABORTED`, `IO`
 */
export async function openLayoutArchive(
  source: string | Chunks | TarFile,
  { tmpDir, name, signal }: OpenLayoutArchiveOptions,
): Promise<LayoutArchive> {
  const path = typeof source === 'string' ? source : (name ?? '-')
  const tar = await openArchive(source, { temporaryFolder: tmpDir, name: path, signal })
  try {
    return new LayoutArchive(`oci-archive:${tar.name}`, tar, await ArchiveFiles.open(tar))
  } catch (error) {
    await tar.close()
    throw error
  }
}

/** An OCI image layout in an archive, to be read. It is open until it is closed. */
export class LayoutArchive extends LayoutReader implements AsyncDisposable {
  readonly files: ArchiveFiles
  readonly #tar: TarFile

  /** For `openLayoutArchive`. */
  constructor(name: string, tar: TarFile, files: ArchiveFiles) {
    super(name, files)
    this.files = files
    this.#tar = tar
  }

  /** What is wrong with the archive and does no harm to what it holds, as sentences. */
  get oddities(): readonly string[] {
    return this.#tar.oddities
  }

  /** Closes the file; nothing can be read after that. @throws DrayError `IO` */
  async close(): Promise<void> {
    await this.#tar.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

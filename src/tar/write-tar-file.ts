import { FileAppender } from '../files/file-appender.ts'
import { replaceFile } from '../files/replace-file.ts'
import { pour } from '../flow.ts'
import { type CompressOptions, compressed } from './compress.ts'
import { type TarWriter, tarOf } from './tar-writer.ts'

export interface WriteTarFileOptions extends CompressOptions {
  /** The permissions of the file; what the umask leaves when absent. */
  readonly mode?: number | undefined
}

/**
 * Writes an archive to a file, which appears under its name when it is whole (see `replaceFile`), with the entries that
 * `fill` adds.
 * @throws DrayError `IO`, `UNSUPPORTED` for zstd where this Node.js has none; what `fill` throws
 */
export async function writeTarFile(
  path: string,
  fill: (tar: TarWriter) => Promise<void>,
  { mode, ...options }: WriteTarFileOptions = {},
): Promise<void> {
  await replaceFile(
    path,
    async file => {
      const appender = new FileAppender(file, { path, position: 0 })
      try {
        await pour(compressed(tarOf(path, fill), options), piece => appender.add(piece))
      } finally {
        await appender.end()
      }
    },
    { mode },
  )
}

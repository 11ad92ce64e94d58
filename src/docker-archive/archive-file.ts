import { quote } from '../errors.ts'
import { parseJson } from '../oci/document.ts'
import type { TarFile } from '../tar/tar-file.ts'
import type { TarFileEntry } from '../tar/tar-header.ts'
import { tarFault } from '../tar/tar-limits.ts'

export interface ReadFileOptions {
  /** The most bytes that are read. */
  readonly limit: number
  readonly signal?: AbortSignal | undefined
}

/**
 * A JSON document of the archive, or undefined where it is not there.
 * @throws DrayError `INTEGRITY`, `ABORTED`, `IO`
 */
export async function readJson(tar: TarFile, path: string, options: ReadFileOptions): Promise<unknown> {
  if (tar.follow(path) === undefined) return undefined
  return parseJson(await readFile(tar, path, options), `${tar.name}: ${path}`)
}

/**
 * A small file of the archive, through links within it.
 * @throws DrayError `INTEGRITY` also where it is not there, `ABORTED`, `IO`
 */
export async function readFile(
  tar: TarFile,
  path: string,
  { limit, signal }: ReadFileOptions,
): Promise<Buffer> {
  return tar.readBytes(findFile(tar, path), limit, signal)
}

/**
 * The file that a name leads to, through links within the archive.
 * @throws DrayError `INTEGRITY` where it has no such file, or where links do not end within it
 */
export function findFile(tar: TarFile, path: string): TarFileEntry {
  const entry = tar.follow(path)
  if (entry?.type === 'file') return entry
  throw tarFault(tar.name, `the archive has no file ${quote(path)}, which an image of it needs`)
}

import type { FileHandle } from 'node:fs/promises'
import { StagedFile, type StagedFileOptions } from './staged-file.ts'

/**
 * Gives a file new content all at once: it is written under a temporary name in the same folder, flushed to disk and
 * renamed. Whoever reads sees the old content or the whole of the new, and after a failure the old is still there and
 * nothing beside it. A link is replaced and not followed; see `linkTarget`.
 * @param content a text, or what writes to the file
 * @throws DrayError `IO`, and what `content` throws
 */
export async function replaceFile(
  path: string,
  content: string | ((file: FileHandle) => Promise<void>),
  options?: StagedFileOptions,
): Promise<void> {
  await using staged = new StagedFile(path, content, options)
  await staged.putInPlace()
}

import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ifThere, onDisk } from './io-error.ts'

/** The name of a file that is not in its place yet, or that one who was killed has left. */
export const temporaryName = /^\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

export interface ReplaceFileOptions {
  /** The permissions of the new file, such as `0o600` for its owner alone; what the umask leaves when absent. */
  readonly mode?: number | undefined
  /** Gives the new file to the owner of the old one; only root may do that. */
  readonly keepOwner?: boolean | undefined
}

/**
 * Gives a file new content all at once: it is written under a temporary name in the same folder, which must be there,
 * flushed to disk and renamed. Whoever reads sees the old content or the whole of the new, and after a failure the old
 * is still there and nothing beside it. A link is replaced and not followed; see `linkTarget`.
 * @param content a text, or what writes to the file
 * @throws DrayError `IO`, and what `content` throws
 */
export async function replaceFile(
  path: string,
  content: string | ((file: FileHandle) => Promise<void>),
  options: ReplaceFileOptions = {},
): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${randomUUID()}.tmp`)
  const owner = options.keepOwner ? await ifThere(onDisk(path, stat(path))) : undefined
  const file = await onDisk(folder, open(temporary, 'wx', options.mode), 'IO')
  try {
    try {
      if (typeof content === 'string') await onDisk(path, file.writeFile(content))
      else await content(file)
      if (owner !== undefined) await onDisk(path, file.chown(owner.uid, owner.gid))
      await onDisk(path, file.sync())
    } finally {
      await onDisk(path, file.close())
    }
    await onDisk(path, rename(temporary, path), 'IO')
  } catch (error) {
    await onDisk(temporary, rm(temporary, { force: true }))
    throw error
  }
}

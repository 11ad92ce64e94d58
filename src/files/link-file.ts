import { link, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ioError, systemCode } from './io-error.ts'
import { inFolder } from './make-folder.ts'
import { removeFile } from './remove-file.ts'
import { temporaryPath } from './temporary-name.ts'

/** Where a file system has no hard links or none to that file, where it is another one or full, or the file has too many. */
const cannotLink: readonly (string | undefined)[] = [
  'ENOENT',
  'EPERM',
  'EACCES',
  'EXDEV',
  'EMLINK',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSPC',
  'EDQUOT',
]

/**
 * Gives a file another name, in the place of what has that name, without a moment in which nothing has it; makes the
 * folder of that name where it is missing.
 * @returns false where that cannot be, or there is no such file
 * @throws DrayError `IO`
 */
export async function linkFile(file: string, path: string): Promise<boolean> {
  try {
    await inFolder(dirname(path), () => linkOver(file, path))
    return true
  } catch (error) {
    if (cannotLink.includes(systemCode(error))) return false
    throw ioError(path, error, 'IO')
  }
}

async function linkOver(file: string, path: string): Promise<void> {
  try {
    return await link(file, path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  const temporary = temporaryPath(dirname(path))
  await link(file, temporary)
  try {
    await rename(temporary, path)
  } finally {
    // Where both are names of one file already, rename leaves them both.
    await removeFile(temporary)
  }
}

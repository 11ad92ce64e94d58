import { DrayError } from '../errors.ts'

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'something else is in the way',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk failed',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a symbolic link, which is not followed',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of the path is not a folder',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
}

/**
 * Waits for a file operation and names the file when it fails.
 * @throws DrayError `NOT_FOUND` where nothing is there, `IO` for other failures of the file system
 */
export async function onDisk<Result>(path: string, operation: Promise<Result>): Promise<Result> {
  try {
    return await operation
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    const reason = reasons[code] ?? `the file system answered ${code}`
    const isAbsent = code === 'ENOENT' || code === 'ENOTDIR'
    throw new DrayError(isAbsent ? 'NOT_FOUND' : 'IO', `${path}: ${reason}`, { cause: error })
  }
}

/** The `code` of an error of the operating system (`ENOENT`), undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

import { DrayError, type ErrorCode, isDrayError } from '../errors.ts'

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'something else is in the way',
  EFBIG: 'the file would be too large',
  EIO: 'the disk failed',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a symbolic link that is not followed, or that leads in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'too many files are open',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of the path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  // Node's own, where rm is given a folder.
  ERR_FS_EISDIR: 'it is a folder',
}

/**
 * Waits for a file operation and names the file when it fails (`PATH: permission denied`). What else the operation
 * throws stays what it is.
 * @param absence the code where nothing is there: `IO` is for what is written, and for files that must be there
 * @throws DrayError `absence`, `IO` for other failures of the file system
 */
export async function onDisk<Result>(
  path: string,
  operation: Promise<Result>,
  absence: ErrorCode = 'NOT_FOUND',
): Promise<Result> {
  try {
    return await operation
  } catch (error) {
    throw ioError(path, error, absence)
  }
}

/**
 * An error of the operating system as a DrayError that begins with `name`; other errors stay what they are.
 * @param absence the code where nothing is there
 */
export function ioError(name: string, error: unknown, absence: ErrorCode): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const isAbsent = code === 'ENOENT' || code === 'ENOTDIR'
  const reason = reasons[code] ?? `the system answered ${code}`
  return new DrayError(isAbsent ? absence : 'IO', `${name}: ${reason}`, { cause: error })
}

/** What the work gives, or undefined where it ends with `NOT_FOUND`. */
export async function ifThere<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

/** The `code` of an error of the operating system (`ENOENT`), undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

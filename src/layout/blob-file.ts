import { lstat, lutimes, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ifThere, ioError, onDisk, systemCode } from '../files/io-error.ts'
import type { Digest } from '../oci/digest.ts'

/** A blob's file, as it was seen at some time. */
export interface BlobStatus {
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
  /** When it was written or used last, in milliseconds since 1970. */
  readonly usedMs: number
  /** The file has so many names, in this store and others. */
  readonly links: number
  /** The same for all names of one file. */
  readonly file: string
}

/** Undefined where there is no such file; a symbolic link is none. @throws DrayError `IO` */
export async function blobStatus(digest: Digest, path: string): Promise<BlobStatus | undefined> {
  const status = await ifThere(onDisk(path, lstat(path)))
  if (!status?.isFile()) return undefined
  const { size, mtimeMs: usedMs, nlink: links, dev, ino } = status
  return { digest, size, usedMs, links, file: `${dev}:${ino}` }
}

/** What keeps a reader from marking what it reads: the files are another's, or cannot be written, or have no times. */
const cannotMark: readonly (string | undefined)[] = [
  'EROFS',
  'EPERM',
  'EACCES',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
]

/** Marks a file as used just now, where that can be done. @throws DrayError `NOT_FOUND`, `IO` */
export async function markUsed(path: string): Promise<void> {
  const now = new Date()
  try {
    await lutimes(path, now, now)
  } catch (error) {
    if (!cannotMark.includes(systemCode(error))) throw ioError(path, error, 'NOT_FOUND')
  }
}

/** At the end of the name that a blob has while it is removed. */
const asideSuffix = '.unused'

function asidePath(path: string): string {
  return join(dirname(path), `.${basename(path)}${asideSuffix}`)
}

/** The name that a blob's file had which was set aside; undefined for other files. */
export function nameBeforeAside(name: string): string | undefined {
  return name.startsWith('.') && name.endsWith(asideSuffix) ? name.slice(1, -asideSuffix.length) : undefined
}

/**
 * Removes a file, unless somebody has used it since it was seen: it is set aside, so that nobody finds it any more, and then
 * looked at once more.
 * @returns what was removed; undefined where it was used, or was gone
 * @throws DrayError `IO`
 */
export async function deleteUnusedFile(
  path: string,
  { digest, usedMs }: BlobStatus,
): Promise<BlobStatus | undefined> {
  const aside = asidePath(path)
  const isAside = await ifThere(onDisk(path, rename(path, aside)).then(() => true))
  if (isAside === undefined) return undefined
  const status = await blobStatus(digest, aside)
  if (status?.usedMs !== usedMs) {
    await putFileBack(path)
    return undefined
  }
  await onDisk(aside, rm(aside, { force: true }))
  return status
}

/** Puts a file back that was set aside, unless another has come in its place. @throws DrayError `IO` */
export async function putFileBack(path: string): Promise<void> {
  const aside = asidePath(path)
  const isHere = (await ifThere(onDisk(path, lstat(path)))) !== undefined
  await ifThere(onDisk(aside, isHere ? rm(aside, { force: true }) : rename(aside, path)))
}

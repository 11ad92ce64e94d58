import { randomUUID } from 'node:crypto'
import { mkdir, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { attempt, ioFault, isErrno } from './io-fault.ts'

export interface ReplaceFileOptions {
  /** Gives the new file to the owner of the old one; only root may do that. */
  readonly keepOwner?: boolean | undefined
}

/**
 * The file that a path leads to through symbolic links, whether or not it exists.
 * @throws DrayError `IO`
 */
export async function linkTarget(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw ioFault(`read ${path}`, error)
  }
  const link = await readLink(path)
  return link === undefined ? path : linkTarget(resolve(dirname(path), link))
}

/**
 * Gives a file new content, readable for its owner alone (mode 0600), all at once: whoever reads it sees the old or the
 * new content, and after a failure the old one is still there. `path` must not be a link.
 * @throws DrayError `IO`
 */
export async function replaceFile(
  path: string,
  content: string,
  options: ReplaceFileOptions = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
  await attempt(`write ${path}`, async () => {
    try {
      await writeNew(temporary, content, options.keepOwner ? await ownerOf(path) : undefined)
      await rename(temporary, path)
    } finally {
      await rm(temporary, { force: true })
    }
  })
}

/**
 * Makes the folder of a file, for its owner alone (mode 0700), where it is missing.
 * @throws DrayError `IO`
 */
export async function makeFolderOf(path: string): Promise<void> {
  await attempt(`create ${dirname(path)}`, () => mkdir(dirname(path), { recursive: true, mode: 0o700 }))
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

async function writeNew(path: string, content: string, owner: Owner | undefined): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(content)
  if (owner !== undefined) await file.chown(owner.uid, owner.gid)
  await file.sync()
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return undefined
    throw ioFault(`read ${path}`, error)
  }
}

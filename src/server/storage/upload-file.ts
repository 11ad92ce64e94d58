import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { DrayError } from '../../errors.ts'
import { onDisk } from '../../files/io-error.ts'
import { pourFile } from '../../files/pour-file.ts'
import { replaceFile } from '../../files/replace-file.ts'

/** A file that an upload is kept in. */
export interface UploadFile {
  /** In bytes. */
  readonly size: number
  /** Which file it is, by number and not by name. */
  readonly file: string
}

/** @throws DrayError `IO` */
export async function statusOf(handle: FileHandle, path: string): Promise<UploadFile> {
  const status = await onDisk(path, handle.stat({ bigint: true }))
  return { size: Number(status.size), file: fileIn(status) }
}

/** Which file is at a path; a link is a file too. @throws DrayError `NOT_FOUND`, `IO` */
export async function fileAt(path: string): Promise<string> {
  return fileIn(await onDisk(path, lstat(path, { bigint: true })))
}

/** Opens the file at a path where it is that file. @throws DrayError `NOT_FOUND` also where it is another one, `IO` */
export async function openSame(path: string, file: string, flags: number): Promise<FileHandle> {
  const handle = await onDisk(path, open(path, flags))
  try {
    if ((await statusOf(handle, path)).file === file) return handle
    throw new DrayError('NOT_FOUND', `${path}: another file has taken its place`)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Puts a copy in the place of a file, and says which file that is. @throws DrayError `NOT_FOUND`, `IO` */
export async function replaceByCopy(path: string): Promise<string> {
  let file = ''
  await replaceFile(path, async copy => {
    await using source = await onDisk(path, open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)))
    await pourFile(source, piece => onDisk(path, copy.appendFile(piece)), { path })
    file = (await statusOf(copy, path)).file
  })
  return file
}

function fileIn({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`
}

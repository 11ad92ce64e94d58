import { DrayError } from '../errors.ts'
import { withFileLock } from '../files/file-lock.ts'
import { ifThere } from '../files/io-error.ts'
import { linkTarget } from '../files/link-target.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'

/** The largest file of logins that is read, in bytes. */
export const maxFileBytes = 1024 * 1024

/**
 * Reads a small file of UTF-8 text; undefined when there is none.
 * @throws DrayError `IO` when it cannot be read, `INTEGRITY` when it is too big or no text
 */
export async function readText(path: string): Promise<string | undefined> {
  const bytes = await ifThere(readBounded(path, maxFileBytes))
  return bytes && decodeUtf8(bytes, path)
}

/**
 * Changes a file, creating it where there is none; nothing is written when `edit` answers undefined. What is written only
 * its owner can read. Changes by several processes happen one after the other, so none is lost.
 * @param edit gets the file's text, which is empty where there is no file
 * @param uid the user's number; root keeps the file's owner
 * @throws DrayError `IO`, `INTEGRITY`, or `TIMEOUT` when another process keeps the file's lock; what `edit` throws
 */
export async function updateText(
  path: string,
  edit: (text: string) => string | undefined,
  uid: number | undefined,
): Promise<void> {
  const file = await linkTarget(path)
  await withFileLock(file, async () => {
    const text = edit((await readText(file)) ?? '')
    if (text !== undefined) await replaceFile(file, text, { mode: 0o600, keepOwner: uid === 0 })
  })
}

function decodeUtf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DrayError('INTEGRITY', `${path}: not UTF-8 text`)
  }
}

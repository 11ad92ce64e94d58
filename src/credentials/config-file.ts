import { DrayError } from '../errors.ts'
import { withFileLock } from '../files/file-lock.ts'
import { ifThere } from '../files/io-error.ts'
import { linkTarget } from '../files/link-target.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'
import { type ConfigDocument, formatConfig, parseConfig } from './config-document.ts'

/** The largest config file that is read, in bytes. */
export const maxConfigBytes = 1024 * 1024

/**
 * Reads a config file; undefined when there is none.
 * @throws DrayError `IO` when it cannot be read, `INTEGRITY` when it is malformed or too big
 */
export async function readConfigFile(path: string): Promise<ConfigDocument | undefined> {
  const bytes = await ifThere(readBounded(path, maxConfigBytes))
  return bytes && parseConfig(decodeUtf8(bytes, path), path)
}

/**
 * Changes a config file, creating it where there is none; nothing is written when `edit` changes nothing. What is written
 * only its owner can read. Changes by several processes happen one after the other, so none is lost.
 * @param uid the user's number; root keeps the file's owner
 * @throws DrayError `IO`, `INTEGRITY`, or `TIMEOUT` when another process keeps the file's lock
 */
export async function updateConfigFile(
  path: string,
  edit: (config: ConfigDocument) => ConfigDocument,
  uid?: number,
): Promise<void> {
  const file = await linkTarget(path)
  await withFileLock(file, async () => {
    const before = (await readConfigFile(file)) ?? {}
    const after = formatConfig(edit(before))
    if (after === formatConfig(before)) return
    await replaceFile(file, after, { mode: 0o600, keepOwner: uid === 0 })
  })
}

function decodeUtf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DrayError('INTEGRITY', `${path}: not UTF-8 text`)
  }
}

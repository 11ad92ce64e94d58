import { open } from 'node:fs/promises'
import { DrayError } from '../errors.ts'
import { type ConfigDocument, formatConfig, parseConfig } from './config-document.ts'
import { withFileLock } from './file-lock.ts'
import { ioFault, isErrno } from './io-fault.ts'
import { linkTarget, replaceFile } from './replace-file.ts'

/** The largest config file that is read, in bytes. */
export const maxConfigBytes = 1024 * 1024

/**
 * Reads a config file; undefined when there is none.
 * @throws DrayError `IO` when it cannot be read, `INTEGRITY` when it is malformed or too big
 */
export async function readConfigFile(path: string): Promise<ConfigDocument | undefined> {
  const bytes = await readLimited(path)
  if (bytes === undefined) return undefined
  if (bytes.length > maxConfigBytes) {
    throw new DrayError('INTEGRITY', `${path}: more than ${maxConfigBytes} bytes, which is the limit`)
  }
  return parseConfig(decodeUtf8(bytes, path), path)
}

/**
 * Changes a config file, creating it where there is none; nothing is written when `edit` changes nothing. Changes by
 * several processes happen one after the other, so none is lost.
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
    if (after !== formatConfig(before)) await replaceFile(file, after, { keepOwner: uid === 0 })
  })
}

async function readLimited(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path)
    const chunks: Buffer[] = []
    // Not by the size that stat tells: --authfile may be a pipe.
    for await (const chunk of file.createReadStream({ end: maxConfigBytes, autoClose: false }))
      chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw ioFault(`read ${path}`, error)
  }
}

function decodeUtf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DrayError('INTEGRITY', `${path}: not UTF-8 text`)
  }
}

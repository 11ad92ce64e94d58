import { readlink, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ifThere, onDisk, systemCode } from './io-error.ts'

/**
 * The file that a path leads to through symbolic links, whether or not it exists.
 * @throws DrayError `IO`
 */
export async function linkTarget(path: string): Promise<string> {
  const target = await ifThere(onDisk(path, realpath(path)))
  if (target !== undefined) return target
  const link = await ifThere(onDisk(path, readLink(path)))
  if (link === undefined) return path
  // The link's own folder may be behind a link too, and what is relative starts where the folder really is.
  return linkTarget(resolve(await onDisk(path, realpath(dirname(path)), 'IO'), link))
}

/** Undefined for what is no link. */
async function readLink(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    if (systemCode(error) === 'EINVAL') return undefined
    throw error
  }
}

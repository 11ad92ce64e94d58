import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { onDisk, systemCode } from './io-error.ts'

/**
 * Makes a folder, and those above it, where they are missing.
 * @param mode of the folders that are made, such as `0o700` for their owner alone; what the umask leaves when absent
 * @throws DrayError `IO`
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  await onDisk(path, makeWithParents(path, mode), 'IO')
}

/**
 * Does what needs a folder, and once more when it was the folder that was missing and has been made; nearly always it is
 * there, and to ask first would take time.
 * @param work fails with the operating system's error, and has done nothing then
 * @param mode as `makeFolder`
 * @throws DrayError `IO` where the folder cannot be made; what `work` throws
 */
export async function inFolder<Result>(
  path: string,
  work: () => Promise<Result>,
  mode?: number,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  await makeFolder(path, mode)
  return work()
}

/** Not by mkdir's `recursive`: Node runs for ever where a folder cannot be made below one that is there (`/proc`). */
async function makeWithParents(path: string, mode: number | undefined): Promise<void> {
  try {
    await makeOne(path, mode)
  } catch (error) {
    const parent = dirname(path)
    if (systemCode(error) !== 'ENOENT' || parent === path) throw error
    await makeWithParents(parent, mode)
    await makeOne(path, mode)
  }
}

async function makeOne(path: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const isFolder = systemCode(error) === 'EEXIST' && (await stat(path)).isDirectory()
    if (!isFolder) throw error
  }
}

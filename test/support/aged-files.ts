import { lutimes, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const dayMs = 24 * 3600 * 1000

/** Makes a file, or all files below a folder, look as if nobody had written or used them for two days. */
export async function makeOld(path: string): Promise<void> {
  const old = new Date(Date.now() - 2 * dayMs)
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  for (const file of entries.length === 0 ? [path] : files) await lutimes(file, old, old)
}

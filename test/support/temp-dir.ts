import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder of a test's own: `await using folder = await makeTempDir()`, or `remove` in a hook. */
export interface TempDir extends AsyncDisposable {
  readonly path: string
  /** Removes the folder with all that is in it; a second call does nothing. */
  remove(): Promise<void>
}

/** @param parent where to make it; the system's temporary folder if not given */
export async function makeTempDir(parent: string = tmpdir()): Promise<TempDir> {
  const path = await mkdtemp(join(parent, 'dray-test-'))
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 })
  return { path, remove, [Symbol.asyncDispose]: remove }
}

/** Where much can be written fast: a file system in memory where there is one with a GiB free. */
export async function fastParent(): Promise<string> {
  const memory = '/dev/shm'
  const space = await statfs(memory).catch(() => undefined)
  return space !== undefined && space.bavail * space.bsize > 2 ** 30 ? memory : tmpdir()
}

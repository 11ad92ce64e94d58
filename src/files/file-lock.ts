import { open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DrayError } from '../errors.ts'
import { ifThere, ioError, onDisk, systemCode } from './io-error.ts'
import { isGone, thisHolder } from './lock-holder.ts'
import { makeFolder } from './make-folder.ts'
import { readBounded } from './read-bounded.ts'

export interface FileLockOptions {
  /** After how long a lock that does not change counts as left behind, in milliseconds; 10 s when absent. */
  readonly staleMs?: number | undefined
  /** How long to wait for the lock in all, in milliseconds; 30 s when absent. */
  readonly waitMs?: number | undefined
}

/**
 * Runs `work` while holding `path.lock`, a file that only one process can create; makes the folder where it is missing,
 * for its owner alone. The lock is held for milliseconds, so one that stays the same for `staleMs` was left by a process
 * that was killed, as was one whose process is seen to be gone.
 * @throws DrayError `TIMEOUT` when the lock is not to be had, `IO`; what `work` throws
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  const lock = `${path}.lock`
  await makeFolder(dirname(path), 0o700)
  await acquire(lock, options)
  try {
    return await work()
  } finally {
    await remove(lock)
  }
}

const pollMs = 10
const maxHolderBytes = 1000

async function acquire(path: string, { staleMs = 10_000, waitMs = 30_000 }: FileLockOptions): Promise<void> {
  const start = performance.now()
  const lock = new SeenLock(path, staleMs)
  const breaker = new SeenLock(`${path}.break`, staleMs)
  while (!(await create(path))) {
    if (performance.now() - start > waitMs) throw lockFault(path)
    if (await lock.isLeftBehind()) await breakLock(lock, breaker)
    await delay(pollMs * (1 + Math.random()))
  }
}

/** A lock that somebody holds, or held when they were killed. */
class SeenLock {
  readonly path: string
  readonly #staleMs: number
  #identity = ''
  #since = 0

  constructor(path: string, staleMs: number) {
    this.path = path
    this.#staleMs = staleMs
  }

  /** Compared with what was seen before and not with a clock: a file server's clock may be another one. */
  async isLeftBehind(): Promise<boolean> {
    const identity = (await identityOf(this.path)) ?? ''
    if (identity !== this.#identity) {
      this.#identity = identity
      this.#since = performance.now()
    }
    if (identity === '') return false
    return performance.now() - this.#since > this.#staleMs || (await isGone(await holderOf(this.path)))
  }

  /** False when it was given back, or another has it. */
  async isStillThere(): Promise<boolean> {
    return (await identityOf(this.path)) === this.#identity
  }
}

/** Under a lock of its own, so that of several that wait none removes the new lock of another. */
async function breakLock(lock: SeenLock, breaker: SeenLock): Promise<void> {
  if (!(await create(breaker.path))) {
    // Who was to break the lock was killed as well.
    if (await breaker.isLeftBehind()) await remove(breaker.path)
    return
  }
  try {
    if (await lock.isStillThere()) await remove(lock.path)
  } finally {
    await remove(breaker.path)
  }
}

/** The file says who holds the lock. */
async function create(path: string): Promise<boolean> {
  const holder = await thisHolder()
  try {
    await using file = await open(path, 'wx', 0o600)
    await named(path, file.writeFile(holder))
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw ioError(path, error, 'IO')
  }
}

/** A lock that could not be given its holder's name is none. */
async function named(path: string, writing: Promise<void>): Promise<void> {
  try {
    await writing
  } catch (error) {
    await remove(path)
    throw error
  }
}

async function holderOf(path: string): Promise<string> {
  return String((await ifThere(readBounded(path, maxHolderBytes))) ?? '')
}

async function remove(path: string): Promise<void> {
  await onDisk(path, rm(path, { force: true }), 'IO')
}

async function identityOf(path: string): Promise<string | undefined> {
  const status = await ifThere(onDisk(path, stat(path, { bigint: true })))
  return status && `${status.ino} ${status.birthtimeNs} ${status.mtimeNs}`
}

function lockFault(lock: string): DrayError {
  return new DrayError('TIMEOUT', `${lock}: another process keeps this lock`, {
    hint: 'remove the file if no other dray is running',
  })
}

import { open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DrayError } from '../errors.ts'
import { ifThere, ioError, onDisk, systemCode } from './io-error.ts'
import { makeFolder } from './make-folder.ts'

export interface FileLockOptions {
  /** After how long a lock that does not change counts as left behind, in milliseconds; 10 s when absent. */
  readonly staleMs?: number | undefined
  /** How long to wait for the lock in all, in milliseconds; 30 s when absent. */
  readonly waitMs?: number | undefined
}

/**
 * Runs `work` while holding `path.lock`, a file that only one process can create; makes the folder where it is missing,
 * for its owner alone. The lock is held for milliseconds, so one that stays the same for `staleMs` was left by a process
 * that was killed.
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

async function acquire(lock: string, { staleMs = 10_000, waitMs = 30_000 }: FileLockOptions): Promise<void> {
  const start = performance.now()
  let seen = { identity: '', since: start }
  while (!(await create(lock))) {
    const now = performance.now()
    if (now - start > waitMs) throw lockFault(lock)
    // Compared with what was seen before and not with a clock: a file server's clock may be another one.
    const identity = (await identityOf(lock)) ?? ''
    if (identity !== seen.identity) seen = { identity, since: now }
    else if (identity !== '' && now - seen.since > staleMs) await breakLock(lock, identity)
    await delay(pollMs * (1 + Math.random()))
  }
}

/** Under a lock of its own, so that of several that wait none removes the new lock of another. */
async function breakLock(lock: string, identity: string): Promise<void> {
  const breaker = `${lock}.break`
  if (!(await create(breaker))) return
  try {
    if ((await identityOf(lock)) === identity) await remove(lock)
  } finally {
    await remove(breaker)
  }
}

async function create(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw ioError(path, error, 'IO')
  }
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

import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DrayError } from '../errors.ts'
import { ifThere, ioError, onDisk, systemCode } from './io-error.ts'
import { isGone, thisHolder } from './lock-holder.ts'
import { inFolder } from './make-folder.ts'
import { readBounded } from './read-bounded.ts'
import { removeFile } from './remove-file.ts'

export interface FileLockOptions {
  /** After how long a lock that does not change counts as left behind, in milliseconds; 10 s when absent. */
  readonly staleMs?: number | undefined
  /** How long to wait for the lock in all, in milliseconds; 30 s when absent. */
  readonly waitMs?: number | undefined
}

/** The lock that work is done under. */
export interface FileLock {
  /**
   * To be asked right before a change: work that stood still for too long, as on a machine that slept, has lost its lock.
   * @throws DrayError `TIMEOUT` when another process has taken the lock away, `IO`
   */
  checkHeld(): Promise<void>
}

/**
 * Runs `work` while holding `path.lock`, a file that only one process can create; makes the folder where it is missing,
 * for its owner alone. The lock is held for milliseconds, so one that stays the same for `staleMs` was left by a process
 * that was killed, as was one whose process is seen to be gone.
 * @throws DrayError `TIMEOUT` when the lock is not to be had, `IO`; what `work` throws
 */
export async function withFileLock<T>(
  path: string,
  work: (lock: FileLock) => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  await using held = await acquire(`${path}.lock`, options)
  return await work(held)
}

const pollMs = 10
const maxHolderBytes = 1000

async function acquire(
  path: string,
  { staleMs = 10_000, waitMs = 30_000 }: FileLockOptions,
): Promise<HeldLock> {
  const start = performance.now()
  const lock = new SeenLock(path, staleMs)
  const breaker = new SeenLock(`${path}.break`, staleMs)
  for (;;) {
    const held = await HeldLock.take(path)
    if (held !== undefined) return held
    if (performance.now() - start > waitMs) throw lockFault(path)
    if (await lock.isLeftBehind()) await breakLock(lock, breaker)
    await delay(pollMs * (1 + Math.random()))
  }
}

/** A lock that is ours, until somebody takes us for gone. Its file stays open, by which it is told from another's. */
class HeldLock implements FileLock, AsyncDisposable {
  readonly #path: string
  readonly #file: FileHandle
  readonly #named: Promise<void>

  /** Undefined where another has it. */
  static async take(path: string): Promise<HeldLock | undefined> {
    try {
      return new HeldLock(path, await inFolder(dirname(path), () => open(path, 'wx', 0o600), 0o700))
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return undefined
      throw ioError(path, error, 'IO')
    }
  }

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
    this.#named = file.writeFile(thisHolder())
    // A lock without its holder's name is one too, of which only is not seen at once that it was left behind.
    this.#named.catch(() => {})
  }

  async checkHeld(): Promise<void> {
    if (!(await this.#isHeld())) throw lostFault(this.#path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#named])
    try {
      if (await this.#isHeld()) await removeFile(this.#path)
    } finally {
      await onDisk(this.#path, this.#file.close())
    }
  }

  async #isHeld(): Promise<boolean> {
    try {
      return (await this.#file.stat()).nlink > 0
    } catch (error) {
      // So a file server says that the file was removed.
      if (systemCode(error) === 'ESTALE') return false
      throw ioError(this.#path, error, 'IO')
    }
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
    return performance.now() - this.#since > this.#staleMs || isGone(await holderOf(this.path))
  }

  /** False when it was given back, or another has it. */
  async isStillThere(): Promise<boolean> {
    return (await identityOf(this.path)) === this.#identity
  }
}

/** Under a lock of its own, so that of several that wait none removes the new lock of another. */
async function breakLock(lock: SeenLock, breaker: SeenLock): Promise<void> {
  await using held = await HeldLock.take(breaker.path)
  if (held !== undefined) {
    if (await lock.isStillThere()) await removeFile(lock.path)
  } else if (await breaker.isLeftBehind()) {
    // Who was to break the lock was killed as well.
    await removeFile(breaker.path)
  }
}

async function holderOf(path: string): Promise<string> {
  return String((await ifThere(readBounded(path, maxHolderBytes))) ?? '')
}

async function identityOf(path: string): Promise<string | undefined> {
  const status = await ifThere(onDisk(path, stat(path, { bigint: true })))
  return status && `${status.ino} ${status.birthtimeNs} ${status.mtimeNs}`
}

function lostFault(lock: string): DrayError {
  return new DrayError(
    'TIMEOUT',
    `${lock}: another process has taken this lock, which was kept for too long`,
    {
      hint: 'nothing was changed; try again',
    },
  )
}

function lockFault(lock: string): DrayError {
  return new DrayError('TIMEOUT', `${lock}: another process keeps this lock`, {
    hint: 'remove the file if no other dray is running',
  })
}

import { readFile, readlink } from 'node:fs/promises'
import { systemCode } from './io-error.ts'

/**
 * Names this process so that others on the same machine can tell when it is gone; empty where the system cannot say
 * (there is no `/proc`). Of a process in another container, or on another machine, nobody can tell.
 */
export async function thisHolder(): Promise<string> {
  const space = await processSpace()
  return space === undefined ? '' : `${process.pid} ${space}`
}

/** True for the name of a process that is gone for sure. */
export async function isGone(holder: string): Promise<boolean> {
  const [, id = '', space] = /^(\d+) (.+)$/.exec(holder) ?? []
  return space !== undefined && space === (await processSpace()) && !isRunning(Number(id))
}

/** Within which a process has its number: this start of the machine, and this container. */
async function processSpace(): Promise<string | undefined> {
  try {
    const machine = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${machine.trim()} ${await readlink('/proc/self/ns/pid')}`
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0)
  } catch (error) {
    // Another user's process may not be signalled, but is there.
    return systemCode(error) !== 'ESRCH'
  }
}

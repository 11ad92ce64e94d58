import { readFileSync, readlinkSync } from 'node:fs'
import { systemCode } from './io-error.ts'

/**
 * Names this process so that others on the same machine can tell when it is gone; empty where the system cannot say
 * (there is no `/proc`). Of a process in another container, or on another machine, nobody can tell.
 */
export function thisHolder(): string {
  const space = processSpace()
  return space === undefined ? '' : `${process.pid} ${space}`
}

/** True for the name of a process that is gone for sure. */
export function isGone(holder: string): boolean {
  const [, id = '', space] = /^(\d+) (.+)$/.exec(holder) ?? []
  return space !== undefined && space === processSpace() && !isRunning(Number(id))
}

/**
 * Within which a process has its number: this start of the machine, and this container. No disk is behind these files, so
 * that they are read at once, in less time than it takes to ask another thread for them.
 */
function processSpace(): string | undefined {
  try {
    const machine = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${machine.trim()} ${readlinkSync('/proc/self/ns/pid')}`
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

import { readFile, writeFile } from 'node:fs/promises'

/** What a process took so far. */
export interface ProcessCost {
  /** Of the processor, its own and the system's for it, in steps of 10 milliseconds. */
  readonly cpuMs: number
  /** The most that was resident since `forgetPeak`, in MB of 1024² bytes. */
  readonly memoryMb: number
}

/** Linux counts in hundredths of a second, whatever the machine does. */
const tickMs = 10

/** Undefined where there is no `/proc` as Linux has it. */
export async function readCost(pid: number): Promise<ProcessCost | undefined> {
  const files = [`/proc/${pid}/stat`, `/proc/${pid}/status`].map(path => readFile(path, 'utf8'))
  const [stat, status] = await Promise.all(files).catch(() => [])
  return stat === undefined || status === undefined ? undefined : parseCost(stat, status)
}

/** Reads Linux's `stat` and `status` of a process (proc_pid_stat(5), proc_pid_status(5)). */
export function parseCost(stat: string, status: string): ProcessCost {
  // The name comes second, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user = Number.NaN, system = Number.NaN] = fields.slice(11, 13).map(Number)
  const kb = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1])
  return { cpuMs: (user + system) * tickMs, memoryMb: kb / 1024 }
}

/** From now on only what comes counts as the most memory; where that cannot be, what was before counts too. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined)
}

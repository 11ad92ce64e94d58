import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { fastParent } from '../support/temp-dir.ts'
import type { JudgedCase } from './result.ts'

/** All that one run of the bench found, as `--json` prints it. */
export interface Report {
  /** ISO 8601. */
  readonly date: string
  readonly machine: Machine
  /** By the programs' names. */
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  /** False where GNU time is missing, and with it processor time and memory. */
  readonly meter: boolean
  readonly cases: readonly JudgedCase[]
}

/** What the figures depend on. */
export interface Machine {
  readonly processor: string
  readonly processors: number
  readonly memoryBytes: number
  readonly system: string
  /** Whether registries and layouts lie in memory. */
  readonly inMemory: boolean
}

/** The machine that this runs on. */
export async function describeMachine(): Promise<Machine> {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    inMemory: (await fastParent()) === '/dev/shm',
  }
}

/** Lines for people: where, with what, when. */
export function describeReport({ machine, versions, date, rounds, meter }: Report): string[] {
  const gb = Math.round(machine.memoryBytes / 2 ** 30)
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${machine.processor}, ${machine.processors} processors, ${gb} GB, ${machine.system}; registries and layouts in ${machine.inMemory ? 'memory' : 'files'}`,
    programs.join(', '),
    `${date.slice(0, 10)}, medians of ${rounds} rounds in turns, one more before them not counted`,
    ...(meter ? [] : ['GNU time is not installed: no processor time, no memory']),
  ]
}

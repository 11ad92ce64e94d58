import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { DockerRegistry } from '../support/docker-registry.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import type { Command } from './case.ts'
import { perform } from './perform.ts'
import type { Measurement } from './result.ts'

export interface MeasureOptions {
  /** Those whose requests count. */
  readonly registries: readonly DockerRegistry[]
  readonly signal: AbortSignal
  /** Whether GNU time is here (`hasMeter`). */
  readonly meter: boolean
}

/** Runs a command once. */
export async function measure(
  command: Command,
  { registries, signal, meter }: MeasureOptions,
): Promise<Measurement> {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'cost')
  const before = await countRequests(registries)
  const wallMs = await perform(meter ? metered(command, file) : command, signal)
  const requests = (await countRequests(registries)) - before
  return { wallMs, requests, ...(meter ? parseCost(await readFile(file, 'utf8')) : unknownCost) }
}

/** True where GNU time is installed, which tells processor time and memory. */
export async function hasMeter(): Promise<boolean> {
  await using folder = await makeTempDir()
  const file = join(folder.path, 'cost')
  const probe = { program: process.execPath, args: ['--version'] }
  try {
    await perform(metered(probe, file), new AbortController().signal)
    return parseCost(await readFile(file, 'utf8')).memoryMb > 0
  } catch {
    return false // there is no such program, or it is another one of that name
  }
}

const unknownCost = { cpuMs: undefined, memoryMb: undefined }

function metered({ program, args, env }: Command, file: string): Command {
  return { program: 'time', args: ['-f', '%U %S %M', '-o', file, program, ...args], env }
}

/** Seconds of the user's and the system's, and KB of 1024 bytes. */
function parseCost(text: string): { cpuMs: number; memoryMb: number } {
  const [user = Number.NaN, system = Number.NaN, kb = Number.NaN] = text.trim().split(' ').map(Number)
  return { cpuMs: (user + system) * 1000, memoryMb: kb / 1024 }
}

/** How many lines the access logs have, once no more have come for a while: a line may follow its answer. */
async function countRequests(registries: readonly DockerRegistry[]): Promise<number> {
  const count = () => registries.reduce((sum, registry) => sum + registry.accessLog().length, 0)
  let [lines, calm] = [count(), 0]
  while (calm < 5 && registries.length > 0) {
    await wait(30)
    const now = count()
    calm = now === lines ? calm + 1 : 0
    lines = now
  }
  return lines
}

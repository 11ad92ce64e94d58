import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { makeTempDir } from '../support/temp-dir.ts'
import type { Command } from './case.ts'

const longestMs = 10 * 60_000

/**
 * Runs a command to its end, with an empty `HOME` and nowhere to print to, and answers how many milliseconds it took. When
 * the signal aborts, the command is ended with all processes that it started.
 * @throws Error when the command fails, with what it said
 */
export async function perform(command: Command, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  await using home = await makeTempDir()
  const env = { PATH: process.env.PATH, HOME: home.path, ...command.env }
  const start = performance.now()
  // The head of a group of processes, which the meter and what it measures make up.
  const child = spawn(command.program, command.args, {
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said: Buffer[] = []
  child.stderr.on('data', chunk => said.push(chunk))
  let wallMs = 0
  child.on('exit', () => {
    wallMs = performance.now() - start
  })
  const end = () => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGKILL')
  const timer = setTimeout(end, longestMs)
  signal.addEventListener('abort', end)
  try {
    const [code] = await once(child, 'close')
    signal.throwIfAborted()
    if (code === 0) return wallMs
    throw new Error(`${command.program} ${command.args.join(' ')} ended with ${code}: ${Buffer.concat(said)}`)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}

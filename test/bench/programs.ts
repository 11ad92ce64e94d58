import { join } from 'node:path'
import { type Peer, peer } from '../support/peers.ts'
import { cacheFolder, projectFolder, run } from '../support/run.ts'
import type { Command, Program } from './case.ts'

/** The Node that runs our program; `BENCH_NODE` names another than the one that runs the bench. */
const nodePath = process.env.BENCH_NODE ?? process.execPath

/** `BENCH_DRAY` names the starter of another build, to compare two. */
const drayPath = process.env.BENCH_DRAY ?? join(projectFolder, 'bin/dray.js')

/** A command of ours, without a shell or a starter in between. It finds the compiled code that runs before it have left. */
export function dray(...args: readonly string[]): Command {
  return { program: nodePath, args: [drayPath, ...args], env: { XDG_CACHE_HOME: cacheFolder } }
}

/** Node that does nothing. */
export function node(): Command {
  return { program: nodePath, args: ['-e', '0'] }
}

/** False for a peer that is not on this machine. */
export function isInstalled(program: Program): boolean {
  return program === 'dray' || program === 'node' || peer(program) !== undefined
}

/** Whether `dray copy` knows a flag. */
export async function copyKnows(flag: string): Promise<boolean> {
  const { program, args } = dray('copy', '--help')
  return (await run(program, args)).stdout.includes(`${flag} `)
}

/** The versions of all programs that take part, by their names. */
export async function findVersions(): Promise<Record<string, string>> {
  const ours = [
    ['dray', dray('version')],
    ['node', { program: nodePath, args: ['--version'] }],
  ] as const
  const others = (
    [
      ['crane', { program: 'crane', args: ['version'] }],
      ['skopeo', { program: 'skopeo', args: ['--version'] }],
      ['oras', { program: 'oras', args: ['version'] }],
      ['docker-registry', { program: 'docker-registry', args: ['--version'] }],
    ] as const
  ).filter(([name]) => peer(name) !== undefined)
  const found = await Promise.all(
    [...ours, ...others].map(async ([name, command]) => [name, await findVersion(name, command)] as const),
  )
  return Object.fromEntries(found)
}

async function findVersion(name: Peer | 'dray' | 'node', { program, args }: Command): Promise<string> {
  const { stdout } = await run(program, args)
  return /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? (await packagedVersion(name)) ?? 'unknown'
}

/** Some builds do not know their own version; where Debian installed them, its packages do. */
async function packagedVersion(name: string): Promise<string | undefined> {
  const asked = await run('dpkg-query', ['--show', name]).catch(() => undefined)
  return asked?.stdout.trim().split('\t')[1]
}

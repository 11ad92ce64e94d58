import { execFileSync } from 'node:child_process'
import { projectFolder, run } from '../support/run.ts'

/** True where `tar` is GNU tar, by which archives are written and read for comparison. */
export const hasGnuTar = isGnuTar()

/** Runs GNU tar in a folder; fails when it fails. */
export async function gnuTar(
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: Uint8Array } = {},
): Promise<Buffer> {
  const { code, stderr, stdoutBytes } = await run('tar', args, { cwd: projectFolder, ...options })
  if (code !== 0) throw new Error(`tar ${args.join(' ')}: ${stderr}`)
  return stdoutBytes
}

function isGnuTar(): boolean {
  try {
    return execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar')
  } catch {
    return false
  }
}

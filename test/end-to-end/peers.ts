import { expect } from 'vitest'
import { type RunOptions, type RunResult, run } from '../support/run.ts'

type RunPeer = (args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** Runs skopeo over plain HTTP and without a policy of whom to trust. */
export const skopeo: RunPeer = ([verb = '', ...args], options) => {
  const plain =
    verb === 'copy' ? ['--src-tls-verify=false', '--dest-tls-verify=false'] : ['--tls-verify=false']
  return succeed('skopeo', ['--insecure-policy', verb, ...plain, ...args], options)
}

/** Runs crane, which speaks plain HTTP on loopback by itself. */
export const crane: RunPeer = (args, options) => succeed('crane', args, options)

/** Runs oras, which wants `--plain-http` and the like. */
export const oras: RunPeer = (args, options) => succeed('oras', args, options)

async function succeed(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await run(program, args, options)
  expect(result, `${program} ${args.join(' ')}\n${result.stderr}`).toMatchObject({ code: 0 })
  return result
}

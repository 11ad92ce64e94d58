import { setMaxListeners } from 'node:events'
import { DrayError } from '../errors.ts'
import type { CliContext } from './context.ts'
import { exitCodeOf } from './exit-codes.ts'
import { homeFolder } from './home-folder.ts'
import { errorLines } from './report-error.ts'
import { openStdout, tolerateClosedPipe } from './stdout.ts'

/** Runs the program on this process's arguments and sets its exit code. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const context = processContext()
  try {
    await runProgram(args, context)
  } catch (error) {
    report(error, args, context)
  }
}

async function runProgram(args: readonly string[], context: CliContext): Promise<void> {
  const { createProgram } = await import('./program.ts')
  const help: string[] = []
  const program = await createProgram(args, { context, onHelp: text => help.push(text) })
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : [...args], { from: 'user' })
  } finally {
    if (help.length > 0) await context.stdout.write(help.join(''))
  }
}

function report(error: unknown, args: readonly string[], context: CliContext): void {
  const cause = context.signal.aborted ? context.signal.reason : error
  const format = args.find((arg, at) => arg.startsWith('--format=') || args[at - 1] === '--format')
  const json = /^(?:--format=)?jsonl?$/.test(format ?? '')
  const lines = errorLines(cause, { json, debug: args.includes('--debug') })
  for (const line of lines) context.stderr.write(`${line}\n`)
  process.exitCode = exitCodeOf(cause)
}

/** To look at a stream of the process's opens it, so that is left to who needs it. */
function processContext(): CliContext {
  let stderr: NodeJS.WriteStream | undefined
  return {
    env: process.env,
    homeDir: homeFolder(process.env.HOME),
    platform: process.platform,
    uid: process.getuid?.(),
    get stdin() {
      return process.stdin
    },
    stdout: openStdout(process.stdout),
    get stderr() {
      stderr ??= tolerateClosedPipe(process.stderr)
      return stderr
    },
    signal: interruptSignal(),
    onHangup(listener) {
      const { isatty } = process.getBuiltinModule('node:tty')
      const terminals = [0, 1, 2].filter(isatty)
      const hangUp = () => {
        // A window that is closed says so by the same signal.
        if (terminals.every(isatty)) listener()
        else process.kill(process.pid, 'SIGTERM')
      }
      process.on('SIGHUP', hangUp)
      return () => process.off('SIGHUP', hangUp)
    },
  }
}

/** So far apart two signals may be and still be one: `timeout`, `npm run` and the like pass on what we got already. */
const echoMs = 250

/** The first Ctrl-C lets commands clean up; a second one, that is no echo of it, ends the process at once. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  let interruptedAt = 0
  // Every request under way listens to it.
  setMaxListeners(0, controller.signal)
  const interrupt = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (performance.now() - interruptedAt < echoMs) return
      // By the signal itself: an exit would wait for what the system is still reading, as of a pipe that nobody writes to.
      process.off(signal, interrupt)
      process.kill(process.pid, signal)
    }
    interruptedAt = performance.now()
    controller.abort(new DrayError('ABORTED', 'interrupted'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return controller.signal
}

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeTempDir, type TempDir } from './temp-dir.ts'

/** The project's top folder. */
export const projectFolder = join(import.meta.dirname, '../..')

export interface RunOptions {
  /** Added to an environment that holds `PATH` and an empty `HOME` and no more. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  /** Standard input; it is empty if not given. */
  readonly input?: string | Uint8Array | undefined
  /** Sends a signal once, as soon as what was printed (stdout or stderr) matches. */
  readonly signalAfter?: { readonly signal: NodeJS.Signals; readonly printed: RegExp } | undefined
  /** After that many milliseconds the process is killed and the call fails; a minute if not given. */
  readonly timeoutMs?: number | undefined
}

export interface RunResult {
  /** The exit code; null after a signal. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Standard output as bytes, for what is not text. */
  readonly stdoutBytes: Buffer
}

/** A process that goes on while the test does something else. */
export interface Running extends AsyncDisposable {
  readonly pid: number
  /** What was printed so far. */
  readonly stdout: string
  readonly stderr: string
  /**
   * Resolves with the first match in what is printed (stdout, then stderr). Fails when the process ends without it, or
   * when it takes more than `withinMs` milliseconds; 20 seconds if not given.
   */
  printed(pattern: RegExp, withinMs?: number): Promise<RegExpMatchArray>
  kill(signal?: NodeJS.Signals): void
  readonly ended: Promise<RunResult>
}

/** Where runs of the program leave compiled code for one another; without it, each would be a first run. */
export const cacheFolder = join(projectFolder, 'node_modules/.cache')
// Code is kept only where nobody else may write, and some users let their group.
mkdirSync(cacheFolder, { recursive: true, mode: 0o700 })

/** Runs the built `bin/dray.js` on the Node that runs the tests. Fails only for want of time or of Node. */
export function runDray(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [join(projectFolder, 'bin/dray.js'), ...args], withCache(options))
}

/** Starts the built `bin/dray.js`, for `dray serve` and the like. Dispose of it to end it. */
export function startDray(args: readonly string[], options: RunOptions = {}): Promise<Running> {
  return start(process.execPath, [join(projectFolder, 'bin/dray.js'), ...args], withCache(options))
}

function withCache(options: RunOptions): RunOptions {
  return { ...options, env: { XDG_CACHE_HOME: cacheFolder, ...options.env } }
}

/** Runs a program (looked up in `PATH`) to its end, whatever its exit code is. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const running = await start(program, args, { timeoutMs: 60_000, ...options })
  return running.ended
}

/** Starts a program with an environment of its own. Without `timeoutMs` it may run until it is killed. */
export async function start(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Running> {
  const home = await makeTempDir()
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: home.path, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program may end without reading its input; what counts then is how it ended.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  const running = new RunningProcess(child, options, home)
  if (child.pid === undefined) await running.ended
  return running
}

class RunningProcess implements Running {
  readonly ended: Promise<RunResult>
  readonly #child: ChildProcess
  readonly #stdout: Buffer[] = []
  readonly #stderr: Buffer[] = []

  constructor(child: ChildProcess, options: RunOptions, home: TempDir) {
    this.#child = child
    child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk))
    this.ended = this.#end(options.timeoutMs).finally(() => home.remove())
    // Whoever awaits `ended` still gets the failure; a test that never does must not be ended by it.
    this.ended.catch(() => undefined)
    const { signalAfter } = options
    if (signalAfter !== undefined) {
      this.printed(signalAfter.printed).then(
        () => this.kill(signalAfter.signal),
        () => undefined, // it ended before; its result says how
      )
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString()
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString()
  }

  printed(pattern: RegExp, withinMs = 20_000): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const fail = (how: string) =>
        reject(new Error(`it ${how} without printing ${pattern}:\n${this.stdout}${this.stderr}`))
      const timer = setTimeout(() => fail(`ran for ${withinMs} ms`), withinMs)
      const look = () => {
        const match = this.stdout.match(pattern) ?? this.stderr.match(pattern)
        if (match === null) return
        clearTimeout(timer)
        resolve(match)
      }
      this.#child.stdout?.on('data', look)
      this.#child.stderr?.on('data', look)
      this.ended.then(() => fail('ended'), reject).finally(() => clearTimeout(timer))
      look()
    })
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.ended
  }

  #end(timeoutMs: number | undefined): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              this.kill('SIGKILL')
              const command = this.#child.spawnargs.join(' ')
              reject(
                new Error(`${command}\nran for more than ${timeoutMs} ms:\n${this.stdout}${this.stderr}`),
              )
            }, timeoutMs)
      this.#child.on('error', error => {
        clearTimeout(timer)
        reject(error)
      })
      this.#child.on('close', (code, signal) => {
        clearTimeout(timer)
        const { stdout, stderr } = this
        resolve({
          code,
          signal,
          stdout,
          stderr,
          stdoutBytes: Buffer.concat(this.#stdout),
        })
      })
    })
  }
}

import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Readable } from 'node:stream'
import { DrayError } from '../errors.ts'
import { ioError, systemCode } from '../files/io-error.ts'
import type { CredentialContext } from './context.ts'

/** The most that a helper may print on one stream, in bytes. */
export const maxOutputBytes = 1024 * 1024

const defaultTimeoutMs = 30_000

/** What running a helper needs of its surroundings. */
export type HelperContext = Pick<CredentialContext, 'env' | 'platform' | 'helperTimeoutMs' | 'signal'>

/** A program that speaks the protocol of docker's credential helpers. */
export interface HelperProgram {
  /** For messages: `docker-credential-pass`. */
  readonly name: string
  /** What is started, and its first arguments. */
  readonly command: readonly [string, ...string[]]
}

/** One run of `program action` with `input` on its stdin. */
export interface HelperCall {
  readonly program: HelperProgram
  readonly action: 'get' | 'store' | 'erase' | 'list'
  readonly input: string
}

/** What a helper printed before it ended by itself. */
export interface HelperOutput {
  readonly succeeded: boolean
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a credential helper to its end. One that takes too long or prints too much is killed, with the processes that it
 * started.
 * @throws DrayError `UNSUPPORTED` when it is not installed, `TIMEOUT`, `INTEGRITY` for too much output, `ABORTED`, `IO`
 */
export function runHelper(call: HelperCall, context: HelperContext): Promise<HelperOutput> {
  const { helperTimeoutMs = defaultTimeoutMs, signal } = context
  if (signal?.aborted) return Promise.reject(abortFault(call))
  return new Promise((resolve, reject) => {
    const child = start(call, context)
    let fault: DrayError | undefined
    const settle = (action: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      action()
    }
    const stop = (reason: DrayError) => {
      fault ??= reason
      if (kill(child, context.platform)) return
      child.unref()
      settle(() => reject(reason))
    }
    const onAbort = () => stop(abortFault(call))
    const timer = setTimeout(() => stop(timeoutFault(call, helperTimeoutMs)), helperTimeoutMs)
    signal?.addEventListener('abort', onAbort)
    const stdout = gather(child.stdout, () => stop(outputFault(call)))
    const stderr = gather(child.stderr, () => stop(outputFault(call)))
    child.on('error', error => settle(() => reject(startFault(call, error))))
    child.on('close', code => {
      settle(() =>
        fault ? reject(fault) : resolve({ succeeded: code === 0, stdout: stdout(), stderr: stderr() }),
      )
    })
    // A helper may end without reading its input (EPIPE); its exit code tells whether that was a failure.
    child.stdin.on('error', () => {})
    child.stdin.end(call.input)
  })
}

function start(call: HelperCall, { env, platform }: HelperContext): ChildProcessWithoutNullStreams {
  // An import would give the stand-in that the built program has for packages which load this and never use it.
  const { spawn } = process.getBuiltinModule('node:child_process')
  try {
    // A group of its own, so that what the helper starts can be killed with it; Windows has no such groups.
    const [file, ...args] = call.program.command
    return spawn(file, [...args, call.action], {
      env: { ...env },
      detached: platform !== 'win32',
      windowsHide: true,
    })
  } catch (error) {
    throw startFault(call, error)
  }
}

/** Kills the helper's group; false when that is not to be had, for example because the helper runs as another user. */
function kill(child: ChildProcessWithoutNullStreams, platform: NodeJS.Platform): boolean {
  // A process that left the group may hold these open after the helper's end.
  child.stdin.destroy()
  child.stdout.destroy()
  child.stderr.destroy()
  if (platform === 'win32' || child.pid === undefined) return child.kill('SIGKILL')
  try {
    return process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (['ESRCH', 'EPERM'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

function gather(stream: Readable, onTooMuch: () => void): () => string {
  const chunks: Buffer[] = []
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > maxOutputBytes) onTooMuch()
    else chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

function startFault({ program, action }: HelperCall, error: unknown): unknown {
  if (systemCode(error) !== 'ENOENT') return ioError(`${program.name} ${action}`, error, 'IO')
  return new DrayError('UNSUPPORTED', `the credential helper ${program.name} is not installed`, {
    hint: 'install it into a folder of PATH, or remove it from "credsStore" and "credHelpers" of the config file',
    cause: error,
  })
}

function timeoutFault({ program, action }: HelperCall, timeoutMs: number): DrayError {
  return new DrayError('TIMEOUT', `${program.name} ${action}: no answer within ${timeoutMs / 1000} s`, {
    hint: 'a locked keychain may be waiting for its password: unlock it, or allow more time with --timeout',
  })
}

function outputFault({ program, action }: HelperCall): DrayError {
  return new DrayError('INTEGRITY', `${program.name} ${action}: printed more than ${maxOutputBytes} bytes`)
}

function abortFault({ program, action }: HelperCall): DrayError {
  return new DrayError('ABORTED', `${program.name} ${action}: cancelled`)
}

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CredentialContext } from '../../src/credentials/context.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** A home folder of a test's own, with a folder for helper programs on its `PATH`. */
export interface Sandbox extends AsyncDisposable {
  readonly home: string
  /** docker's `config.json` in that home. */
  readonly dockerConfig: string
  readonly context: CredentialContext
  /** Writes a file below the home, as JSON unless it is text already, and returns its path. */
  write(path: string, content: unknown): Promise<string>
  /** Makes `docker-credential-NAME`, a shell script; `$dir` is a folder of its own. */
  addHelper(name: string, script: string): Promise<void>
  /** The path of a file in a helper's own folder. */
  helperFile(name: string, file: string): string
}

export async function makeSandbox(overrides: Partial<CredentialContext> = {}): Promise<Sandbox> {
  const folder = await makeTempDir()
  const home = join(folder.path, 'home')
  const bin = join(folder.path, 'bin')
  await mkdir(home)
  await mkdir(bin)
  const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_RUNTIME_DIR: join(home, 'run'), ...overrides.env }
  const helperFile = (name: string, file: string) => join(bin, `${name}.d`, file)
  return {
    home,
    dockerConfig: join(home, '.docker', 'config.json'),
    context: { homeDir: home, platform: 'linux', helperTimeoutMs: 20_000, ...overrides, env },
    helperFile,
    async write(path, content) {
      const file = join(home, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
      return file
    },
    async addHelper(name, script) {
      await mkdir(helperFile(name, '.'))
      const program = join(bin, `docker-credential-${name}`)
      await writeFile(program, `#!/bin/sh\ndir='${helperFile(name, '.')}'\n${script}\n`)
      await chmod(program, 0o755)
    },
    [Symbol.asyncDispose]: () => folder.remove(),
  }
}

/** A script that keeps one login as it was given, and logs each call as `action key` to `$dir/calls`. */
export const keepingScript = `
input=$(cat)
case $1 in
  store) echo "store" >> "$dir/calls"; printf %s "$input" > "$dir/kept" ;;
  get|erase) echo "$1 $input" >> "$dir/calls"
    [ -f "$dir/kept" ] || { echo 'credentials not found in native keychain'; exit 1; }
    if [ "$1" = get ]; then cat "$dir/kept"; else rm "$dir/kept"; fi ;;
esac`

/** A script that keeps many logins, each under its key, and logs as `keepingScript` does. */
export const keychainScript = `
input=$(cat)
case $1 in
  store) key=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/') ;;
  *) key=$input ;;
esac
echo "$1 $key" >> "$dir/calls"
kept="$dir/kept-$(printf %s "$key" | tr /: __)"
case $1 in
  store) printf %s "$input" > "$kept" ;;
  get|erase)
    [ -f "$kept" ] || { echo 'credentials not found in native keychain'; exit 1; }
    if [ "$1" = get ]; then cat "$kept"; else rm "$kept"; fi ;;
esac`

/** A home with a keychain that works: `helperFile('keychain', …)` are its files. */
export async function makeKeychainSandbox(script: string = keychainScript): Promise<Sandbox> {
  const sandbox = await makeSandbox()
  await sandbox.addHelper('keychain', script)
  // Behind another program, as the real one is behind Node.
  const keychainProgram = [
    '/bin/sh',
    sandbox.helperFile('keychain', '../docker-credential-keychain'),
  ] as const
  return { ...sandbox, context: { ...sandbox.context, keychainProgram } }
}

/** What a helper was asked so far. */
export async function callsOf(sandbox: Sandbox, name: string): Promise<string[]> {
  const calls = await readFile(sandbox.helperFile(name, 'calls'), 'utf8').catch(() => '')
  return calls
    .trimEnd()
    .split('\n')
    .filter(call => call !== '')
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** All that a person could come to see of an error, its causes included. */
export function everythingSaid(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const hint = 'hint' in error ? String(error.hint) : ''
  return [error.stack, error.message, hint, JSON.stringify(error), everythingSaid(error.cause)].join('\n')
}

/** The error that a promise is rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was expected to fail')
}
